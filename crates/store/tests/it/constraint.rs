//! Classification of database errors; no error contains row data.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use staymesh_store::{ResultExt, StoreConfig, StoreError, connect};
use staymesh_testkit::TestDatabase;
use std::fmt::Write;

use crate::support::database;

const SCHEMA: &[&str] = &[
    "create extension if not exists btree_gist",
    "create table city (id integer, constraint city_pkey primary key (id))",
    "create table guest (
         id integer,
         email text not null,
         nights int4range,
         city integer,
         constraint guest_pkey primary key (id),
         constraint guest_email_key unique (email),
         constraint guest_email_has_at check (email like '%@%'),
         constraint guest_city_fkey foreign key (city) references city (id),
         constraint guest_nights_excl exclude using gist (nights with &&)
     )",
    "create function refuse() returns trigger language plpgsql as $$
     begin
         if new.id < 0 then
             raise exception 'no room for %', new.email
                 using errcode = 'check_violation', constraint = 'guest_id_not_negative', table = 'guest';
         elsif new.id = 13 then
             raise exception 'secret of %', new.email;
         elsif new.id = 14 then
             raise exception 'no function for %', new.email using errcode = 'undefined_function';
         end if;
         return new;
     end $$",
    "create trigger guest_id_not_negative before insert on guest for each row execute function refuse()",
    "insert into guest (id, email, nights) values (1, 'first@example.test', '[1,3)')",
];

async fn insert(pool: &PgPool, values: &str) -> StoreError {
    let statement = format!("insert into guest (id, email, nights, city) values ({values})");
    sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap_err().into()
}

/// Every text representation of an error that a log line could contain.
fn shown(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn every_kind_of_constraint_is_reported_by_name() {
    let database = database(SCHEMA).await;
    for (values, name) in [
        ("1, 'second@example.test', null, null", "guest_pkey"),
        ("2, 'first@example.test', null, null", "guest_email_key"),
        ("2, 'no address', null, null", "guest_email_has_at"),
        ("2, 'second@example.test', null, 99", "guest_city_fkey"),
        ("2, 'second@example.test', '[2,5)', null", "guest_nights_excl"),
        ("-1, 'second@example.test', null, null", "guest_id_not_negative"),
    ] {
        let error = insert(database.pool(), values).await;
        assert_eq!(error.constraint(), Some(name), "{values}");
        assert!(matches!(Err::<(), _>(error).on_constraint(name, |_| Taken::Yes), Err(Taken::Yes)));
    }
}

#[derive(Debug)]
enum Taken {
    Yes,
    No,
}

impl From<StoreError> for Taken {
    fn from(_: StoreError) -> Self {
        Self::No
    }
}

#[tokio::test]
async fn errors_contain_no_row_data() {
    let database = database(SCHEMA).await;
    for values in [
        "1, 'hidden@example.test', null, null",
        "-1, 'hidden@example.test', null, null",
        "13, 'hidden@example.test', null, null",
        "14, 'hidden@example.test', null, null",
        "2, 'hidden', null, null",
        "2, null, '[99,98)', null",
        "2, 'hidden@example.test', null, 99",
        "'hidden'::text::integer, 'hidden@example.test', null, null",
    ] {
        let text = shown(&insert(database.pool(), values).await);
        assert!(!text.contains("hidden"), "{values}: {text}");
    }
    let decoding = sqlx::query_scalar::<_, i32>("select 'hidden'::text").fetch_one(database.pool()).await;
    let text = shown(&decoding.unwrap_err().into());
    assert!(text.contains("does not decode") && !text.contains("hidden"), "{text}");
}

fn impatient(database: &TestDatabase) -> PgPool {
    let mut config = StoreConfig::new(database.url());
    config.database_statement_timeout = std::time::Duration::from_millis(100);
    config.database_lock_timeout = std::time::Duration::from_millis(50);
    config.database_idle_in_transaction_timeout = std::time::Duration::from_millis(100);
    connect(&config).unwrap()
}

#[tokio::test]
async fn server_enforces_time_limits() {
    let database = database(SCHEMA).await;
    let pool = impatient(&database);

    let slow: StoreError = sqlx::query("select pg_sleep(30)").execute(&pool).await.unwrap_err().into();
    assert!(matches!(&slow, StoreError::Timeout(cause) if cause.sqlstate.as_deref() == Some("57014")), "{slow:?}");

    let mut holder = database.pool().begin().await.unwrap();
    sqlx::query("update guest set email = email").execute(&mut *holder).await.unwrap();
    let locked: StoreError = sqlx::query("update guest set email = email").execute(&pool).await.unwrap_err().into();
    assert!(matches!(&locked, StoreError::Timeout(cause) if cause.sqlstate.as_deref() == Some("55P03")), "{locked:?}");
    holder.rollback().await.unwrap();

    let mut idle = pool.begin().await.unwrap();
    sqlx::query("update guest set email = email").execute(&mut *idle).await.unwrap();
    // Granted only because the server ends the idle transaction.
    sqlx::query("update guest set email = email").execute(database.pool()).await.unwrap();
    assert!(sqlx::query("select 1").execute(&mut *idle).await.is_err());
}

#[tokio::test]
async fn serialization_failure_is_a_conflict() {
    let database = database(SCHEMA).await;
    let mut one = PgConnection::connect(database.url()).await.unwrap();
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    for connection in [&mut one, &mut other] {
        sqlx::query("begin isolation level serializable").execute(&mut *connection).await.unwrap();
        sqlx::query("select count(*) from guest").execute(&mut *connection).await.unwrap();
    }
    sqlx::query("insert into guest (id, email) values (2, 'a@example.test')").execute(&mut one).await.unwrap();
    sqlx::query("commit").execute(&mut one).await.unwrap();
    let insert = sqlx::query("insert into guest (id, email) values (3, 'b@example.test')").execute(&mut other).await;
    let lost = match insert {
        Ok(_) => sqlx::query("commit").execute(&mut other).await.unwrap_err(),
        Err(error) => error,
    };
    // Of two transactions that each read that the other's row is missing, one may commit; the other must be retried.
    let lost = StoreError::from(lost);
    assert!(lost.is_conflict(), "{lost:?}");
}
