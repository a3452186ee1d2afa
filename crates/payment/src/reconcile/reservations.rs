//! Compares payments with reservations. Pure functions.

use jiff::{SignedDuration, Timestamp};

use crate::model::{BOOKING, Booking, CancellationReason, PaymentMode, ReservationStatus, Status};

/// The state of a payment that its reservation depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Its status.
    pub status: Status,
    /// Whether the reservation service has reported the end of the reservation.
    pub reservation_ended: bool,
    /// The revision that it pays for: 1 for the booking itself, otherwise a change.
    pub revision: i32,
    /// Whether another payment of the same reservation has money and counts for it.
    pub another_has_money: bool,
    /// Whether another payment of the same reservation has refunds.
    pub another_has_refunds: bool,
}

/// The contradiction in words; `None` if payment and reservation agree, or the reservation changed at or after `cutoff` and
/// events may still be in flight.
pub fn contradiction(payment: Paid, booking: Option<&Booking>, cutoff: Timestamp) -> Option<String> {
    let Some(booking) = booking else {
        return Some("the reservation does not exist".to_owned());
    };
    if booking.update_time >= cutoff || fits(payment, booking) || is_unsettled_no_show(payment, booking, cutoff) {
        return None;
    }
    let ended = if payment.reservation_ended { ", its reservation ended" } else { "" };
    let status = booking.status.as_str();
    Some(format!("the payment is {}{ended}; the reservation is {status}", payment.status.as_str()))
}

/// Whether the end of the reservation may not have been reported yet: the penalty of a no-show is settled when the hotel's
/// business day ends, which has 25 hours at most.
fn is_unsettled_no_show(payment: Paid, booking: &Booking, cutoff: Timestamp) -> bool {
    let missed =
        booking.cancellation == Some(CancellationReason::NoShow) && booking.status == ReservationStatus::Cancelled;
    let settled = cutoff.checked_sub(SignedDuration::from_hours(25)).is_ok_and(|day| booking.update_time < day);
    missed && !payment.reservation_ended && !settled
}

