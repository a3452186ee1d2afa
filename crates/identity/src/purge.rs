//! Background task that deletes expired logins, tokens, keys and secrets of clients, and guest checkouts that nothing gives
//! access to.

use std::time::Duration;

use sqlx::PgPool;
use staymesh_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::{
    events::{self, ForgetOwner},
    store::{client_secrets, guest_keys, guests, mail_tokens, purge as store},
};

const INTERVAL: Duration = Duration::from_mins(10);
/// Rows per statement: few enough that their locks are short.
const BATCH: i64 = 1000;
/// Guest checkouts per transaction; each is an event, too.
const GUESTS: i64 = 100;

/// Purges every ten minutes until `stop` is cancelled. Replicas may run it concurrently: each skips rows that another has
/// locked.
pub(crate) async fn run(pool: PgPool, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Some(Err(error)) = stop.run_until_cancelled(once(&pool)).await {
            tracing::warn!(error.cause = %error, "purge of expired logins failed; retrying in ten minutes");
        }
    }
}

/// Deletes all expired rows once.
pub(crate) async fn once(pool: &PgPool) -> Result<(), StoreError> {
    // Tokens first, so that deleting a login cascades to few of them.
    while store::refresh_tokens(pool, BATCH).await? > 0 {}
    while store::logins(pool, BATCH).await? > 0 {}
    while mail_tokens::purge(pool, BATCH).await? > 0 {}
    while guest_keys::purge(pool, BATCH).await? > 0 {}
    while guest_checkouts(pool).await? > 0 {}
    client_secrets::purge_expired(pool).await?;
    store::signing_keys(pool).await?;
    Ok(())
}

/// Deletes guest checkouts and reports them to the reservation service, as deleted accounts. Returns their number.
async fn guest_checkouts(pool: &PgPool) -> Result<usize, StoreError> {
    let mut transaction = pool.begin().await?;
    let deleted = guests::purge(&mut transaction, GUESTS).await?;
    for user_id in &deleted {
        events::enqueue_alone(&mut transaction, events::FORGET_OWNER, &ForgetOwner { user_id: *user_id }).await?;
    }
    transaction.commit().await?;
    Ok(deleted.len())
}
