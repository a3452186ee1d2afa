//! Outages of PostgreSQL and Redis.

use std::{net::SocketAddr, time::Duration};

use staymesh_devenv::{Link, Proxy};
use staymesh_mesh::Reason;
use staymesh_store::StoreConfig;
use staymesh_testkit::TestDatabase;

use crate::MIGRATOR;
use crate::testing::{FAILURES, PASSWORD, Replica, assert_reason, replica, test_redis};

const ADA: &str = "ada@example.com";

/// A pool with the settings of a service, through a proxy that can cut its connections.
fn pool_through_proxy(database: &TestDatabase) -> (Proxy, sqlx::PgPool) {
    let options = database.pool().connect_options();
    let address: SocketAddr = format!("{}:{}", options.get_host(), options.get_port()).parse().unwrap();
    let proxy = Proxy::start(address).unwrap();
    let url = database.url().replace(&format!(":{}/", address.port()), &format!(":{}/", proxy.address().port()));
    let mut config = StoreConfig::new(url);
    config.database_acquire_timeout = Duration::from_millis(500);
    (proxy, staymesh_store::connect(&config).unwrap())
}

#[tokio::test]
async fn tokens_are_verified_during_a_database_outage_and_logins_recover_after_it() {
    let database = TestDatabase::new("identity", &MIGRATOR).await.unwrap();
    let (link, pool) = pool_through_proxy(&database);
    let replica = Replica::over(&pool, None);
    let user = replica.sign_up(ADA).await.unwrap();
    let tokens = replica.login(ADA, PASSWORD).await.unwrap();

    link.set(Link::Broken);
    // The verifier has not fetched keys yet: the keyring serves them from memory.
    assert_eq!(replica.caller(&tokens.access_token).await.subject, user.user_id);
    for _ in 0..=FAILURES {
        assert_reason(replica.login(ADA, PASSWORD).await, Reason::StoreUnavailable);
    }
    assert_reason(replica.refresh(&tokens.refresh_token).await, Reason::StoreUnavailable);

    link.set(Link::Healthy);
    // The outage neither counted as failed logins nor marked the refresh token as used.
    replica.login(ADA, PASSWORD).await.unwrap();
    replica.refresh(&tokens.refresh_token).await.unwrap();
}

#[tokio::test]
async fn keyring_recovers_after_a_database_outage() {
    let database = TestDatabase::new("identity", &MIGRATOR).await.unwrap();
    let (link, pool) = pool_through_proxy(&database);
    link.set(Link::Broken);
    let replica = Replica::over(&pool, None);
    assert!(replica.keyring.current().await.is_err());
    link.set(Link::Healthy);
    assert!(replica.keyring.current().await.is_ok());
}

#[tokio::test]
async fn logins_throttling_and_reuse_detection_work_without_redis() {
    let (mut server, redis) = test_redis();
    let (_database, replica) = replica(Some(redis)).await;
    replica.sign_up(ADA).await.unwrap();
    server.server.kill_now().unwrap();
    for _ in 0..FAILURES {
        assert_reason(replica.login(ADA, "wrong password").await, Reason::BadCredentials);
    }
    assert_reason(replica.login(ADA, PASSWORD).await, Reason::LoginThrottled);

    let bob = "bob@example.com";
    replica.sign_up(bob).await.unwrap();
    let first = replica.login(bob, PASSWORD).await.unwrap();
    let second = replica.refresh(&first.refresh_token).await.unwrap();
    let second = replica.refresh(&second.refresh_token).await.unwrap();
    assert_reason(replica.refresh(&first.refresh_token).await, Reason::RefreshTokenInvalid);
    assert_reason(replica.refresh(&second.refresh_token).await, Reason::RefreshTokenInvalid);
}
