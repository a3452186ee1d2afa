//! Migrations: on a new database, repeated, concurrent, with older and newer binaries.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use staymesh_store::migrate::{MigrateError, close_sessions, ensure_database, is_current, run};
use staymesh_store::{StoreConfig, StoreError, connect};
use staymesh_testkit::TestDatabase;

use crate::support::{database, migrator};

const FIRST: &str = "create table first (id integer)";
const SECOND: &str = "create table second (id integer)";
const PATIENCE: Duration = Duration::from_secs(20);

fn config(database: &TestDatabase) -> StoreConfig {
    StoreConfig::new(database.url())
}

async fn tables(pool: &PgPool) -> Vec<String> {
    let tables = "select table_name::text from information_schema.tables
                  where table_schema = 'public' and table_name <> '_sqlx_migrations' order by 1";
    sqlx::query_scalar(tables).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn concurrent_ensure_database_creates_it_once() {
    let database = database(&[]).await;
    let new_name = format!("{}n", database.name());
    let config = StoreConfig::new(database.url().replace(database.name(), &new_name));

    let created = tokio::join!(ensure_database(&config), ensure_database(&config), ensure_database(&config));
    let created = [created.0.unwrap(), created.1.unwrap(), created.2.unwrap()];
    assert_eq!(created.iter().filter(|made| **made).count(), 1);
    assert!(!ensure_database(&config).await.unwrap());

    let set = migrator(&[FIRST]);
    run(&config, &set, PATIENCE).await.unwrap();
    let pool = connect(&config).unwrap();
    assert!(is_current(&pool, &set).await.unwrap());
    pool.close().await;
    let drop = format!("drop database \"{new_name}\"");
    sqlx::query(AssertSqlSafe(drop)).execute(database.pool()).await.unwrap();
}

#[tokio::test]
async fn migrations_are_idempotent_and_serialized() {
    let database = database(&[]).await;
    // If they ran concurrently, each would fail on the table of the other.
    let set = migrator(&["select pg_sleep(0.3)", FIRST, SECOND]);
    let config = config(&database);
    let all = tokio::join!(run(&config, &set, PATIENCE), run(&config, &set, PATIENCE), run(&config, &set, PATIENCE));
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok(), "{all:?}");
    run(&config, &set, PATIENCE).await.unwrap();
    assert_eq!(tables(database.pool()).await, ["first", "second"]);
}

#[tokio::test]
async fn database_may_be_ahead_of_the_binary_but_not_behind() {
    let database = database(&[]).await;
    let (old, new) = (migrator(&[FIRST]), migrator(&[FIRST, SECOND]));
    let (pool, config) = (database.pool(), config(&database));

    sqlx::query("drop table _sqlx_migrations").execute(pool).await.unwrap();
    assert!(!is_current(pool, &old).await.unwrap());
    run(&config, &old, PATIENCE).await.unwrap();
    assert!(is_current(pool, &old).await.unwrap());
    assert!(!is_current(pool, &new).await.unwrap());
    run(&config, &new, PATIENCE).await.unwrap();
    assert!(is_current(pool, &old).await.unwrap());
    run(&config, &old, PATIENCE).await.unwrap();
    assert_eq!(tables(pool).await, ["first", "second"]);
}

#[tokio::test]
async fn edited_migration_is_refused() {
    let database = database(&[FIRST]).await;
    let edited = migrator(&["create table first (id bigint)"]);
    assert!(!is_current(database.pool(), &edited).await.unwrap());
    let error = run(&config(&database), &edited, PATIENCE).await.unwrap_err();
    assert!(matches!(error, MigrateError::Edited(1)), "{error:?}");
}

