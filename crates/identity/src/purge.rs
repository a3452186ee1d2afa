//! Background task that deletes expired logins, refresh tokens, signing keys and secrets of clients.

use std::time::Duration;

use sqlx::PgPool;
use staymesh_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::store::{client_secrets, mail_tokens, purge as store};

const INTERVAL: Duration = Duration::from_mins(10);
/// Rows per statement: few enough that their locks are short.
const BATCH: i64 = 1000;

/// Purges every ten minutes until `stop` is cancelled. Replicas may run it concurrently: each skips rows that another has
/// locked.
pub(crate) async fn run(pool: PgPool, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Some(Err(error)) = stop.run_until_cancelled(once(&pool)).await {
            let error = StoreError::from(error);
            tracing::warn!(error.cause = %error, "purge of expired logins failed; retrying in ten minutes");
        }
    }
}

/// Deletes all expired rows once.
pub(crate) async fn once(pool: &PgPool) -> sqlx::Result<()> {
    // Tokens first, so that deleting a login cascades to few of them.
    while store::refresh_tokens(pool, BATCH).await? > 0 {}
    while store::logins(pool, BATCH).await? > 0 {}
    while mail_tokens::purge(pool, BATCH).await? > 0 {}
    client_secrets::purge_expired(pool).await?;
    store::signing_keys(pool).await.map(drop)
}
