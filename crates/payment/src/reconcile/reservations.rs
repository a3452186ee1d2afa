//! Compares payments with reservations. Pure functions.

use jiff::Timestamp;

use crate::model::{Booking, PaymentMode, ReservationStatus, Status};

/// The state of a payment that its reservation depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Its status.
    pub status: Status,
    /// Whether the reservation service has reported the end of the reservation.
    pub reservation_ended: bool,
    /// Whether another payment of the same reservation has money and counts for it.
    pub another_has_money: bool,
}

/// The contradiction in words; `None` if payment and reservation agree, or the reservation changed at or after `cutoff` and
/// events may still be in flight.
pub fn contradiction(payment: Paid, booking: Option<&Booking>, cutoff: Timestamp) -> Option<String> {
    let Some(booking) = booking else {
        return Some("the reservation does not exist".to_owned());
    };
    if booking.update_time >= cutoff || fits(payment, booking) {
        return None;
    }
    let ended = if payment.reservation_ended { ", its reservation ended" } else { "" };
    let status = booking.status.as_str();
    Some(format!("the payment is {}{ended}; the reservation is {status}", payment.status.as_str()))
}

fn fits(payment: Paid, booking: &Booking) -> bool {
    use ReservationStatus::{Cancelled, Paid as Sold, Refunded, Rejected};
    let ended = payment.reservation_ended;
    match payment.status {
        // It may still be paid.
        Status::Pending => true,
        // Paid in addition to the other payment; its money is refunded.
        Status::Paid | Status::Refunding | Status::Refunded if ended && payment.another_has_money => true,
        // A payment made in time and reported after the hold expired retakes the rooms.
        Status::Paid if ended => matches!(booking.status, Cancelled | Sold),
        Status::Refunding if ended => booking.status == Cancelled,
        Status::Refunded if ended => booking.status == Refunded,
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
        let payment = Paid { status, reservation_ended, another_has_money: false };
        for booked in ALL {
            let contradiction = contradiction(payment, Some(&old(booked)), cutoff());
            assert_eq!(contradiction.is_none(), allowed.contains(&booked), "{booked:?}: {contradiction:?}");
        }
        assert!(contradiction(payment, None, cutoff()).is_some(), "no reservation at all");
    }

    #[test]
    fn what_changes_just_now_is_not_judged() {
        let payment = Paid { status: Status::Paid, reservation_ended: false, another_has_money: false };
        let cancelled = Booking { update_time: Timestamp::now(), ..old(Cancelled) };
        assert_eq!(contradiction(payment, Some(&cancelled), cutoff()), None);
        let words = contradiction(payment, Some(&old(Cancelled)), cutoff()).unwrap();
        assert_eq!(words, "the payment is PAID; the reservation is CANCELLED");
    }

    #[test]
    fn a_payment_beside_the_one_that_was_made_does_not_speak_for_the_reservation() {
        for (status, reservation_ended) in [(Status::Failed, false), (Status::Expired, false), (Status::Refunded, true)]
        {
            let payment = Paid { status, reservation_ended, another_has_money: true };
            assert_eq!(contradiction(payment, Some(&old(Sold)), cutoff()), None);
        }
        let payment = Paid { status: Status::Expired, reservation_ended: false, another_has_money: false };
        let partner = Booking { payment_mode: PaymentMode::PartnerCollects, ..old(Sold) };
        assert_eq!(contradiction(payment, Some(&partner), cutoff()), None);
    }
}
