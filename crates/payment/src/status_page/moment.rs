//! Where a booking and its payment stand together: pure, so that every combination can be tested.
//!
//! The two are told of each other by outboxes, so for a moment each may know less than the other. What cannot be told
//! apart from here is not guessed: it is a moment of its own.

use jiff::Timestamp;
use staymesh_api::reservation::v1::{CancellationReason, ReservationStatus};
use staymesh_domain::Money;

use crate::{
    model::{Payment, Status},
    reservations::Booking,
};

/// What a guest has to know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The provider's page takes money.
    Payable {
        /// Until when it does.
        until: Timestamp,
        /// When a card was last declined, if one was.
        declined: Option<Timestamp>,
        /// Until when the rooms are held.
        held: Option<Timestamp>,
    },
    /// The provider's page is being opened.
    Opening {
        /// Until when the rooms are held.
        held: Option<Timestamp>,
    },
    /// The provider's page has closed; whether somebody paid on it is being asked.
    Asking(Rooms),
    /// The provider decides whether to take the money.
    InReview(Rooms),
    /// The provider's page has closed and nobody paid.
    Unpaid(Rooms),
    /// The provider refused the money for good.
    Declined(Rooms),
    /// The money is here, and the booking is not confirmed yet.
    Arrived(Option<Back>),
    /// Paid and booked.
    Confirmed(Option<Back>),
    /// The money came after the hold had ended; whether the rooms can be taken again is being found out.
    Late,
    /// The money came after the booking had ended, and all of it is to go back.
    TooLate(Option<Back>),
    /// Somebody who may has cancelled, and it was paid.
    Cancelled(Settled),
    /// It was paid, and the hotel says that nobody came.
    NoShow(Settled),
    /// The reservation service does not answer; what the payment is known to be.
    BookingUnknown(Charge),
    /// The two do not fit together, which should not last.
    Unclear,
}

/// What has become of rooms that are not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rooms {
    /// They are held until then.
    Held(Option<Timestamp>),
    /// They are free again, for the hold has ended.
    HoldOver,
    /// They are free again, for the guest has cancelled.
    Cancelled,
    /// They are free again, for the payment was refused.
    Refused,
}

/// Money that goes or went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// What went back.
    pub sent: Money,
    /// What is on its way.
    pub underway: Money,
}

/// What a cancellation gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is being worked out.
    NotYet,
    /// Nothing.
    Nothing,
    /// This.
    Back(Back),
}

/// How a payment stands by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Nobody is known to have paid.
    None,
    /// The provider decides.
    InReview,
    /// It was refused or given up, without money.
    Ended,
    /// Money has come.
    Paid(Option<Back>),
}

/// What a payment and its booking come to; no booking when the reservation service does not answer.
pub fn moment(payment: &Payment, booking: Option<&Booking>, now: Timestamp) -> Moment {
    use ReservationStatus as R;
    let Some(booking) = booking else { return Moment::BookingUnknown(charge(payment)) };
    let back = back(payment);
    let hold_expired = booking.cancellation == CancellationReason::HoldExpired;
    let no_show = booking.cancellation == CancellationReason::NoShow;
    let ended = |given| if no_show { Moment::NoShow(given) } else { Moment::Cancelled(given) };
    match (booking.status, payment.status) {
        (R::PendingPayment, Status::Paid | Status::Refunding | Status::Refunded) => Moment::Arrived(back),
        (R::PendingPayment, _) => unpaid(payment, Rooms::Held(booking.hold_expire_time), now),
        (R::Paid, Status::Paid | Status::Refunding | Status::Refunded) => Moment::Confirmed(back),
        (R::Rejected, Status::Paid | Status::Refunding | Status::Refunded) => Moment::TooLate(back),
        (R::Rejected, Status::Failed | Status::Expired) => unpaid(payment, Rooms::Refused, now),
        (R::Cancelled, Status::Paid) if hold_expired => Moment::Late,
        (R::Cancelled | R::Refunded, Status::Refunding | Status::Refunded) if hold_expired => Moment::TooLate(back),
        (R::Cancelled, Status::Pending | Status::Failed | Status::Expired) if !no_show => {
            unpaid(payment, if hold_expired { Rooms::HoldOver } else { Rooms::Cancelled }, now)
        }
        (R::Cancelled | R::Refunded, Status::Refunding | Status::Refunded) => {
            ended(back.map_or(Settled::NotYet, Settled::Back))
        }
        // Money that came for a booking which was cancelled unpaid goes back, too: that is not settled yet either.
        (R::Cancelled, Status::Paid) if payment.reservation_ended => ended(Settled::Nothing),
        (R::Cancelled, Status::Paid) => ended(Settled::NotYet),
        _ => Moment::Unclear,
    }
}

/// A payment without money.
fn unpaid(payment: &Payment, rooms: Rooms, now: Timestamp) -> Moment {
    let page = payment.checkout_url.is_some();
    match (payment.status, rooms) {
        (Status::Failed, _) => Moment::Declined(rooms),
        (Status::Expired, _) => Moment::Unpaid(rooms),
        _ if payment.in_review_since.is_some() => Moment::InReview(rooms),
        (_, Rooms::Held(held)) if payment.expire_time > now && page => {
            Moment::Payable { until: payment.expire_time, declined: payment.declined_at, held }
        }
        (_, Rooms::Held(held)) if payment.expire_time > now => Moment::Opening { held },
        _ => Moment::Asking(rooms),
    }
}

fn charge(payment: &Payment) -> Charge {
    match payment.status {
        Status::Pending if payment.in_review_since.is_some() => Charge::InReview,
        Status::Pending => Charge::None,
        Status::Failed | Status::Expired => Charge::Ended,
        Status::Paid | Status::Refunding | Status::Refunded => Charge::Paid(back(payment)),
    }
}

/// What goes back of a payment, if anything does.
fn back(payment: &Payment) -> Option<Back> {
    let underway = payment.refund_requested.checked_sub(payment.refunded).ok()?;
    (payment.refund_requested.minor() > 0).then_some(Back { sent: payment.refunded, underway })
}

#[cfg(test)]
pub(super) mod tests;
