//! Erases personal data in the reservations of deleted accounts.
//!
//! Every replica runs it. What a reservation still needs stays until it is over: the hotel expects its guest.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{calendar::today, error::ReservationError, store::Store};

/// Pause between runs.
const INTERVAL: Duration = Duration::from_hours(1);
/// Owners of one run.
const BATCH: i64 = 1000;

/// Erases every hour until `stop`. Outages of the database are waited out.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Err(error) = once(&store, Timestamp::now()).await {
            tracing::warn!(error.cause = %error, "reservations of deleted accounts cannot be erased");
        }
    }
}

/// Erases what is due at `now`. Returns the number of reservations.
///
/// # Errors
/// When the database fails.
pub(crate) async fn once(store: &Store, now: Timestamp) -> Result<u64, ReservationError> {
    let mut erased = 0;
    for owner in store.pending_forgotten(BATCH).await? {
        erased += store.erase_guests(&owner, today(now)).await?;
    }
    Ok(erased)
}

#[cfg(test)]
mod tests;
