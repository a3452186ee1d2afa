//! Applies the commands of a batch in one transaction: statuses, rooms and outbox events commit together.

use jiff::Timestamp;
use staymesh_domain::ReservationId;

use super::change_plan::{Applied, ChangeOrder, ChangePlan};
use crate::{error::ReservationError, events::CHANGE_DROPPED, fault_points, lifecycle::Command, store::Store};

/// Applies one command at `now`.
///
/// # Errors
/// What [`crate::lifecycle::decide`] refuses, [`ReservationError::NotFound`], and when the database fails.
pub(crate) async fn apply(
    store: &Store,
    id: ReservationId,
    command: &Command,
    now: Timestamp,
) -> Result<Applied, ReservationError> {
    let order = ChangeOrder { id, command: command.clone(), now, trace_parent: None, origin: None, day_ends: None };
    apply_all(store, &[order]).await?.pop().unwrap_or(Err(ReservationError::NotFound))
}

/// Applies commands in the order given, all in one transaction. A refusal affects no other command. A reservation may
/// occur only once.
///
/// # Errors
/// Of each command: as [`apply`]. Of the whole batch, when the database fails; then it is unknown whether any was
/// applied.
pub(crate) async fn apply_all(
    store: &Store,
    orders: &[ChangeOrder],
) -> Result<Vec<Result<Applied, ReservationError>>, ReservationError> {
    let mut transaction = store.begin().await?;
    let bookings = transaction.lock_reservations(orders.iter().map(|order| order.id)).await?;
    let mut plan = ChangePlan::new(orders, &bookings);
    let undone = plan.undone();
    if !undone.is_empty() {
        plan.refuse_settled(&transaction.lock_settlements(&undone).await?);
    }
    let returned = transaction.return_to_blocks(&plan.ended_unpaid()).await?;
    plan.keep_reserved(&returned);
    let left = transaction.lock_nights(plan.nights()).await?;
    plan.settle_rooms(left);
    let extended = plan.extended();
    if !extended.is_empty() {
        plan.refuse_expired(transaction.lock_holders_of(&extended).await?);
    }
    transaction.add_reserved(plan.delta()).await?;
    transaction.retake_reserved(plan.retaken()).await?;
    let dropped: Vec<_> = plan.dropped().map(|booking| booking.id.as_uuid()).collect();
    transaction.drop_changes(&dropped, None).await?;
    transaction.enqueue_change(CHANGE_DROPPED, &plan.dropped_events()?).await?;
    let mut written = transaction.write_changes(&plan.changes()).await?;
    written.extend(transaction.note_payments(&plan.notes()).await?);
    for (origin, before) in plan.audited() {
        if let Some(after) = written.get(&before.id.as_uuid()) {
            transaction.record_change(origin, before, after).await?;
        }
    }
    for waived in plan.waived()? {
        transaction.record_waiver(&waived).await?;
    }
    for (id, why, origin) in plan.by_hotel() {
        transaction.record_hotel_cancellation(id, why, origin).await?;
    }
    transaction.enqueue_sales(&plan.sales(&written)?).await?;
    transaction.enqueue_cancelled(&plan.events()?).await?;
    transaction.delay_settlements(&plan.delayed()).await?;
    transaction.withdraw_settlements(&plan.undone()).await?;
    transaction.enqueue_mails(plan.mails()).await?;
    fault_points::written(orders.first().map(|order| &order.command)).around(transaction.commit()).await?;
    Ok(plan.outcomes(&mut written))
}
