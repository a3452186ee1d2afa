//! What a decision makes of a reservation. The store writes it by statements; a test compares the two.

use jiff::Timestamp;
use staymesh_domain::PaymentId;

use super::{Change, Rooms};
use crate::model::{PaymentMode, Reservation, Status};

impl Change {
    /// The reservation after this change, written at `now`.
    pub fn after(&self, before: &Reservation, now: Timestamp) -> Reservation {
        // The change that waits for its payment is given up when the rooms are released, which uses up its number.
        let given_up = before.pending.as_ref().filter(|_| self.rooms == Rooms::Release).map(|pending| pending.revision);
        Reservation {
            status: self.status,
            cancellation_reason: self.cancellation_reason,
            payment_id: self.payment_id.or(before.payment_id),
            paid_time: before.paid_time.or_else(|| (self.status == Status::Paid).then_some(now)),
            payment_mode: if self.collect { PaymentMode::PartnerCollects } else { before.payment_mode },
            hold_expire_time: (self.hold_expire_time.or(before.hold_expire_time))
                .filter(|_| self.status == Status::PendingPayment),
            hold_extended: before.hold_extended || self.hold_expire_time.is_some(),
            pending: before.pending.clone().filter(|_| given_up.is_none()),
            revision: given_up.unwrap_or(before.revision),
            update_time: now,
            ..before.clone()
        }
    }
}

impl Reservation {
    /// The reservation after a payment that cannot be used is noted. One that was noted before stays.
    pub(crate) fn with_note(&self, payment_id: PaymentId) -> Self {
        Self { payment_id: self.payment_id.or(Some(payment_id)), ..self.clone() }
    }
}
