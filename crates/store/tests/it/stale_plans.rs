//! Statements whose columns a migration changes while connections have them prepared.

use sqlx::PgPool;
use staymesh_store::{StoreConfig, StoreError, connect};

use crate::support::database;

const ALL_COLUMNS: &str = "select hotel.* from hotel";

async fn rows(pool: &PgPool) -> Result<usize, StoreError> {
    Ok(sqlx::query(ALL_COLUMNS).fetch_all(pool).await?.len())
}

#[tokio::test]
async fn statement_with_a_stale_plan_is_a_conflict_and_its_repeat_succeeds() {
    let database = database(&["create table hotel (id integer)", "insert into hotel values (1)"]).await;
    let config = StoreConfig { database_max_connections: 1, ..StoreConfig::new(database.url()) };
    let pool = connect(&config).unwrap();
    assert_eq!(rows(&pool).await.unwrap(), 1);
    sqlx::query("alter table hotel add column name text").execute(database.pool()).await.unwrap();
    let refused = rows(&pool).await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    assert_eq!(rows(&pool).await.unwrap(), 1);
}
