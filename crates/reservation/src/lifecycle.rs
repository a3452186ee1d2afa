//! The states of a booking and the ways between them: pure, so that everything about them can be tested.
//!
//! ```text
//! PENDING_PAYMENT -> PAID | REJECTED | CANCELLED
//! PAID            -> CANCELLED
//! CANCELLED       -> REFUNDED   money came and went back
//! CANCELLED       -> PAID       money came after the hold had expired, and the rooms could be taken again
//! ```
//!
//! Every command may come twice, late, or in another order than it was meant. [`decide`] says what it then means; the
//! database refuses every other way by itself.

use std::ops::Range;

use jiff::{Timestamp, ToSpan};
use staymesh_domain::{Money, PaymentId, StayDates};

use crate::{
    error::ReservationError,
    extend::{begins, today},
    model::{CancellationReason, Reservation, Status},
};

/// What shall happen to a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Somebody who may cancels it.
    Cancel,
    /// The house says that its guests never came.
    MarkNoShow,
    /// Its hold is over.
    Expire,
    /// Its money has arrived.
    ConfirmPayment {
        /// The payment.
        payment_id: PaymentId,
        /// What was paid.
        amount: Money,
    },
    /// Its payment was refused for good.
    RejectPayment,
    /// Its money has gone back.
    ConfirmRefund {
        /// The payment.
        payment_id: PaymentId,
        /// What went back.
        amount: Money,
    },
}

/// What happens to the rooms with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rooms {
    /// Nothing.
    Keep,
    /// They are free again.
    Release,
    /// They are taken again, if they are still free.
    Retake,
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it has happened before, or does not matter any more.
    Nothing,
    /// The money cannot be used: it is to go back in full. Noted with the booking when none was noted before.
    SendMoneyBack {
        /// The payment to note; none when another one is noted.
        note: Option<PaymentId>,
    },
    /// The booking changes.
    Change(Change),
}

/// A change of a booking, to be written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new state.
    pub status: Status,
    /// Why, when it is cancelled.
    pub cancellation_reason: Option<CancellationReason>,
    /// The rooms.
    pub rooms: Rooms,
    /// The payment that arrived.
    pub payment_id: Option<PaymentId>,
    /// What went back.
    pub refunded: Option<Money>,
    /// What the payment service must pay back of whatever was or will be paid, or credit to the partner who collects; also
    /// closes its page.
    pub settle: Option<Money>,
}

impl Change {
    fn to(status: Status, rooms: Rooms) -> Self {
        Self { status, cancellation_reason: None, rooms, payment_id: None, refunded: None, settle: None }
    }
}

/// What a command means for a booking at `now`.
///
/// # Errors
/// When the booking cannot go that way, or the amount is not its total.
pub fn decide(booking: &Reservation, command: &Command, now: Timestamp) -> Result<Decision, ReservationError> {
    match command {
        Command::Cancel => cancel(booking, now),
        Command::MarkNoShow => mark_no_show(booking, now),
        Command::Expire => expire(booking, now),
        Command::ConfirmPayment { payment_id, amount } => confirm_payment(booking, *payment_id, *amount),
        Command::RejectPayment => Ok(reject_payment(booking)),
        Command::ConfirmRefund { payment_id, amount } => confirm_refund(booking, *payment_id, *amount),
    }
}

fn cancel(booking: &Reservation, now: Timestamp) -> Result<Decision, ReservationError> {
    if booking.status == Status::Paid && has_begun(booking, now) {
        return Err(ReservationError::StayHasBegun);
    }
    let settle = match booking.status {
        // Nobody wants it any more: money that comes now is not to take the rooms again.
        Status::Cancelled if booking.cancellation_reason == Some(CancellationReason::HoldExpired) => {
            Some(booking.quote.total()?)
        }
        Status::Cancelled | Status::Refunded => return Ok(Decision::Nothing),
        Status::Rejected => return Err(illegal(booking, Status::Cancelled)),
        // Closes the page. Should money come all the same, all of it goes back.
        Status::PendingPayment => Some(booking.quote.total()?),
        // Goes back to the guest, or is credited to the partner.
        Status::Paid => Some(booking.quote.refund(booking.stay, now)?),
    };
    let rooms = if booking.status.holds_rooms() { Rooms::Release } else { Rooms::Keep };
    Ok(Decision::Change(Change {
        cancellation_reason: Some(CancellationReason::Requested),
        settle,
        ..Change::to(Status::Cancelled, rooms)
    }))
}

/// Whether the first night has come everywhere on earth.
fn has_begun(booking: &Reservation, now: Timestamp) -> bool {
    today(now) > booking.stay.check_in()
}

