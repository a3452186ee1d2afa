//! A state of the whole system, reduced to what the rules read.

use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
    sync::Arc,
};

use staymesh_domain::{Money, PaymentId};
use staymesh_reservation::{CancellationReason, Reservation, Status, protocol::Settlement};

use crate::{clock::Moment, payments::Payments};

/// A state of guest, provider, both services and what is on its way between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) moment: Moment,
    pub(crate) booking: Booking,
    /// Rooms that bookings hold: this one and the other guest's.
    pub(crate) rooms: (i32, i32),
    /// What the booking says that is kept of the guest's money, in cents.
    pub(crate) keeps: i64,
    /// Whether a late payment took the room again.
    pub(crate) retaken: bool,
    /// Requests to pay that have read the booking as payable and not saved their order yet.
    pub(crate) asking: u8,
    /// Requests to pay that may still come.
    pub(crate) asks_left: u8,
    pub(crate) payments: Payments,
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

/// A call of one service by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Confirm { payment: usize },
    Reject,
    ConfirmRefund { payment: PaymentId, amount: Money },
    Settle(Settlement),
}

impl State {
    /// Whether no message is in flight, and neither service waits for another step.
    pub(crate) fn is_quiet(&self) -> bool {
        self.booking.0.status != Status::PendingPayment
            && self.asking == 0
            && self.settlements.is_empty()
            && self.late_calls.is_empty()
            && self.payments.is_quiet()
    }

    /// Whether the booking is over: nothing can happen any more.
    pub(crate) fn is_final(&self) -> bool {
        self.moment == Moment::Over && self.is_quiet()
    }
}
