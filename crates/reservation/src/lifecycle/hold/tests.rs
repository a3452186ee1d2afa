//! Holds that end, and what may happen to them before.

use rstest::rstest;
use staymesh_domain::{PaymentId, StayDates};

use super::*;
use crate::{
    lifecycle::{Command, decide},
    quote::tests::quote,
    testing::{lines, order_of, reservation_of, room_type},
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A night from 2030-01-01, held until 12:15 on the day before.
fn held() -> Reservation {
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let booked = at("2029-12-31T12:00:00Z");
    reservation_of(&order_of(lines(room_type(), stay, 1, &quote(10_000)), booked), booked)
}

fn ended(status: Status, cancellation_reason: Option<CancellationReason>) -> Reservation {
    let payment_id = (status == Status::Paid).then(PaymentId::new);
    Reservation { status, cancellation_reason, payment_id, hold_expire_time: None, ..held() }
}

#[test]
fn extension_ends_when_the_day_of_arrival_ends() {
    let booking = Reservation { hold_expire_time: Some(at("2030-01-01T23:50:00Z")), ..held() };
    let extend = Command::Extend(SignedDuration::from_mins(15));
    let Decision::Change(change) = decide(&booking, &extend, at("2030-01-01T23:40:00Z")).expect("extends") else {
        panic!("a change")
    };
    assert_eq!(change.hold_expire_time, Some(at("2030-01-02T00:00:00Z")));
    let late = decide(&booking, &extend, at("2030-01-01T23:50:00Z"));
    assert!(matches!(late, Err(ReservationError::HoldExpired)), "the end is not part of the hold");
}

#[rstest]
#[case(Status::Paid, None)]
#[case(Status::Refunded, Some(CancellationReason::Requested))]
#[case(Status::Cancelled, Some(CancellationReason::NoShow))]
fn what_was_paid_is_not_released(#[case] status: Status, #[case] reason: Option<CancellationReason>) {
    let refused = decide(&ended(status, reason), &Command::Release, at("2029-12-31T12:10:00Z"));
    assert!(matches!(refused, Err(ReservationError::IllegalTransition { .. })), "{refused:?}");
}

#[test]
fn released_hold_is_cancelled_on_request_and_gives_back_what_arrives() {
    for booking in [held(), ended(Status::Cancelled, Some(CancellationReason::HoldExpired))] {
        let decision = decide(&booking, &Command::Release, at("2029-12-31T12:10:00Z")).expect("released");
        let Decision::Change(change) = decision else { panic!("a change") };
        let shown = (change.status, change.cancellation_reason, change.settle);
        let expected = (Status::Cancelled, Some(CancellationReason::Requested), Some(booking.quote.total));
        assert_eq!(shown, expected);
    }
    for booking in [ended(Status::Rejected, None), ended(Status::Cancelled, Some(CancellationReason::Requested))] {
        let repeat = decide(&booking, &Command::Release, at("2029-12-31T12:10:00Z")).expect("a repeat");
        assert_eq!(repeat, Decision::Nothing);
    }
}

#[test]
fn guest_can_pay_for_a_hold_until_it_expires_and_never_where_the_partner_collects() {
    let now = at("2029-12-31T12:14:59Z");
    assert!(require_payable(&held(), now).is_ok() && require_payable(&ended(Status::Paid, None), now).is_ok());
    let expired = require_payable(&held(), at("2029-12-31T12:15:00Z"));
    assert!(matches!(expired, Err(ReservationError::HoldExpired)));
    let collects = Reservation { payment_mode: PaymentMode::PartnerCollects, ..held() };
    for booking in [collects, ended(Status::Rejected, None)] {
        assert!(matches!(require_payable(&booking, now), Err(ReservationError::IllegalTransition { .. })));
    }
}
