//! The steps of a payment, between any two of which the process may die. Tests kill it right before and right after each
//! of [`ALL`], [`OVERDUE`], [`PARTNER`] and [`PAYOUT`]; a step that is added here and has no story in those tests fails
//! them.

use staymesh_mesh::fault::Step;

/// What is to be paid is written, before there is an order.
pub(crate) const TERMS_SAVED: Step = Step("pay_in.terms_saved");
/// The order is written, before the provider knows of it.
pub(crate) const ORDER_SAVED: Step = Step("pay_in.order_saved");
/// The provider opens a page.
pub(crate) const PAGE_OPENED: Step = Step("pay_in.page_opened");
/// The page is written.
pub(crate) const PAGE_SAVED: Step = Step("pay_in.page_saved");
/// The provider closes a page, because the booking has ended.
pub(crate) const PAGE_CLOSED: Step = Step("pay_in.page_closed");
/// The provider closes a page that nobody has paid on in time.
pub(crate) const OVERDUE_CLOSED: Step = Step("pay_in.overdue_closed");
/// The commit of the provider's word on a checkout: the event, the status, the ledger and the outbox.
pub(crate) const EVENT_TAKEN: Step = Step("pay_in.event_taken");
/// The same commit, when the provider was asked because it had not said anything.
pub(crate) const STATUS_LEARNED: Step = Step("pay_in.status_learned");
/// The reservation service hears of the money.
pub(crate) const PAYMENT_TOLD: Step = Step("pay_in.reservation_told");
/// The reservation service hears that there will be no money.
pub(crate) const FAILURE_TOLD: Step = Step("pay_in.failure_told");

/// The commit of a refund that follows from a cancellation, with the ledger and the outbox.
pub(crate) const REFUND_REQUESTED: Step = Step("refund.requested");
/// The same, when an administrator asks for it.
pub(crate) const REFUND_ORDERED: Step = Step("refund.ordered");
/// The same, when money came for rooms that are gone.
pub(crate) const MONEY_SENT_BACK: Step = Step("refund.sent_back");
/// The provider pays back.
pub(crate) const REFUND_PAID_BACK: Step = Step("refund.paid_back");
/// The commit of the provider's answer, with the ledger and the outbox.
pub(crate) const REFUND_SAVED: Step = Step("refund.saved");
/// The commit of the provider's event that it has paid back.
pub(crate) const REFUND_EVENT_TAKEN: Step = Step("refund.event_taken");
/// The reservation service hears what went back.
pub(crate) const REFUND_TOLD: Step = Step("refund.reservation_told");

/// The commit of what a partner owes for a booking, with the ledger.
pub(crate) const PARTNER_SALE_RECORDED: Step = Step("partner.sale_recorded");
/// The commit of what a partner is credited for a booking that has ended, with the ledger.
pub(crate) const PARTNER_SALE_SETTLED: Step = Step("partner.sale_settled");

/// The commit of a pay-out with its lines, its transfer and the outbox. It is a job's, not the service's.
pub(crate) const PAYOUT_REQUESTED: Step = Step("pay_out.requested");
/// The provider pays the hotel.
pub(crate) const MONEY_TRANSFERRED: Step = Step("pay_out.transferred");
/// The commit of the provider's answer, with the ledger.
pub(crate) const TRANSFER_SAVED: Step = Step("pay_out.saved");
/// The commit of the provider's event that it has paid the hotel.
pub(crate) const TRANSFER_EVENT_TAKEN: Step = Step("pay_out.event_taken");

/// Every step of a sale whose money a partner collects.
pub const PARTNER: &[Step] = &[PARTNER_SALE_RECORDED, PARTNER_SALE_SETTLED];

/// Every step that only a provider leads to whose pages stay open for longer than they are to.
pub const OVERDUE: &[Step] = &[OVERDUE_CLOSED];

/// Every step of a pay-out.
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
