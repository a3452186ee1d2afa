//! Whether a payment and its reservation say the same. No SQL and no I/O.

use jiff::Timestamp;

use crate::model::{Booking, PaymentMode, ReservationStatus, Status};

/// A payment, as far as its reservation is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Where it stands.
    pub status: Status,
    /// Whether the reservation service has said that the reservation ended.
    pub reservation_ended: bool,
    /// Whether another payment of the same reservation has brought money, and answers for it.
    pub another_has_money: bool,
}

/// What contradicts; none when all is well, or too young to be judged: whatever changed after `cutoff` may be on its way.
pub fn contradiction(payment: Paid, booking: Option<&Booking>, cutoff: Timestamp) -> Option<String> {
    let Some(booking) = booking else {
        return Some("there is no such reservation".to_owned());
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
        // Its money came beside that of the other, and goes back.
        Status::Paid | Status::Refunding | Status::Refunded if ended && payment.another_has_money => true,
        // Money that was paid in time but heard of after the hold had ended takes the rooms again.
        Status::Paid if ended => matches!(booking.status, Cancelled | Sold),
        Status::Refunding if ended => booking.status == Cancelled,
        Status::Refunded if ended => booking.status == Refunded,
        Status::Paid | Status::Refunding | Status::Refunded => booking.status == Sold,
        // Nobody has paid with this one: the rooms must not be sold, unless another was paid.
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
