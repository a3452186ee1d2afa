//! Staff keep less than the policy, never more (PARTNER-SPEC 6, rules 13 and 15).

use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;
use staymesh_domain::{Deadline, PaymentId, StayDates};

use super::*;
use crate::{
    error::ReservationError,
    lifecycle::{Command, Decision, decide},
    model::{Reservation, Status},
    quote::tests::{euros, quote},
    testing::{lines, order_of, reservation_of, room_type},
};

const BOOKED: &str = "2029-12-01T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A paid room of 300.00 that is free until 18:00 two days before, of which 150.00 are kept afterwards.
fn paid(kept: i64) -> Reservation {
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let mut rooms = lines(room_type(), stay, 1, &quote(30_000));
    rooms[0].quote.terms.deadlines = vec![
        Deadline { until: Some(at("2029-12-30T18:00:00Z")), penalty: euros(0) },
        Deadline { until: None, penalty: euros(kept) },
    ];
    let booking = reservation_of(&order_of(rooms, at(BOOKED)), at(BOOKED));
    let payment_id = Some(PaymentId::new());
    Reservation { status: Status::Paid, paid_time: Some(at(BOOKED)), payment_id, hold_expire_time: None, ..booking }
}

fn waive(keep: i64) -> Waiver {
    Waiver { keep: euros(keep), reason: "a family emergency".into() }
}

/// What the payment service gives back; the field that is refused.
fn refund(booking: &Reservation, waiver: Waiver, expected: Option<i64>, now: &str) -> Result<Option<i64>, String> {
    let command = Command::CancelWaiving(waiver, expected.map(euros));
    match decide(booking, &command, at(now)) {
        Ok(Decision::Change(change)) => Ok(change.settle.map(Money::minor)),
        Ok(_) => Ok(None),
        Err(ReservationError::Field(error)) => Err(error.field),
        Err(error) => Err(error.to_string()),
    }
}

#[rstest]
#[case::nothing_is_kept(0, Ok(Some(30_000)))]
#[case::less_is_kept(5_000, Ok(Some(25_000)))]
#[case::as_much_as_the_policy(15_000, Ok(Some(15_000)))]
#[case::more_than_the_policy(15_001, Err("waive.keep.amount".to_owned()))]
#[case::negative(-1, Err("waive.keep.amount".to_owned()))]
fn staff_keep_less_than_the_policy_never_more(#[case] keep: i64, #[case] expected: Result<Option<i64>, String>) {
    let booking = paid(15_000);
    assert_eq!(refund(&booking, waive(keep), None, "2029-12-30T18:00:01Z"), expected);
}

#[test]
fn waiver_in_the_free_period_or_another_currency_or_of_an_unpaid_reservation_is_refused() {
    let booking = paid(15_000);
    let early = refund(&booking, waive(1), None, "2029-12-30T18:00:00Z");
    assert_eq!(early, Err("waive.keep.amount".to_owned()), "at the deadline it is still free");
    let yen = Waiver { keep: Money::parse("JPY", "1").expect("an amount"), ..waive(0) };
    assert_eq!(refund(&booking, yen, None, BOOKED), Err("waive.keep.currency_code".to_owned()));
    let unpaid = Reservation { status: Status::PendingPayment, ..booking.clone() };
    assert_eq!(refund(&unpaid, waive(0), None, BOOKED), Err("waive".to_owned()));
    let ended = Reservation {
        status: Status::Cancelled,
        cancellation_reason: Some(crate::model::CancellationReason::Requested),
        ..booking
    };
    assert_eq!(refund(&ended, waive(0), None, BOOKED), Ok(None), "a repeat");
}

#[test]
fn waiver_with_another_expected_refund_cancels_nothing() {
    let booking = paid(15_000);
    let now = "2029-12-30T18:00:01Z";
    assert_eq!(refund(&booking, waive(5_000), Some(25_000), now), Ok(Some(25_000)));
    assert!(refund(&booking, waive(5_000), Some(15_000), now).is_err());
}

#[test]
fn reason_of_a_waiver_is_not_printed() {
    assert!(!format!("{:?}", waive(0)).contains("family"));
}

proptest! {
    /// Rule 15: no penalty is more than what was taken, with a waiver or without.
    #[test]
    fn what_is_kept_is_at_most_the_policy_and_at_most_what_was_paid(kept in 0..=30_000_i64, keep in -10..=31_000_i64) {
        let booking = paid(kept);
        let now = "2029-12-31T00:00:00Z";
        match refund(&booking, waive(keep), None, now) {
            Ok(back) => {
                prop_assert!((0..=kept).contains(&keep));
                prop_assert_eq!(back, Some(30_000 - keep));
            }
            Err(field) => {
                prop_assert_eq!(field, "waive.keep.amount");
                prop_assert!(!(0..=kept).contains(&keep));
            }
        }
        let by_policy = decide(&booking, &Command::Cancel, at(now)).expect("cancelled");
        let Decision::Change(change) = by_policy else { return Err(TestCaseError::fail("nothing happened")) };
        let settled = change.settle.map(Money::minor);
        prop_assert_eq!(settled, Some(30_000 - kept));
    }
}
