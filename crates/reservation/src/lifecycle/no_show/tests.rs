//! Late arrivals that are announced are no no-shows (PARTNER-SPEC 10, edge cases).

use jiff::civil::{Date, date};
use rstest::rstest;
use staymesh_domain::StayDates;

use super::*;
use crate::{
    quote::tests::quote,
    room_guest::RoomGuest,
    testing::{lines, order_of, reservation_of, room_type},
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Two paid rooms from 2030-01-10 to 2030-01-14, of which the guests of the second say that they may arrive until this date.
fn paid(late: Option<Date>) -> Reservation {
    let stay = StayDates::parse("2030-01-10", "2030-01-14").expect("a stay");
    let booked = at("2029-12-01T12:00:00Z");
    let booking = reservation_of(&order_of(lines(room_type(), stay, 2, &quote(40_000)), booked), booked);
    let guest = RoomGuest { late_arrival_until: late, ..RoomGuest::default() };
    Reservation { status: Status::Paid, room_guests: vec![None, Some(guest)], ..booking }
}

/// In Lisbon, whose business days end at 03:00: UTC in January.
#[rstest]
#[case::not_announced(None, None)]
#[case::check_in_on_the_second_day(Some(date(2030, 1, 11)), Some("2030-01-12T03:00:00Z"))]
#[case::in_the_last_night(Some(date(2030, 1, 13)), Some("2030-01-14T03:00:00Z"))]
#[case::after_the_stay_became_shorter(Some(date(2030, 1, 20)), Some("2030-01-14T03:00:00Z"))]
fn no_show_is_blocked_until_the_announced_day_ends(#[case] late: Option<Date>, #[case] ends: Option<&str>) {
    let time = HotelTime::parse("Europe/Lisbon", "15:00", "03:00").expect("a calendar");
    let booking = paid(late);
    let Some(ends) = ends.map(at) else {
        assert!(require_late_arrival_over(&booking, &time, Timestamp::MIN).is_ok());
        return;
    };
    assert!(require_late_arrival_over(&booking, &time, ends).is_ok());
    let early = ends - jiff::SignedDuration::from_micros(1);
    match require_late_arrival_over(&booking, &time, early) {
        Err(ReservationError::NoShowOutOfTime { from, until }) => {
            let expected = ends.max(booking.quote.terms.no_show_from);
            assert_eq!((from, until), (expected, booking.quote.terms.no_show_until));
        }
        other => panic!("{other:?}"),
    }
    let ended = Reservation { status: Status::Cancelled, ..booking };
    assert!(require_late_arrival_over(&ended, &time, early).is_ok(), "a repeat");
}
