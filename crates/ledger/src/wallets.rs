//! Wallets: cached balances of accounts, so that a balance does not sum all entries.
//!
//! A wallet holds the sum of all entries written by database transactions older than a certain one (`counted_before`, an
//! `xid8`); the balance is the wallet plus the entries since. Folding advances a wallet to the oldest transaction that is
//! still in progress: entries of older transactions are complete, because no transaction can add to them any more. So
//! postings and folding never wait for each other, and no entry is counted twice or omitted, no matter how often and by
//! how many replicas wallets are folded.

use std::time::Duration;

use sqlx::PgPool;
use staymesh_store::{StoreError, bounded};
use tokio_util::sync::CancellationToken;

pub use crate::store::wallets::balance;
use crate::store::wallets::fold_page;

/// The interval between two folds.
const FOLD_EVERY: Duration = Duration::from_secs(30);
/// Deadline of a page of accounts.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Folds wallets periodically until `stop`.
pub async fn fold_periodically(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FOLD_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // A fold that is cancelled has no effect on its current page; the next fold repeats it.
        match stop.run_until_cancelled(fold(&pool)).await {
            Some(Ok(wallets)) => tracing::debug!(wallets, "wallets folded"),
            Some(Err(error)) => {
                tracing::warn!(error.cause = %error, "folding wallets failed; retried at the next tick");
            }
            None => break,
        }
    }
}

/// Folds every wallet up to the oldest transaction in progress; returns how many changed. Any number of replicas may run
/// it at once: a wallet that is locked by one of them is skipped by the others.
///
/// # Errors
/// When the database is unavailable, or a page takes longer than 30 s. Pages that were folded before stay folded.
pub async fn fold(pool: &PgPool) -> Result<u64, StoreError> {
    let (mut after, mut changed) = (i64::MIN, 0);
    loop {
        let (last, folded) = bounded(PAGE_TIMEOUT, Box::pin(fold_page(pool, after))).await?;
        changed += folded;
        match last {
            Some(last) => after = last,
            None => return Ok(changed),
        }
    }
}