/// When the house may say that nobody came: from the day of check-in, once it has come everywhere on earth, until the day
/// of leaving is over there. Hotels are paid for a stay from the second day after it on, UTC, so there is half a day to
/// bring the word to the payment service first: what goes back to the guest is not paid to the hotel before.
pub fn no_show_window(stay: StayDates) -> Range<Timestamp> {
    begins(stay.check_in())..begins(stay.check_out().saturating_add(1.day()))
}

/// The latest of late cancellations: whoever never comes is charged what whoever cancels too late is.
fn mark_no_show(booking: &Reservation, now: Timestamp) -> Result<Decision, ReservationError> {
    if booking.cancellation_reason == Some(CancellationReason::NoShow) {
        return Ok(Decision::Nothing);
    }
    if booking.status != Status::Paid {
        return Err(ReservationError::NobodyExpected { status: booking.status, reason: booking.cancellation_reason });
    }
    let window = no_show_window(booking.stay);
    if !window.contains(&now) {
        return Err(ReservationError::NoShowOutOfTime { window });
    }
    Ok(Decision::Change(Change {
        cancellation_reason: Some(CancellationReason::NoShow),
        settle: Some(booking.quote.late_refund()?),
        ..Change::to(Status::Cancelled, Rooms::Release)
    }))
}

fn expire(booking: &Reservation, now: Timestamp) -> Result<Decision, ReservationError> {
    let over = booking.hold_expire_time.is_some_and(|end| end <= now);
    if booking.status != Status::PendingPayment || !over {
        return Ok(Decision::Nothing);
    }
    Ok(Decision::Change(Change {
        cancellation_reason: Some(CancellationReason::HoldExpired),
        // Closes the page and sends nothing back: money that was paid in time but is heard of late takes the rooms
        // again, and only when they are gone is it sent back, by the answer to `ConfirmPayment`.
        settle: Some(Money::zero(booking.quote.total()?.currency())),
        ..Change::to(Status::Cancelled, Rooms::Release)
    }))
}

fn confirm_payment(booking: &Reservation, payment_id: PaymentId, amount: Money) -> Result<Decision, ReservationError> {
    if amount != booking.quote.total()? {
        return Err(ReservationError::AmountMismatch);
    }
    let paid = |rooms| Ok(Decision::Change(Change { payment_id: Some(payment_id), ..Change::to(Status::Paid, rooms) }));
    match (booking.status, booking.payment_id) {
        // Also when the hold is over but has not been ended yet: the rooms are still there.
        (Status::PendingPayment, _) => paid(Rooms::Keep),
        // It paid this booking before: a repeat. What goes back was settled with the cancellation.
        (_, Some(known)) if known == payment_id && booking.paid_at.is_some() => Ok(Decision::Nothing),
        // It came too late before, and comes again.
        (Status::Refunded, Some(known)) if known == payment_id => Ok(Decision::Nothing),
        (_, Some(known)) if known == payment_id => Ok(Decision::SendMoneyBack { note: None }),
        (Status::Cancelled, None) if booking.cancellation_reason == Some(CancellationReason::HoldExpired) => {
            paid(Rooms::Retake)
        }
        (Status::Cancelled, None) => Ok(Decision::SendMoneyBack { note: Some(payment_id) }),
        // Paid by another payment, collected by the partner, or rejected.
        _ => Ok(Decision::SendMoneyBack { note: None }),
    }
}

fn reject_payment(booking: &Reservation) -> Decision {
    if booking.status == Status::PendingPayment {
        return Decision::Change(Change::to(Status::Rejected, Rooms::Release));
    }
    Decision::Nothing
}

fn confirm_refund(booking: &Reservation, payment_id: PaymentId, amount: Money) -> Result<Decision, ReservationError> {
    let total = booking.quote.total()?;
    if amount.currency() != total.currency() || amount.minor() < 1 || amount.minor() > total.minor() {
        return Err(ReservationError::AmountMismatch);
    }
    if booking.payment_id != Some(payment_id) {
        // Money of a payment that never became this booking's went back; nothing changes here.
        return Ok(Decision::Nothing);
    }
    match booking.status {
        Status::Cancelled => Ok(Decision::Change(Change {
            refunded: Some(amount),
            cancellation_reason: booking.cancellation_reason,
            ..Change::to(Status::Refunded, Rooms::Keep)
        })),
        // Paid back by an administrator without cancelling, or a repeat.
        _ => Ok(Decision::Nothing),
    }
}

fn illegal(booking: &Reservation, to: Status) -> ReservationError {
    ReservationError::IllegalTransition { from: booking.status, to }
}

#[cfg(test)]
mod tests;
