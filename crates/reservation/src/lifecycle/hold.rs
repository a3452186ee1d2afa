//! What may happen to a hold besides its payment: it is committed, released, or extended once. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{Change, Decision, Rooms, cancel, illegal};
use crate::{
    error::ReservationError,
    model::{CancellationReason, PaymentMode, Reservation, Status},
};

/// Requires that the guest can still pay for the hold, or has.
///
/// # Errors
/// [`ReservationError::HoldExpired`], and [`ReservationError::IllegalTransition`] if it ended otherwise or the partner
/// collects.
pub(crate) fn require_payable(booking: &Reservation, now: Timestamp) -> Result<(), ReservationError> {
    match (booking.payment_mode, booking.status) {
        (PaymentMode::GuestPays, Status::Paid) => Ok(()),
        (PaymentMode::GuestPays, _) => require_held(booking, Status::Paid, now).map(drop),
        (PaymentMode::PartnerCollects, _) => Err(illegal(booking, Status::Paid)),
    }
}

/// The partner collects. A repeat changes nothing, whatever became of the sale.
pub(super) fn collect(booking: &Reservation, now: Timestamp) -> Result<Decision, ReservationError> {
    let collects = booking.payment_mode == PaymentMode::PartnerCollects;
    match booking.status {
        Status::PendingPayment | Status::Paid | Status::Rejected if collects => Ok(Decision::Nothing),
        _ => {
            require_held(booking, Status::Paid, now)?;
            Ok(Decision::Change(Change { collect: true, ..Change::to(Status::PendingPayment, Rooms::Keep) }))
        }
    }
}

/// The hold is given up. What was paid meanwhile, or ended after a payment, is not.
pub(super) fn release(booking: &Reservation, now: Timestamp) -> Result<Decision, ReservationError> {
    use CancellationReason::{HoldExpired, Requested};
    match (booking.status, booking.cancellation_reason) {
        (Status::PendingPayment, _) | (Status::Cancelled, Some(Requested | HoldExpired)) => {
            cancel(booking, None, None, now)
        }
        // It holds nothing.
        (Status::Rejected, _) => Ok(Decision::Nothing),
        _ => Err(illegal(booking, Status::Cancelled)),
    }
}

/// The hold ends so much later, but not after the day of arrival.
pub(super) fn extend(booking: &Reservation, by: SignedDuration, now: Timestamp) -> Result<Decision, ReservationError> {
    let end = require_held(booking, Status::PendingPayment, now)?;
    if booking.hold_extended {
        return Ok(Decision::Nothing);
    }
    let end = (end + by).min(booking.quote.terms.cancel_before.max(end));
    Ok(Decision::Change(Change {
        hold_expire_time: Some(end),
        ..Change::to(Status::PendingPayment, Rooms::KeepIfLeft)
    }))
}

/// The end of the hold, if it has not expired at `now`.
///
/// # Errors
/// [`ReservationError::HoldExpired`], and [`ReservationError::IllegalTransition`] to `to` if it ended otherwise.
fn require_held(booking: &Reservation, to: Status, now: Timestamp) -> Result<Timestamp, ReservationError> {
    match (booking.status, booking.cancellation_reason, booking.hold_expire_time) {
        (Status::PendingPayment, _, Some(end)) if now < end => Ok(end),
        (Status::PendingPayment, ..) | (Status::Cancelled, Some(CancellationReason::HoldExpired), _) => {
            Err(ReservationError::HoldExpired)
        }
        _ => Err(illegal(booking, to)),
    }
}

#[cfg(test)]
mod tests;
