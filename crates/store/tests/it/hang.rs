//! A database that hangs: connections are open, but no byte arrives.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{PgConnection, PgPool};
use staymesh_devenv::{Durability, Link, Postgres, PostgresOptions, Proxy};
use staymesh_store::outbox::{Delivery, OutboxEvent, RelayOptions, SCHEMA};
use staymesh_store::{StoreConfig, StoreError, bounded, connect};
use uuid::Uuid;

use crate::outbox::{Receiver, Shared, depth, quick, start, write};
use crate::support::{database, until};

const LIMIT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// Stopped backends; dropping this continues them.
struct Stopped(Vec<Pid>);

impl Stopped {
    async fn new<const N: usize>(connections: [&mut PgConnection; N]) -> Self {
        let mut stopped = Self(Vec::new());
        for connection in connections {
            let id: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(connection).await.unwrap();
            let id = Pid::from_raw(id).unwrap();
            kill_process(id, Signal::STOP).unwrap();
            stopped.0.push(id);
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for id in &self.0 {
            let _ = kill_process(*id, Signal::CONT);
        }
    }
}

/// A pool of two connections with short timeouts.
fn pool_for_two(url: &str) -> PgPool {
    let mut config = StoreConfig::new(url);
    config.database_max_connections = 2;
    config.database_acquire_timeout = Duration::from_secs(2);
    config.database_statement_timeout = Duration::from_millis(500);
    connect(&config).unwrap()
}

fn assert_timed_out(result: &Result<(), StoreError>, started: Instant) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

// On a separate server: while a backend is stopped, databases can be neither created nor dropped.
#[tokio::test]
async fn hanging_work_times_out_and_its_connections_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
    let postgres = Postgres::start(dir.path(), options).unwrap();
    let pool = pool_for_two(&postgres.url("postgres"));
    sqlx::query("create table note (id integer)").execute(&pool).await.unwrap();

    let (mut transaction, mut plain) = (pool.begin().await.unwrap(), pool.acquire().await.unwrap());
    sqlx::query("insert into note values (1)").execute(&mut *transaction).await.unwrap();
    let stopped = Stopped::new([&mut transaction, &mut plain]).await;

    let started = Instant::now();
    let given_up: Result<(), StoreError> = bounded(LIMIT, async move {
        sqlx::query("insert into note values (2)").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await;
    assert_timed_out(&given_up, started);
    let started = Instant::now();
    let given_up: Result<(), StoreError> =
        bounded(LIMIT, async move { Ok(sqlx::query("select 1").execute(&mut *plain).await.map(drop)?) }).await;
    assert_timed_out(&given_up, started);

    // Both backends are still stopped, and both slots of the pool are free again.
    until("a free place", async || pool.acquire().await.is_ok()).await;
    until("two free places", async || {
        let (one, other) = tokio::join!(pool.acquire(), pool.acquire());
        one.is_ok() && other.is_ok()
    })
    .await;
    drop(stopped);
    let notes: i64 = sqlx::query_scalar("select count(*) from note").fetch_one(&pool).await.unwrap();
    assert_eq!(notes, 0, "a transaction that was given up has changed something");
}

#[tokio::test]
async fn relay_continues_after_a_hanging_connection() {
    let dir = tempfile::tempdir().unwrap();
    let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
    let postgres = Postgres::start(dir.path(), options).unwrap();
    let (pool, own) = (pool_for_two(&postgres.url("postgres")), pool_for_two(&postgres.url("postgres")));
    sqlx::raw_sql(SCHEMA).execute(&own).await.unwrap();
    let stopped = {
        let (mut one, mut other) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
        Stopped::new([&mut one, &mut other]).await
    };

    let receiver = Receiver::new(|_: &OutboxEvent| Delivery::Done);
    let _relay = start(&pool, Shared(receiver), RelayOptions { store_timeout: Duration::from_secs(1), ..quick() });
    write(&own, Uuid::now_v7(), "waiting").await;
    until("delivered", async || depth(&own).await == 0).await;
    drop(stopped);
}

#[tokio::test]
async fn connecting_over_a_silent_network_times_out() {
    let database = database(&[]).await;
    let mut url = url::Url::parse(database.url()).unwrap();
    let target = (url.host_str().unwrap(), url.port().unwrap());
    let target = std::net::ToSocketAddrs::to_socket_addrs(&target).unwrap().next().unwrap();
    let proxy = Proxy::start(target).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    url.set_ip_host(proxy.address().ip()).unwrap();
    let pool = pool_for_two(url.as_str());
    let ask = async |limit| bounded(limit, async { Ok(sqlx::query("select 1").execute(&pool).await.map(drop)?) }).await;
    ask(PATIENCE).await.unwrap();

    proxy.set(Link::Silent);
    for _ in 0..5 {
        let started = Instant::now();
        assert_timed_out(&ask(LIMIT).await, started);
    }
    proxy.set(Link::Healthy);
    until("the pool finds its database", async || ask(PATIENCE).await.is_ok()).await;
}
