//! The stage of a booking: one value computed from the state of a payment and of its reservation, for display.
//!
//! Pure, so that every combination is tested. Payment and reservation are synchronized by outboxes, at least once and
//! eventually, so each may lag behind the other. A combination whose cause cannot be determined gets a stage of its own
//! instead of a guess.

use jiff::Timestamp;
use staymesh_domain::{Money, MoneyError};

use crate::model::{Booking, CancellationReason, Payment, ReservationStatus, Status};

/// What the status page reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The checkout page accepts the payment.
    Payable {
        /// When the checkout page closes.
        until: Timestamp,
        /// When a card was last declined; `None` if none was.
        declined: Option<Timestamp>,
        /// When the hold expires.
        hold_end: Option<Timestamp>,
    },
    /// The checkout page has been requested from the provider and is not known yet.
    OpeningCheckout {
        /// When the hold expires.
        hold_end: Option<Timestamp>,
    },
    /// The checkout page has closed, and the provider has not confirmed yet whether it was paid.
    QueryingProvider(Rooms),
    /// The provider reviews the payment or waits for a debit.
    InReview(Rooms),
    /// The checkout page has closed without a payment.
    Unpaid(Rooms),
    /// The provider refused the payment for good.
    Declined(Rooms),
    /// The payment has arrived; the reservation is not confirmed yet.
    PaymentReceived(Option<Refunds>),
    /// Paid and confirmed.
    Confirmed(Option<Refunds>),
    /// The payment arrived after the hold had expired, and the reservation service has not decided yet whether the rooms
    /// are still available.
    PaidAfterHold,
    /// The payment arrived after the reservation had ended and is refunded in full.
    PaidTooLate(Option<Refunds>),
    /// A paid reservation was cancelled.
    Cancelled(CancellationRefund),
    /// A paid reservation whose guest did not arrive, as the hotel reports.
    NoShow(CancellationRefund),
    /// The reservation service does not answer, so only the state of the payment is known.
    ReservationUnavailable(ChargeState),
    /// Payment and reservation contradict each other. Temporary: one of them lags.
    Inconsistent,
}

/// The rooms of an unpaid reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rooms {
    /// Held until this time.
    Held(Option<Timestamp>),
    /// Released because the hold expired.
    HoldExpired,
    /// Released because the reservation was cancelled.
    Cancelled,
    /// Released because the payment was refused.
    PaymentRefused,
}

/// The refunds of a payment, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refunds {
    /// Refunds that have succeeded.
    pub sent: Money,
    /// Refunds that are requested and have not succeeded yet.
    pub pending: Money,
}

/// What is refunded after a cancellation or no-show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancellationRefund {
    /// Not determined yet.
    Undetermined,
    /// Nothing, by the cancellation policy.
    Nothing,
    /// These refunds.
    Refunds(Refunds),
}

/// The state of a payment alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeState {
    /// No payment has arrived.
    Unpaid,
    /// The provider reviews the payment.
    InReview,
    /// Failed or expired without a payment.
    Ended,
    /// Paid.
    Paid(Option<Refunds>),
}

/// The stage of a payment and its reservation; `booking` is `None` if the reservation service does not answer.
///
/// # Errors
/// If the refunds of the payment cannot be summed up, which its constraints in the database exclude.
pub fn stage(payment: &Payment, booking: Option<&Booking>, now: Timestamp) -> Result<Stage, MoneyError> {
    use ReservationStatus as R;
    let refunds = refunds(payment)?;
    let Some(booking) = booking else { return Ok(Stage::ReservationUnavailable(charge_state(payment, refunds))) };
    let hold_expired = booking.cancellation == Some(CancellationReason::HoldExpired);
    let no_show = booking.cancellation == Some(CancellationReason::NoShow);
    let ended = |refund| if no_show { Stage::NoShow(refund) } else { Stage::Cancelled(refund) };
    Ok(match (booking.status, payment.status) {
        (R::PendingPayment, Status::Paid | Status::Refunding | Status::Refunded) => Stage::PaymentReceived(refunds),
        (R::PendingPayment, _) => unpaid(payment, Rooms::Held(booking.hold_expire_time), now),
        (R::Paid, Status::Paid | Status::Refunding | Status::Refunded) => Stage::Confirmed(refunds),
        (R::Rejected, Status::Paid | Status::Refunding | Status::Refunded) => Stage::PaidTooLate(refunds),
        (R::Rejected, Status::Failed | Status::Expired) => unpaid(payment, Rooms::PaymentRefused, now),
        (R::Cancelled, Status::Paid) if hold_expired => Stage::PaidAfterHold,
        (R::Cancelled | R::Refunded, Status::Refunding | Status::Refunded) if hold_expired => {
            Stage::PaidTooLate(refunds)
        }
        (R::Cancelled, Status::Pending | Status::Failed | Status::Expired) if !no_show => {
            unpaid(payment, if hold_expired { Rooms::HoldExpired } else { Rooms::Cancelled }, now)
        }
        (R::Cancelled | R::Refunded, Status::Refunding | Status::Refunded) => {
            ended(refunds.map_or(CancellationRefund::Undetermined, CancellationRefund::Refunds))
        }
        // A payment that arrives after an unpaid reservation was cancelled is refunded too: until `reservation_ended` is
        // set, the refund is undetermined.
        (R::Cancelled, Status::Paid) if payment.reservation_ended => ended(CancellationRefund::Nothing),
        (R::Cancelled, Status::Paid) => ended(CancellationRefund::Undetermined),
        _ => Stage::Inconsistent,
    })
}

/// The stage of a payment that has not been paid.
fn unpaid(payment: &Payment, rooms: Rooms, now: Timestamp) -> Stage {
    let checkout_known = payment.checkout_url.is_some();
    match (payment.status, rooms) {
        (Status::Failed, _) => Stage::Declined(rooms),
        (Status::Expired, _) => Stage::Unpaid(rooms),
        _ if payment.in_review_since.is_some() => Stage::InReview(rooms),
        (_, Rooms::Held(hold_end)) if payment.expire_time > now && checkout_known => {
            Stage::Payable { until: payment.expire_time, declined: payment.decline_time, hold_end }
        }
        (_, Rooms::Held(hold_end)) if payment.expire_time > now => Stage::OpeningCheckout { hold_end },
        _ => Stage::QueryingProvider(rooms),
    }
}

fn charge_state(payment: &Payment, refunds: Option<Refunds>) -> ChargeState {
    match payment.status {
        Status::Pending if payment.in_review_since.is_some() => ChargeState::InReview,
        Status::Pending => ChargeState::Unpaid,
        Status::Failed | Status::Expired => ChargeState::Ended,
        Status::Paid | Status::Refunding | Status::Refunded => ChargeState::Paid(refunds),
    }
}

/// The refunds of a payment; `None` if none was requested.
fn refunds(payment: &Payment) -> Result<Option<Refunds>, MoneyError> {
    let pending = payment.refund_requested.checked_sub(payment.refunded)?;
    Ok((payment.refund_requested.minor() > 0).then_some(Refunds { sent: payment.refunded, pending }))
}

#[cfg(test)]
pub(super) mod tests;
