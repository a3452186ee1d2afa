//! The steps of a booking that money depends on, between any two of which the process may die. Tests kill it right before
//! and right after each of [`ALL`], [`HOLD`] and [`PARTNER`]; a step that is added here and has no story in those tests
//! fails them.

use staymesh_mesh::fault::Step;

use crate::{lifecycle::Command, store::ChangeOrder};

/// The commit of a cancellation or a no-show: the state, the rooms and the outbox.
const CANCEL_WRITTEN: Step = Step("cancel.written");
/// The payment service hears that a booking has ended.
pub(crate) const SETTLE_TOLD: Step = Step("settle.told");
/// The commit of money that has come.
const PAYMENT_CONFIRMED: Step = Step("payment.confirmed");
/// The commit of a payment that was refused.
const PAYMENT_REJECTED: Step = Step("payment.rejected");
/// The commit of money that has gone back.
const REFUND_CONFIRMED: Step = Step("refund.confirmed");

/// The commit of the end of holds that nobody has paid in time: the states, the rooms and the outbox.
pub(crate) const HOLDS_ENDED: Step = Step("hold.ended");
/// The payment service hears that a partner has sold a booking.
pub(crate) const SALE_TOLD: Step = Step("partner.sale_told");
/// The payment service hears that such a booking has ended.
pub(crate) const PARTNER_SETTLE_TOLD: Step = Step("partner.settle_told");

/// Every step of the end of a hold.
pub const HOLD: &[Step] = &[HOLDS_ENDED];

/// Every step of a sale whose money a partner collects.
pub const PARTNER: &[Step] = &[SALE_TOLD, PARTNER_SETTLE_TOLD];

/// Every step of a booking that its guest pays.
pub const ALL: &[Step] = &[CANCEL_WRITTEN, SETTLE_TOLD, PAYMENT_CONFIRMED, PAYMENT_REJECTED, REFUND_CONFIRMED];

/// The step of writing these, as the first of them has it.
pub(crate) fn written(orders: &[ChangeOrder]) -> Step {
    match orders.first().map(|order| &order.command) {
        Some(Command::ConfirmPayment { .. }) => PAYMENT_CONFIRMED,
        Some(Command::RejectPayment) => PAYMENT_REJECTED,
        Some(Command::ConfirmRefund { .. }) => REFUND_CONFIRMED,
        Some(Command::Cancel | Command::MarkNoShow | Command::Expire) | None => CANCEL_WRITTEN,
    }
}