#[tokio::test]
async fn failed_migration_is_rolled_back_and_releases_the_lock() {
    let database = database(&[]).await;
    let failing = migrator(&[FIRST, "create table half (id integer); create table first (id integer)"]);
    for _ in 0..2 {
        let error = run(&config(&database), &failing, PATIENCE).await.unwrap_err();
        assert!(matches!(error, MigrateError::Failed { version: 2, .. }), "{error:?}");
    }
    assert_eq!(tables(database.pool()).await, ["first"]);
    run(&config(&database), &migrator(&[FIRST, SECOND]), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn index_can_be_created_concurrently() {
    let database = database(&[FIRST]).await;
    let set = migrator(&[FIRST, "-- no-transaction\ncreate index concurrently first_id_idx on first (id)"]);
    run(&config(&database), &set, PATIENCE).await.unwrap();
    let valid =
        sqlx::query_scalar::<_, bool>("select indisvalid from pg_index where indexrelid = 'first_id_idx'::regclass");
    assert!(valid.fetch_one(database.pool()).await.unwrap());
}

#[tokio::test]
async fn lock_wait_is_bounded_and_retried() {
    let database = database(&[FIRST]).await;
    let set = migrator(&[FIRST, "alter table first add column name text"]);
    let mut holder = PgConnection::connect(database.url()).await.unwrap();
    let mut transaction = holder.begin().await.unwrap();
    sqlx::query("select * from first").execute(&mut *transaction).await.unwrap();

    let started = Instant::now();
    let error = run(&config(&database), &set, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, MigrateError::Busy(_)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));

    let config = config(&database);
    let patient = tokio::spawn(async move { run(&config, &set, PATIENCE).await });
    transaction.commit().await.unwrap();
    patient.await.unwrap().unwrap();
}

/// A connection that has prepared `select *`, as a release before has it.
async fn warm(database: &TestDatabase) -> PgConnection {
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::query("select * from first").fetch_all(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn added_column_closes_idle_and_busy_sessions_but_no_locked_one() {
    let database = database(&[FIRST]).await;
    let (mut idle, mut busy, mut locked) = (warm(&database).await, warm(&database).await, warm(&database).await);
    sqlx::query("select pg_advisory_lock(1)").execute(&mut locked).await.unwrap();
    sqlx::query("begin").execute(&mut busy).await.unwrap();
    let set = migrator(&[FIRST, "alter table first add column name text", SECOND]);
    let config = config(&database);
    // The transaction is open while the sessions are closed, and ends.
    let work = async {
        let added = "select count(*) from information_schema.columns where table_name = 'first'";
        while sqlx::query_scalar::<_, i64>(added).fetch_one(database.pool()).await.unwrap_or_default() < 2 {
            tokio::task::yield_now().await;
        }
        sqlx::query("commit").execute(&mut busy).await
    };
    let (migrated, worked) = tokio::join!(run(&config, &set, PATIENCE), work);
    migrated.unwrap();
    worked.expect("not interrupted");
    for closed in [&mut idle, &mut busy] {
        let error = StoreError::from(sqlx::query("select * from first").fetch_all(closed).await.unwrap_err());
        assert!(matches!(error, StoreError::Unavailable(_)), "callers may retry: {error:?}");
    }
    // What the others are spared: the statement fails for as long as the session lasts.
    for _ in 0..2 {
        let error = sqlx::query("select * from first").fetch_all(&mut locked).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("0A000"));
    }
}

#[tokio::test]
async fn migration_that_changes_no_column_closes_no_session() {
    let database = database(&[FIRST]).await;
    let mut idle = warm(&database).await;
    let set = migrator(&[FIRST, SECOND, "create index first_id_idx on first (id)"]);
    run(&config(&database), &set, PATIENCE).await.unwrap();
    sqlx::query("select * from first").fetch_all(&mut idle).await.unwrap();
}

#[tokio::test]
async fn sessions_can_be_closed_after_a_run_that_did_not_close_them() {
    let database = database(&[FIRST]).await;
    let mut idle = warm(&database).await;
    close_sessions(&config(&database)).await.unwrap();
    let error = StoreError::from(sqlx::query("select * from first").fetch_all(&mut idle).await.unwrap_err());
    assert!(matches!(error, StoreError::Unavailable(_)), "callers may retry: {error:?}");
}

#[tokio::test]
async fn unreachable_server_is_unavailable() {
    let mut config = StoreConfig::new("postgres://none:x@127.0.0.1:1/none");
    config.database_acquire_timeout = Duration::from_millis(200);
    let error = ensure_database(&config).await.unwrap_err();
    assert!(matches!(error, MigrateError::Store(StoreError::Unavailable(_))), "{error:?}");
    let current = is_current(&connect(&config).unwrap(), &migrator(&[FIRST])).await;
    assert!(matches!(current, Err(StoreError::Unavailable(_))), "{current:?}");
}
