//! Crash points: the steps of a payment between which the process may be killed.
//!
//! The fault matrix of the integration tests kills the process before and after each step of [`ALL`], [`OVERDUE`],
//! [`PARTNER`] and [`PAYOUT`], and fails if a step has no scenario.

use staymesh_mesh::fault::Step;

/// Saves the terms of the payment, before the order.
pub(crate) const TERMS_SAVED: Step = Step("pay_in.terms_saved");
/// Saves the order, before the provider is called.
pub(crate) const ORDER_SAVED: Step = Step("pay_in.order_saved");
/// The provider opens the checkout page.
pub(crate) const PAGE_OPENED: Step = Step("pay_in.page_opened");
/// Saves the checkout page.
pub(crate) const PAGE_SAVED: Step = Step("pay_in.page_saved");
/// The provider closes the checkout page of a reservation that has ended.
pub(crate) const PAGE_CLOSED: Step = Step("pay_in.page_closed");
/// The provider closes a checkout page that was not paid in time.
pub(crate) const OVERDUE_CLOSED: Step = Step("pay_in.overdue_closed");
/// Commits a checkout event: the event, the status, the postings and the outbox.
pub(crate) const EVENT_TAKEN: Step = Step("pay_in.event_taken");
/// Commits a checkout that was read from the provider because no event had arrived.
pub(crate) const STATUS_LEARNED: Step = Step("pay_in.status_learned");
/// Reports the payment to the reservation service.
pub(crate) const PAYMENT_TOLD: Step = Step("pay_in.reservation_told");
/// Reports the failed payment to the reservation service.
pub(crate) const FAILURE_TOLD: Step = Step("pay_in.failure_told");

/// Commits the refund of a cancellation, with its postings and the outbox.
pub(crate) const REFUND_REQUESTED: Step = Step("refund.requested");
/// Commits the settlement of a change, with its refunds, postings and the outbox.
pub(crate) const CHANGE_SETTLED: Step = Step("change.settled");
/// Commits a refund that an administrator requested.
pub(crate) const REFUND_ORDERED: Step = Step("refund.ordered");
/// Commits the refund of a payment whose rooms are no longer available.
pub(crate) const MONEY_SENT_BACK: Step = Step("refund.sent_back");
/// The provider makes the refund.
pub(crate) const REFUND_PAID_BACK: Step = Step("refund.paid_back");
/// Commits the provider's response to a refund, with its postings and the outbox.
pub(crate) const REFUND_SAVED: Step = Step("refund.saved");
/// Commits a refund event.
pub(crate) const REFUND_EVENT_TAKEN: Step = Step("refund.event_taken");
/// Reports the refunded amount to the reservation service.
pub(crate) const REFUND_TOLD: Step = Step("refund.reservation_told");

/// Commits a partner sale, with its postings.
pub(crate) const PARTNER_SALE_RECORDED: Step = Step("partner.sale_recorded");
/// Commits a change of a partner sale, with its posting.
pub(crate) const PARTNER_SALE_AMENDED: Step = Step("change.sale_amended");
/// Commits the credit of a cancelled partner sale, with its postings.
pub(crate) const PARTNER_SALE_SETTLED: Step = Step("partner.sale_settled");

/// Commits a payout with its lines, its transfer and the outbox. Step of the payout job, not of the service.
pub(crate) const PAYOUT_REQUESTED: Step = Step("payout.requested");
/// The provider makes the transfer.
pub(crate) const MONEY_TRANSFERRED: Step = Step("payout.transferred");
/// Commits the provider's response to a transfer, with its postings.
pub(crate) const TRANSFER_SAVED: Step = Step("payout.saved");
/// Commits a transfer event.
pub(crate) const TRANSFER_EVENT_TAKEN: Step = Step("payout.event_taken");

/// Every step of a partner sale.
pub const PARTNER: &[Step] = &[PARTNER_SALE_RECORDED, PARTNER_SALE_SETTLED];

/// Every step that needs a provider which keeps checkout pages open beyond their end.
pub const OVERDUE: &[Step] = &[OVERDUE_CLOSED];

/// Every step of a change that is not a step of its payment or its refunds.
pub const CHANGE: &[Step] = &[CHANGE_SETTLED, PARTNER_SALE_AMENDED];

/// Every step of a payout.
pub const PAYOUT: &[Step] = &[PAYOUT_REQUESTED, MONEY_TRANSFERRED, TRANSFER_SAVED, TRANSFER_EVENT_TAKEN];

/// Every step of a payment and its refunds.
pub const ALL: &[Step] = &[
    TERMS_SAVED,
    ORDER_SAVED,
    PAGE_OPENED,
    PAGE_SAVED,
    PAGE_CLOSED,
    EVENT_TAKEN,
    STATUS_LEARNED,
    PAYMENT_TOLD,
    FAILURE_TOLD,
    REFUND_REQUESTED,
    REFUND_ORDERED,
    MONEY_SENT_BACK,
    REFUND_PAID_BACK,
    REFUND_SAVED,
    REFUND_EVENT_TAKEN,
    REFUND_TOLD,
];
