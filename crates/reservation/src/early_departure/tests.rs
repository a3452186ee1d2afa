//! Which nights go back and what is kept of them, with the numbers of PARTNER-SPEC 10, example 4.

use jiff::{Timestamp, civil::date};
use proptest::prelude::*;
use rstest::rstest;
use staymesh_domain::{EarlyDeparture as Rule, Penalty, PenaltyBase};

use super::*;
use crate::{
    quote::{
        Night, Quote, TaxLine,
        tests::{euros, quote_for},
    },
    testing::{order_of, reservation_of, room_type},
};

/// A room from 10 January on at these prices in euros, with a city tax of 7.00 per night, whose guests are in the house.
fn line(prices: &[i64], penalty: Penalty) -> RoomLine {
    let check_in = date(2030, 1, 10);
    let dates = check_in.series(jiff::ToSpan::days(1)).take(prices.len() + 1).collect::<Vec<_>>();
    let stay = StayDates::new(check_in, *dates.last().expect("a date")).expect("a stay");
    let nights: Vec<_> =
        dates.iter().zip(prices).map(|(date, price)| Night { date: *date, price: euros(price * 100) }).collect();
    let subtotal = euros(prices.iter().sum::<i64>() * 100);
    let tax = euros(700 * i64::from(stay.night_count()));
    let total = subtotal.checked_add(tax).expect("a total");
    let mut terms = quote_for(stay, total.minor(), 100).terms;
    terms.early_departure = Rule { penalty, base: PenaltyBase::WithoutTaxes };
    let quote = Quote::new(nights, subtotal, vec![TaxLine { name: "City tax".into(), amount: tax }], total, terms);
    let party = "2".parse().expect("a party");
    RoomLine { room_type_id: room_type(), stay, party, quote, status: RoomStatus::InHouse }
}

fn booking(lines: Vec<RoomLine>) -> Reservation {
    let now = Timestamp::UNIX_EPOCH;
    Reservation { status: Status::Paid, ..reservation_of(&order_of(lines, now), now) }
}

fn leave(day: i8) -> EarlyDeparture {
    EarlyDeparture { positions: BTreeSet::new(), today: date(2030, 1, day), waiver: None }
}

#[test]
fn two_of_four_nights_go_back_and_one_of_them_is_kept() {
    let booking = booking(vec![line(&[100; 4], Penalty::Nights(1))]);
    let left = leave(12).of(&booking).expect("possible").expect("nights");
    assert_eq!((left.due, left.change.penalty), (euros(10_000), euros(10_000)));
    // 100.00, and the city tax of two nights.
    assert_eq!(left.change.balance, euros(-11_400));
    let slept = &left.change.rooms[0].line;
    assert_eq!((slept.stay.check_out(), slept.quote.total), (date(2030, 1, 12), euros(21_400)));
    slept.quote.require_sums(staymesh_domain::RoomCount::ONE).expect("sums");
    slept.quote.require_penalties().expect("terms");
    assert_eq!(left.completed, [1]);
}

#[rstest]
#[case(10, Some(11))]
#[case(11, Some(11))]
#[case(13, Some(13))]
#[case(14, None)]
#[case(15, None)]
fn check_out_becomes_today_but_never_the_day_of_arrival(#[case] day: i8, #[case] out: Option<i8>) {
    let booking = booking(vec![line(&[100; 4], Penalty::None)]);
    match (leave(day).of(&booking), out) {
        (Ok(Some(left)), Some(out)) => assert_eq!(left.change.rooms[0].line.stay.check_out(), date(2030, 1, out)),
        (Err(ReservationError::EarlyDepartureOutOfTime { until, .. }), None) => assert_eq!(until, date(2030, 1, 14)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rooms_that_were_left_are_no_error_and_rooms_that_wait_for_their_guests_are() {
    let mut booking = booking(vec![line(&[100; 4], Penalty::Full), line(&[100; 4], Penalty::Full)]);
    booking.lines[1].status = RoomStatus::Live;
    let left = leave(12).of(&booking).expect("possible").expect("nights");
    assert_eq!((left.change.kept.as_slice(), left.change.rooms[0].position), (&[2][..], 1));
    let named = |position| EarlyDeparture { positions: BTreeSet::from([position]), ..leave(12) };
    let refused = named(2).of(&booking);
    assert!(matches!(refused, Err(ReservationError::IllegalRoomTransition { position: 2, .. })), "{refused:?}");
    assert!(matches!(named(3).of(&booking), Err(ReservationError::Field(_))));
    booking.lines[0] = RoomLine { status: RoomStatus::Completed, ..left.change.rooms[0].line.clone() };
    assert_eq!(named(1).of(&booking).expect("a repeat"), None);
    let refused = leave(12).of(&booking);
    assert!(matches!(refused, Err(ReservationError::IllegalRoomTransition { position: 2, .. })), "{refused:?}");
    booking.lines[0] = RoomLine { status: RoomStatus::Completed, ..line(&[100; 4], Penalty::Full) };
    let left = named(1).of(&booking).expect("possible").expect("checked out before, its nights are still sold");
    assert_eq!(left.completed, [] as [i32; 0]);
    booking.status = Status::Cancelled;
    assert!(matches!(leave(12).of(&booking), Err(ReservationError::IllegalTransition { .. })));
}

/// PARTNER-SPEC 6, rule 13.
#[test]
fn waiver_keeps_less_and_never_more() {
    let booking = booking(vec![line(&[100; 4], Penalty::Nights(1))]);
    let waive = |keep| EarlyDeparture { waiver: Some(Waiver { keep, reason: "goodwill".into() }), ..leave(12) };
    let left = waive(euros(2_500)).of(&booking).expect("possible").expect("nights");
    assert_eq!((left.due, left.change.penalty, left.change.balance), (euros(10_000), euros(2_500), euros(-18_900)));
    for wrong in [euros(10_001), euros(-1), Money::parse("JPY", "5").expect("an amount")] {
        assert!(matches!(waive(wrong).of(&booking), Err(ReservationError::Field(_))), "{wrong:?}");
    }
    let slept = left.change.rooms[0].line.clone();
    let gone = Reservation { lines: vec![RoomLine { status: RoomStatus::Completed, ..slept }], ..booking };
    assert_eq!(leave(12).of(&gone).expect("all have left"), None);
    let refused = waive(euros(0)).of(&gone);
    assert!(matches!(refused, Err(ReservationError::Field(_))), "no night is left: {refused:?}");
}

proptest! {
    /// PARTNER-SPEC 6, rule 14: what is kept and what is refunded are what was paid.
    #[test]
    fn kept_and_refunded_are_what_was_paid_for_the_nights_that_go_back(
        prices in prop::collection::vec(0..500_i64, 2..9),
        share in 1..10_000_i32,
        day in 10..19_i8,
    ) {
        let booking = booking(vec![line(&prices, Penalty::Percent(share))]);
        if let Ok(Some(left)) = leave(day).of(&booking) {
            let after = left.change.rooms[0].line.quote.total;
            let refund = -left.change.balance.minor();
            prop_assert_eq!(after.minor() + left.due.minor() + refund, booking.quote.total.minor());
            prop_assert!(refund >= 0 && left.due.minor() >= 0);
            left.change.rooms[0].line.quote.require_penalties().unwrap();
        }
    }
}
