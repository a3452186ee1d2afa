//! Releases one batch of expired holds.

use std::collections::BTreeSet;

use jiff::Timestamp;
use staymesh_mesh::telemetry;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::{
    error::ReservationError,
    fault_points,
    lifecycle::{Change, Command, Decision, decide},
    model::Reservation,
    store::{Delta, HoldCursor, LockedHold, Store, Transaction},
    writer::{apply, cancelled_event},
};

/// The result of a batch of expired holds.
#[derive(Debug)]
pub(crate) struct HoldBatch {
    /// Holds released.
    pub(crate) expired: usize,
    /// Holds that could not be released, with the error; `None` when the hold was skipped.
    pub(crate) stuck: Vec<(Uuid, Option<ReservationError>)>,
    /// Where the next batch begins; `None` when this was the last.
    pub(crate) next: Option<HoldCursor>,
}

/// Releases up to `limit` holds after `from` that have expired at `now`, the longest expired first: all in one
/// transaction, or one by one when the database refuses one of them. A hold that cannot be released does not affect the
/// others. Holds in `skip` are not attempted. Holds that another transaction has locked are left out.
///
/// # Errors
/// When the database fails; then it is unknown how many were released.
pub(crate) async fn release_expired(
    store: &Store,
    now: Timestamp,
    from: HoldCursor,
    limit: i64,
    skip: &BTreeSet<Uuid>,
) -> Result<HoldBatch, ReservationError> {
    let mut transaction = store.begin().await?;
    let holds = transaction.lock_expired_holds(now, from, limit).await?;
    let (mut changes, mut stuck) = (Vec::with_capacity(holds.len()), Vec::new());
    for hold in &holds {
        let id = hold.cursor.reservation_id();
        if skip.contains(&id) {
            stuck.push((id, None));
            continue;
        }
        match expiry_of(hold, now) {
            Ok(Some(change)) => changes.push(change),
            Ok(None) => {}
            Err(error) => stuck.push((id, Some(error))),
        }
    }
    let expired = match write(&mut transaction, &changes).await {
        // Most of the time.
        Ok(()) if changes.is_empty() => 0,
        Ok(()) => {
            fault_points::HOLDS_ENDED.around(transaction.commit()).await?;
            changes.len()
        }
        Err(error) if error.may_concern_one_row() => {
            transaction.rollback().await?;
            release_one_by_one(store, &changes, now, &mut stuck).await?
        }
        Err(error) => return Err(error),
    };
    let full = i64::try_from(holds.len()) == Ok(limit);
    let next = if full { Some(holds.last().map_or(from, |hold| hold.cursor)) } else { None };
    Ok(HoldBatch { expired, stuck, next })
}

/// Releases each hold in a transaction of its own. Yields how many were released.
async fn release_one_by_one(
    store: &Store,
    changes: &[(Reservation, Change)],
    now: Timestamp,
    stuck: &mut Vec<(Uuid, Option<ReservationError>)>,
) -> Result<usize, ReservationError> {
    let mut expired = 0;
    for (booking, _) in changes {
        match apply(store, booking.id, &Command::Expire, now).await {
            Ok(_) => expired += 1,
            // Another transaction has its rows; the next sweep finds it again.
            Err(ReservationError::Store(StoreError::Timeout(_) | StoreError::Conflict(_))) => {}
            Err(error) if error.may_concern_one_row() => stuck.push((booking.id.as_uuid(), Some(error))),
            Err(error) => return Err(error),
        }
    }
    Ok(expired)
}

/// The expiry of one hold; `None` when it has not expired.
fn expiry_of(hold: &LockedHold, now: Timestamp) -> Result<Option<(Reservation, Change)>, ReservationError> {
    let booking = hold.reservation()?;
    Ok(match decide(&booking, &Command::Expire, now)? {
        Decision::Change(change) => Some((booking, change)),
        _ => None,
    })
}

async fn write(transaction: &mut Transaction, changes: &[(Reservation, Change)]) -> Result<(), ReservationError> {
    if changes.is_empty() {
        return Ok(());
    }
    let ended: Vec<_> = changes.iter().map(|(booking, _)| booking).collect();
    let returned = transaction.return_to_blocks(&ended).await?;
    let mut released = Delta::new();
    for booking in ended.into_iter().filter(|booking| !returned.contains(&booking.id.as_uuid())) {
        for (night, rooms) in booking.nights() {
            *released.entry(night).or_default() -= rooms;
        }
    }
    transaction.lock_nights(released.keys().copied()).await?;
    transaction.add_reserved(&released).await?;
    let pairs: Vec<_> = changes.iter().map(|(booking, change)| (booking, change)).collect();
    transaction.write_changes(&pairs).await?;
    let trace = telemetry::trace_parent();
    let events = changes.iter().filter_map(|(booking, change)| cancelled_event(booking, change, trace.clone()));
    let events = events.collect::<Result<Vec<_>, _>>()?;
    transaction.enqueue_cancelled(&events).await
}