fn fits(payment: Paid, booking: &Booking) -> bool {
    use ReservationStatus::{Cancelled, Paid as Sold, Refunded, Rejected};
    let ended = payment.reservation_ended;
    let of_change = payment.revision > BOOKING;
    match payment.status {
        // It may still be paid.
        Status::Pending => true,
        // The reservation stands as it was before the change.
        Status::Failed | Status::Expired if of_change => true,
        // Paid in addition to the other payment; its money is refunded.
        Status::Paid | Status::Refunding | Status::Refunded if ended && payment.another_has_money => true,
        // A payment made in time and reported after the hold expired retakes the rooms.
        Status::Paid if ended && booking.status == Refunded => payment.another_has_refunds,
        Status::Paid if ended => matches!(booking.status, Cancelled | Sold),
        // The reservation is refunded when all of its payments are.
        Status::Refunded if ended && booking.status == Cancelled => payment.another_has_refunds,
        Status::Refunding if ended => booking.status == Cancelled,
        Status::Refunded if ended => booking.status == Refunded,
        // A change that was paid is applied, and later ones have higher revisions.
        Status::Paid | Status::Refunding | Status::Refunded if of_change => {
            booking.status == Sold && booking.revision >= payment.revision
        }
        Status::Paid | Status::Refunding | Status::Refunded => booking.status == Sold,
        // Without money the rooms must not be sold, unless by another payment.
        Status::Failed | Status::Expired if payment.another_has_money => true,
        Status::Failed => matches!(booking.status, Rejected | Cancelled),
        Status::Expired => booking.status != Sold || booking.payment_mode == PaymentMode::PartnerCollects,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::booking;
    use ReservationStatus::{Cancelled, Paid as Sold, PendingPayment, Refunded, Rejected};

    const ALL: [ReservationStatus; 5] = [PendingPayment, Sold, Refunded, Cancelled, Rejected];

    fn plain() -> Paid {
        Paid {
            status: Status::Paid,
            reservation_ended: false,
            revision: 1,
            another_has_money: false,
            another_has_refunds: false,
        }
    }

    fn cutoff() -> Timestamp {
        Timestamp::now() - jiff::SignedDuration::from_mins(5)
    }

    fn old(status: ReservationStatus) -> Booking {
        Booking { status, update_time: Timestamp::UNIX_EPOCH, ..booking() }
    }

    #[rstest]
    #[case(Status::Pending, false, &ALL)]
    #[case(Status::Paid, false, &[Sold])]
    #[case(Status::Paid, true, &[Sold, Cancelled])]
    #[case(Status::Refunding, false, &[Sold])]
    #[case(Status::Refunding, true, &[Cancelled])]
    #[case(Status::Refunded, false, &[Sold])]
    #[case(Status::Refunded, true, &[Refunded])]
    #[case(Status::Failed, false, &[Cancelled, Rejected])]
    #[case(Status::Expired, false, &[PendingPayment, Refunded, Cancelled, Rejected])]
    fn each_state_of_a_payment_allows_these(
        #[case] status: Status,
        #[case] reservation_ended: bool,
        #[case] allowed: &[ReservationStatus],
    ) {
        let payment = Paid { status, reservation_ended, another_has_money: false, ..plain() };
        for booked in ALL {
            let contradiction = contradiction(payment, Some(&old(booked)), cutoff());
            assert_eq!(contradiction.is_none(), allowed.contains(&booked), "{booked:?}: {contradiction:?}");
        }
        assert!(contradiction(payment, None, cutoff()).is_some(), "no reservation at all");
    }

    #[rstest]
    #[case::applied(Status::Paid, false, 2, Sold, true)]
    #[case::applied_before_a_later_change(Status::Refunded, false, 3, Sold, true)]
    #[case::paid_but_not_applied(Status::Paid, false, 1, Sold, false)]
    #[case::paid_but_ended(Status::Paid, false, 2, Cancelled, false)]
    #[case::failed_beside_a_refunded_booking(Status::Failed, false, 1, Refunded, true)]
    #[case::expired_beside_the_booking(Status::Expired, false, 1, Sold, true)]
    fn payment_of_a_change_agrees_with_the_revision_of_its_reservation(
        #[case] status: Status,
        #[case] reservation_ended: bool,
        #[case] revision: i32,
        #[case] booked: ReservationStatus,
        #[case] agrees: bool,
    ) {
        let payment = Paid { status, reservation_ended, revision: 2, ..plain() };
        let booking = Booking { revision, ..old(booked) };
        assert_eq!(contradiction(payment, Some(&booking), cutoff()).is_none(), agrees);
    }

    #[test]
    fn reservation_is_refunded_when_the_refunds_of_all_its_payments_are_complete() {
        let ended = |status, another_has_refunds| {
            let (reservation_ended, revision) = (true, 1);
            Paid { status, reservation_ended, revision, another_has_money: false, another_has_refunds }
        };
        let agrees = |payment, booked| contradiction(payment, Some(&old(booked)), cutoff()).is_none();
        // The refund came from the payment of a change alone.
        assert!(agrees(ended(Status::Paid, true), Refunded) && !agrees(ended(Status::Paid, false), Refunded));
        // Another payment is still being refunded.
        assert!(agrees(ended(Status::Refunded, true), Cancelled) && !agrees(ended(Status::Refunded, false), Cancelled));
    }

    #[test]
    fn no_show_of_today_is_not_settled_yet() {
        let payment = Paid { status: Status::Paid, reservation_ended: false, ..plain() };
        let missed = |hours| Booking {
            cancellation: Some(CancellationReason::NoShow),
            update_time: cutoff() - jiff::SignedDuration::from_hours(hours),
            ..old(Cancelled)
        };
        assert_eq!(contradiction(payment, Some(&missed(24)), cutoff()), None);
        assert!(contradiction(payment, Some(&missed(26)), cutoff()).is_some());
        let cancelled = Booking { cancellation: Some(CancellationReason::Requested), ..missed(24) };
        assert!(contradiction(payment, Some(&cancelled), cutoff()).is_some());
    }

    #[test]
    fn what_changes_just_now_is_not_judged() {
        let payment = Paid { status: Status::Paid, reservation_ended: false, another_has_money: false, ..plain() };
        let cancelled = Booking { update_time: Timestamp::now(), ..old(Cancelled) };
        assert_eq!(contradiction(payment, Some(&cancelled), cutoff()), None);
        let words = contradiction(payment, Some(&old(Cancelled)), cutoff()).unwrap();
        assert_eq!(words, "the payment is PAID; the reservation is CANCELLED");
    }

    #[test]
    fn a_payment_beside_the_one_that_was_made_does_not_speak_for_the_reservation() {
        for (status, reservation_ended) in [(Status::Failed, false), (Status::Expired, false), (Status::Refunded, true)]
        {
            let payment = Paid { status, reservation_ended, another_has_money: true, ..plain() };
            assert_eq!(contradiction(payment, Some(&old(Sold)), cutoff()), None);
        }
        let payment = Paid { status: Status::Expired, reservation_ended: false, another_has_money: false, ..plain() };
        let partner = Booking { payment_mode: PaymentMode::PartnerCollects, ..old(Sold) };
        assert_eq!(contradiction(payment, Some(&partner), cutoff()), None);
    }
}
