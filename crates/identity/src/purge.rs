//! Removes expired logins, refresh tokens and keys in the background.

use std::time::Duration;

use sqlx::PgPool;
use staymesh_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::store::purge as store;

const EVERY: Duration = Duration::from_mins(10);
/// Rows of one statement: few enough not to hold anybody up.
const BATCH: i64 = 1000;

/// Purges every ten minutes until `stop`. Replicas may do so at once: each takes the rows that no other has.
pub(crate) async fn run(pool: PgPool, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Some(Err(error)) = stop.run_until_cancelled(once(&pool)).await {
            let error = StoreError::from(error);
            tracing::warn!(error.cause = %error, "expired logins were not removed; trying again later");
        }
    }
}

pub(crate) async fn once(pool: &PgPool) -> sqlx::Result<()> {
    // Tokens first: then a login takes few along.
    while store::refresh_tokens(pool, BATCH).await? > 0 {}
    while store::logins(pool, BATCH).await? > 0 {}
    store::signing_keys(pool).await.map(drop)
}
