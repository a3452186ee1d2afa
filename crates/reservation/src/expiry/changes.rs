//! Gives up changes that were not paid in time: what they hold is released, and the reservation is what it was.

use jiff::Timestamp;
use staymesh_mesh::telemetry;
use staymesh_store::StoreError;

use crate::{
    error::ReservationError,
    store::Store,
    writer::{RevisionCommand, RevisionOrder, RevisionOutcome, revise},
};

/// The actor of what the job does.
const ACTOR: &str = "service:reservation";

/// Gives up to `limit` changes up that have expired at `now`, the longest expired first, each in a transaction of its own:
/// they are few, and one that cannot be given up must not affect the others. Yields how many were given up.
///
/// # Errors
/// When the database fails; then it is unknown how many were given up.
pub(crate) async fn drop_expired(store: &Store, now: Timestamp, limit: i64) -> Result<usize, ReservationError> {
    let mut dropped = 0;
    for (id, revision) in store.expired_changes(now, limit).await? {
        let (command, actor) = (RevisionCommand::Drop { revision }, ACTOR.to_owned());
        let order = RevisionOrder { id, command, now, actor, trace_parent: telemetry::trace_parent(), origin: None };
        match revise(store, &order).await {
            Ok(revised) if revised.outcome == RevisionOutcome::Changed => dropped += 1,
            // Paid or given up meanwhile; or another transaction has the rows, and the next sweep finds it again.
            Ok(_) | Err(ReservationError::Store(StoreError::Timeout(_) | StoreError::Conflict(_))) => {}
            Err(error @ ReservationError::Store(StoreError::Unavailable(_))) => return Err(error),
            Err(error) => {
                tracing::error!(reservation_id = %id, revision, error.cause = %error, "an expired change cannot be given up; its rooms stay held");
            }
        }
    }
    Ok(dropped)
}
