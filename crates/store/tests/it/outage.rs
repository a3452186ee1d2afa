//! Outages of the database: the pool survives them.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use staymesh_devenv::{Durability, Postgres, PostgresOptions};
use staymesh_store::{StoreConfig, StoreError, connect, ping};

use crate::support::until;

fn assert_unavailable(result: &Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

async fn query(pool: &PgPool) -> Result<(), StoreError> {
    Ok(sqlx::query("select 1").execute(pool).await.map(drop)?)
}

#[tokio::test]
async fn pool_starts_without_the_database_and_reconnects_after_each_crash() {
    let dir = tempfile::tempdir().unwrap();
    let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
    let mut postgres = Postgres::start(dir.path(), options).unwrap();
    let mut config = StoreConfig::new(postgres.url("postgres"));
    config.database_acquire_timeout = Duration::from_millis(500);
    let missing = StoreConfig::new(postgres.url("not_made_yet"));
    postgres.stop().unwrap();

    let pool = connect(&config).unwrap();
    for _ in 0..2 {
        let started = Instant::now();
        assert_unavailable(&query(&pool).await);
        assert_unavailable(&ping(&pool, Duration::from_millis(300)).await);
        assert!(started.elapsed() < Duration::from_secs(3));

        postgres.resume().unwrap();
        until("the pool finds its database", async || query(&pool).await.is_ok()).await;
        ping(&pool, Duration::from_secs(5)).await.unwrap();

        // The crash happens in the middle of a transaction.
        let mut transaction = pool.begin().await.unwrap();
        postgres.kill_now().unwrap();
        // The server process of a session takes a moment to notice that its parent has ended.
        let mut caught = Ok(());
        until("the session ends", async || {
            caught = sqlx::query("select 1").execute(&mut *transaction).await.map(drop).map_err(StoreError::from);
            caught.is_err()
        })
        .await;
        assert_unavailable(&caught);
    }

    postgres.resume().unwrap();
    assert_unavailable(&query(&connect(&missing).unwrap()).await);
}

#[tokio::test]
async fn exhausted_pool_fails_within_the_acquire_timeout() {
    let database = crate::support::database(&[]).await;
    let mut config = StoreConfig::new(database.url());
    config.database_max_connections = 1;
    config.database_acquire_timeout = Duration::from_secs(1);
    let pool = connect(&config).unwrap();
    until("the only connection", async || query(&pool).await.is_ok()).await;
    let taken = pool.acquire().await.unwrap();
    assert_unavailable(&query(&pool).await);
    drop(taken);
    query(&pool).await.unwrap();
}

#[tokio::test]
async fn application_name_is_visible_to_the_server() {
    let database = crate::support::database(&[]).await;
    let mut config = StoreConfig::new(database.url());
    config.database_application_name = "staymesh-test".to_owned();
    let name: String = sqlx::query_scalar("show application_name").fetch_one(&connect(&config).unwrap()).await.unwrap();
    assert_eq!(name, "staymesh-test");
}
