//! Crash points of the reservation service: the steps between which a crash must lose neither money nor rooms.
//!
//! The fault-injection tests kill the process before and after each step of [`ALL`], [`HOLD`] and [`PARTNER`]; a step
//! that is listed here without a scenario in those tests fails them. The names are part of the test interface.

use staymesh_mesh::fault::Step;

use crate::lifecycle::Command;

/// Commit of a cancellation or a no-show: the status, the rooms and the outbox event.
const CANCEL_WRITTEN: Step = Step("cancel.written");
/// Call that reports an ended reservation to the payment service.
pub(crate) const CANCELLATION_PUBLISHED: Step = Step("settle.told");
/// Commit of a confirmed payment.
const PAYMENT_CONFIRMED: Step = Step("payment.confirmed");
/// Commit of a rejected payment.
const PAYMENT_REJECTED: Step = Step("payment.rejected");
/// Commit of a confirmed refund.
const REFUND_CONFIRMED: Step = Step("refund.confirmed");

/// Commit of a batch of expired holds: the statuses, the rooms and the outbox events.
pub(crate) const HOLDS_ENDED: Step = Step("hold.ended");
/// Call that reports a partner's sale to the payment service.
pub(crate) const SALE_PUBLISHED: Step = Step("partner.sale_told");
/// Call that reports the end of a partner's reservation to the payment service.
pub(crate) const PARTNER_CANCELLATION_PUBLISHED: Step = Step("partner.settle_told");

/// Commit of the decision on a partner's sale: the status, and the rooms if it is refused.
const SALE_DECIDED: Step = Step("partner.sale_decided");

/// Commit of a change that is applied at once: the rooms, the revision and the outbox event.
pub(crate) const CHANGE_APPLIED: Step = Step("change.applied");
/// Commit of a change that waits for its payment: the rooms that it adds.
pub(crate) const CHANGE_HELD: Step = Step("change.held");
/// Commit of a change whose payment is confirmed: the rooms, the revision and the outbox event.
pub(crate) const CHANGE_CONFIRMED: Step = Step("change.confirmed");
/// Commit of a change that is given up: the rooms and the outbox event.
pub(crate) const CHANGE_DROPPED: Step = Step("change.dropped");
/// Call that reports a change to the payment service.
pub(crate) const CHANGE_PUBLISHED: Step = Step("change.told");
/// Call that asks the payment service for the decision on a partner's change.
pub(crate) const CHANGE_SALE_PUBLISHED: Step = Step("change.sale_told");

/// Steps of a change of what was agreed.
pub const CHANGE: &[Step] = &[CHANGE_APPLIED, CHANGE_HELD, CHANGE_CONFIRMED, CHANGE_DROPPED, CHANGE_PUBLISHED];

/// Steps of a change by a partner who collects.
pub const PARTNER_CHANGE: &[Step] = &[CHANGE_SALE_PUBLISHED];

/// Steps of the expiry of a hold.
pub const HOLD: &[Step] = &[HOLDS_ENDED];

/// Steps of a sale whose money a partner collects.
pub const PARTNER: &[Step] = &[SALE_PUBLISHED, SALE_DECIDED, PARTNER_CANCELLATION_PUBLISHED];

/// Steps of a reservation that its guest pays.
pub const ALL: &[Step] =
    &[CANCEL_WRITTEN, CANCELLATION_PUBLISHED, PAYMENT_CONFIRMED, PAYMENT_REJECTED, REFUND_CONFIRMED];

/// The commit step of a batch of changes, named after the batch's first command.
pub(crate) fn written(first: Option<&Command>) -> Step {
    match first {
        Some(Command::ConfirmPayment { .. } | Command::RefusePayment { .. }) => PAYMENT_CONFIRMED,
        Some(Command::RejectPayment) => PAYMENT_REJECTED,
        Some(Command::ConfirmRefund { .. }) => REFUND_CONFIRMED,
        Some(Command::ConfirmSale | Command::RefuseSale | Command::Collect) => SALE_DECIDED,
        Some(
            Command::Cancel
            | Command::CancelExpecting(_)
            | Command::CancelWaiving(..)
            | Command::CancelByHotel(..)
            | Command::CancelRevision { .. }
            | Command::Release
            | Command::Extend(_)
            | Command::MarkNoShow
            | Command::UndoNoShow(_)
            | Command::Expire,
        )
        | None => CANCEL_WRITTEN,
    }
}
