//! Guests arrive while a change of their reservation waits for its payment.

use staymesh_mesh::telemetry;
use staymesh_store::outbox::NewEvent;

use crate::{
    error::ReservationError,
    events::{CHANGE_DROPPED, ChangeSettled},
    lifecycle::arrival_ends_change,
    model::Reservation,
    store::{Delta, Transaction},
    writer::revision_plan::RevisionPlan,
};

/// Gives up the change of a locked reservation that waits for its payment, in the transaction in which the guests of these rooms
/// arrive, if they keep what they had by that. Whether it was given up: what is paid for it is refunded.
///
/// # Errors
/// When the database fails.
pub(crate) async fn give_up_at_arrival(
    transaction: &mut Transaction,
    booking: &Reservation,
    arrived: &[i32],
) -> Result<bool, ReservationError> {
    let pending = booking.pending.as_ref().filter(|_| arrival_ends_change(booking, arrived));
    let Some(pending) = pending else { return Ok(false) };
    let mut delta: Delta = RevisionPlan::give_up(booking, pending.revision).delta(booking);
    let counted = transaction.lock_nights(delta.keys().copied()).await?;
    delta.retain(|night, _| counted.contains_key(night));
    transaction.add_reserved(&delta).await?;
    transaction.drop_changes(&[booking.id.as_uuid()], None).await?;
    let event =
        |payload| NewEvent { aggregate_id: booking.id.as_uuid(), payload, trace_parent: telemetry::trace_parent() };
    let dropped: Vec<_> = ChangeSettled::dropped(booking)?.into_iter().map(event).collect();
    transaction.enqueue_change(CHANGE_DROPPED, &dropped).await?;
    Ok(true)
}
