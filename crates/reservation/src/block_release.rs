//! Releases group blocks at their cut-off: what is not picked up goes back to sale.
//!
//! Every replica runs it. A block is released once, because its row is locked while it is read and changed. Whether rooms can
//! still be picked up is decided by the cut-off itself, also before the job has come.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    error::ReservationError,
    store::{BlockChange, Store},
};

/// Pause between runs.
const INTERVAL: Duration = Duration::from_secs(1);
/// Blocks of one run.
const BATCH: i64 = 100;

/// Releases until `stop`. Outages of the database are waited out.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Err(error) = once(&store, Timestamp::now()).await {
            tracing::warn!(error.cause = %error, "group blocks cannot be released");
        }
    }
}

/// Releases the blocks that are due at `now`. A block that cannot be released does not keep the others. Returns how many were
/// released.
///
/// # Errors
/// When the due blocks cannot be read.
pub(crate) async fn once(store: &Store, now: Timestamp) -> Result<usize, ReservationError> {
    let mut released = 0;
    for (hotel_id, id) in store.due_group_blocks(now, BATCH).await? {
        match store.change_group_block(hotel_id, id, &BlockChange::Release, now).await {
            Ok(_) => {
                released += 1;
                tracing::info!(%hotel_id, group_block_id = %id, "a group block is released");
            }
            Err(error) => {
                tracing::error!(%hotel_id, group_block_id = %id, error.cause = %error, "a group block cannot be released");
            }
        }
    }
    Ok(released)
}
