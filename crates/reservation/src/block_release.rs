//! Releases group blocks at their cut-off: what is not picked up goes back to sale.
//!
//! Every replica runs it. A block is released once, because its row is locked while it is read and changed. Whether rooms can
//! still be picked up is decided by the cut-off itself, also before the job has come.

use std::time::Duration;

use jiff::Timestamp;
use staymesh_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::{error::ReservationError, store::Store};

/// Pause between runs.
const INTERVAL: Duration = Duration::from_secs(1);
/// Blocks that are read at a time.
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
/// released here, and not by another replica.
///
/// # Errors
/// When the database is unavailable, or the due blocks cannot be read.
pub(crate) async fn once(store: &Store, now: Timestamp) -> Result<usize, ReservationError> {
    release(store, now, BATCH).await
}

/// As [`once`], with so many blocks read at a time.
///
/// # Errors
/// As [`once`].
pub(crate) async fn release(store: &Store, now: Timestamp, batch: i64) -> Result<usize, ReservationError> {
    let (mut released, mut failed) = (0, Vec::new());
    loop {
        let due = store.due_group_blocks(now, &failed, batch).await?;
        for (hotel_id, id) in &due {
            match store.release_group_block(*hotel_id, *id, now).await {
                Ok(true) => {
                    released += 1;
                    tracing::info!(%hotel_id, group_block_id = %id, "a group block is released");
                }
                Ok(false) => {}
                Err(error @ ReservationError::Store(StoreError::Unavailable(_))) => return Err(error),
                Err(error) => {
                    tracing::error!(%hotel_id, group_block_id = %id, error.cause = %error, "a group block cannot be released");
                    failed.push(*id);
                }
            }
        }
        if i64::try_from(due.len()) != Ok(batch) {
            return Ok(released);
        }
    }
}
