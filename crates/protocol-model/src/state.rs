//! A state of the whole system, reduced to what the rules read.

use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
    sync::Arc,
};

use staymesh_domain::Money;
use staymesh_payment::model::{Notice, Payment, Refund, Status as PaymentStatus};
use staymesh_psp::CheckoutStatus;
use staymesh_reservation::{CancellationReason, Reservation, Status, protocol::Settlement};

use crate::{
    clock::Moment,
    provider::{Page, ProviderEvent},
};

/// A state of guest, provider, both services and what is on its way between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) moment: Moment,
    pub(crate) booking: Booking,
    /// Rooms that bookings hold: this one and the other guest's.
    pub(crate) rooms: (i32, i32),
    /// What the booking says that is kept of the guest's money, in cents.
    pub(crate) keeps: i64,
    /// What the end of the booking gives back, as the payment service noted it.
    pub(crate) refund_due: Option<Money>,
    /// Whether a late payment took the room again.
    pub(crate) retaken: bool,
    /// Requests to pay that have read the booking as payable and not saved their order yet.
    pub(crate) asking: u8,
    /// Requests to pay that may still come.
    pub(crate) asks_left: u8,
    pub(crate) orders: Vec<Order>,
    pub(crate) pages: Vec<Page>,
    pub(crate) provider_events: Vec<ProviderEvent>,
    /// The outbox of the reservation service.
    pub(crate) settlements: VecDeque<Settlement>,
    /// Calls between the services that the caller gave up and that arrive later.
    pub(crate) late_calls: Vec<Call>,
    /// Faults of the network and crashes that may still come.
    pub(crate) faults_left: u8,
    /// A message was refused for good.
    pub(crate) dead_letter: bool,
}

/// The reservation. Two are equal if the rules of its protocol cannot tell them apart.
#[derive(Clone, Debug)]
pub(crate) struct Booking(pub(crate) Arc<Reservation>);

impl Booking {
    fn key(&self) -> impl Eq + Hash {
        let Reservation { status, cancellation_reason: reason, payment_id, hold_expire_time, .. } = *self.0;
        (
            status.as_str(),
            reason.map(CancellationReason::as_str),
            payment_id,
            self.0.paid_time.is_some(),
            hold_expire_time,
        )
    }
}

impl PartialEq for Booking {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Booking {}

impl Hash for Booking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// A payment with its refunds and its events in the outbox of the payment service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) payment: Payment,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) outbox: VecDeque<Event>,
}

impl Hash for Order {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Payment { status, refund_requested, refunded, refund_due, reservation_ended, .. } = self.payment;
        (status, refund_requested, refunded, refund_due, reservation_ended).hash(state);
        self.payment.psp_session.is_some().hash(state);
        for refund in &self.refunds {
            (refund.amount, refund.succeed_time.is_some()).hash(state);
        }
        self.outbox.hash(state);
    }
}

/// An event in the outbox of the payment service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// To the reservation service.
    Tell(Notice),
    /// To the provider: make this refund of the payment.
    Refund(usize),
}

/// A call of one service by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Confirm { payment: usize },
    Reject,
    ConfirmRefund { payment: usize, amount: Money },
    Settle(Settlement),
}

impl State {
    /// Whether no message is in flight, and neither service waits for another step.
    pub(crate) fn is_quiet(&self) -> bool {
        let open = |page: &Page| page.shown && matches!(page.status, CheckoutStatus::Open | CheckoutStatus::InReview);
        let busy = |order: &Order| {
            !order.outbox.is_empty()
                || matches!(order.payment.status, PaymentStatus::Pending | PaymentStatus::Refunding)
        };
        self.booking.0.status != Status::PendingPayment
            && self.asking == 0
            && self.provider_events.is_empty()
            && self.settlements.is_empty()
            && self.late_calls.is_empty()
            && !self.pages.iter().any(open)
            && !self.orders.iter().any(busy)
    }

    /// Whether the booking is over: nothing can happen any more.
    pub(crate) fn is_final(&self) -> bool {
        self.moment == Moment::Over && self.is_quiet()
    }
}
