//! The latest change of a booking as the status page shows it: one value from the state of its payment and of the
//! reservation. And what all payments of a reservation come to.

use jiff::Timestamp;
use staymesh_domain::MoneyError;

use crate::model::{BOOKING, Booking, Payment, ReservationStatus, Status};

/// What the page reports of a change that costs more. The booking itself stands whatever becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeStage {
    /// The checkout page accepts the payment until this time.
    Payable(Timestamp),
    /// The checkout page is being opened or has closed, or the provider reviews the payment.
    Waiting,
    /// The payment has arrived; the change is not applied yet.
    Received,
    /// Paid and applied.
    Applied,
    /// It was not paid, and is not applied.
    NotApplied,
    /// The payment arrived when the change was gone, and is refunded in full.
    PaidTooLate,
}

/// The stage of the latest change that costs more, and its payment. `None` if there is none, if the booking is not
/// confirmed, or if a later change has followed one that was not paid.
pub fn change_stage<'a>(
    payments: &'a [Payment],
    booking: Option<&Booking>,
    now: Timestamp,
) -> Option<(&'a Payment, ChangeStage)> {
    let booking = booking.filter(|booking| booking.status == ReservationStatus::Paid)?;
    let payment = payments.iter().rev().find(|payment| payment.revision > BOOKING)?;
    let pending = booking.pending_change.is_some_and(|change| change.revision == payment.revision);
    let open = payment.checkout_url.is_some() && payment.in_review_since.is_none() && payment.expire_time > now;
    let stage = match payment.status {
        Status::Pending if open && pending => ChangeStage::Payable(payment.expire_time),
        Status::Pending => ChangeStage::Waiting,
        Status::Failed | Status::Expired if booking.revision >= payment.revision => return None,
        Status::Failed | Status::Expired => ChangeStage::NotApplied,
        Status::Paid | Status::Refunding | Status::Refunded if payment.reservation_ended => ChangeStage::PaidTooLate,
        _ if pending || booking.revision < payment.revision => ChangeStage::Received,
        _ => ChangeStage::Applied,
    };
    Some((payment, stage))
}

/// The payment of the booking itself with the sums of the paid changes: what was paid for the reservation in all, and what
/// was refunded of it. A payment that came too late for its change is not part of it while the reservation stands.
///
/// # Errors
/// If the sums are out of range, which amounts of a reservation never are.
pub fn with_changes(booking: Payment, payments: &[Payment]) -> Result<Payment, MoneyError> {
    if !booking.status.has_money() {
        return Ok(booking);
    }
    let counts = |payment: &&Payment| {
        let stands = !payment.reservation_ended || booking.reservation_ended;
        payment.revision > BOOKING && payment.status.has_money() && stands
    };
    let mut all = booking.clone();
    for payment in payments.iter().filter(counts) {
        all.amount = all.amount.checked_add(payment.amount)?;
        all.refund_requested = all.refund_requested.checked_add(payment.refund_requested)?;
        all.refunded = all.refunded.checked_add(payment.refunded)?;
        all.status = match (all.status, payment.status) {
            (Status::Refunding, _) | (_, Status::Refunding) => Status::Refunding,
            (Status::Refunded, _) | (_, Status::Refunded) => Status::Refunded,
            _ => Status::Paid,
        };
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{
        super::stage::tests::{NOW, PaymentCase as P, page_end, payment},
        *,
    };
    use crate::{
        model::PendingChange,
        testing::{booking, eur},
    };

    fn of_change(state: P) -> Payment {
        Payment { revision: 2, ..payment(state) }
    }

    /// A confirmed booking at this revision, and whether change 2 is pending.
    fn confirmed(revision: i32, pending: bool) -> Booking {
        let expire_time = NOW + SignedDuration::from_mins(15);
        let pending_change =
            pending.then(|| PendingChange { revision: 2, due: eur(10_000), expire_time, create_time: NOW });
        Booking { status: ReservationStatus::Paid, revision, pending_change, ..booking() }
    }

    #[test]
    fn change_stage_follows_payment_and_reservation() {
        let refused = |state| Payment { reservation_ended: true, ..of_change(state) };
        for (change, booking, expected) in [
            (of_change(P::Open), confirmed(1, true), Some(ChangeStage::Payable(page_end()))),
            (of_change(P::NoPage), confirmed(1, true), Some(ChangeStage::Waiting)),
            (of_change(P::Closed), confirmed(1, true), Some(ChangeStage::Waiting)),
            (of_change(P::InReview), confirmed(1, true), Some(ChangeStage::Waiting)),
            (of_change(P::Open), confirmed(1, false), Some(ChangeStage::Waiting)),
            (of_change(P::Paid), confirmed(1, true), Some(ChangeStage::Received)),
            (of_change(P::Paid), confirmed(1, false), Some(ChangeStage::Received)),
            (of_change(P::Paid), confirmed(2, false), Some(ChangeStage::Applied)),
            (of_change(P::Refunded), confirmed(3, false), Some(ChangeStage::Applied)),
            (refused(P::Refunding), confirmed(1, false), Some(ChangeStage::PaidTooLate)),
            (of_change(P::Expired), confirmed(1, false), Some(ChangeStage::NotApplied)),
            (of_change(P::Failed), confirmed(1, false), Some(ChangeStage::NotApplied)),
            (of_change(P::Expired), confirmed(2, false), None),
        ] {
            let payments = [payment(P::Paid), change];
            let stage = change_stage(&payments, Some(&booking), NOW).map(|(_, stage)| stage);
            assert_eq!(stage, expected, "{:?} {booking:?}", payments[1]);
        }
        assert_eq!(change_stage(&[payment(P::Paid)], Some(&confirmed(1, false)), NOW), None);
        assert_eq!(change_stage(&[of_change(P::Paid)], None, NOW), None);
        assert_eq!(change_stage(&[of_change(P::Paid)], Some(&booking()), NOW), None, "not confirmed");
    }

    #[test]
    fn sums_are_of_the_booking_and_its_paid_changes() {
        let sums = |booking: Payment, change: Payment| {
            let all = with_changes(booking, &[change]).unwrap();
            (all.status, all.amount.minor(), all.refund_requested.minor(), all.refunded.minor())
        };
        assert_eq!(sums(payment(P::Paid), of_change(P::Paid)), (Status::Paid, 20_000, 0, 0));
        assert_eq!(sums(payment(P::Refunded), of_change(P::Refunding)), (Status::Refunding, 20_000, 8_000, 4_000));
        assert_eq!(sums(payment(P::Paid), of_change(P::Refunded)), (Status::Refunded, 20_000, 4_000, 4_000));
        assert_eq!(sums(payment(P::Paid), of_change(P::Open)), (Status::Paid, 10_000, 0, 0));
        let refused = Payment { reservation_ended: true, ..of_change(P::Refunded) };
        assert_eq!(sums(payment(P::Paid), refused), (Status::Paid, 10_000, 0, 0));
        assert_eq!(sums(payment(P::Open), of_change(P::Paid)), (Status::Pending, 10_000, 0, 0));
    }
}
