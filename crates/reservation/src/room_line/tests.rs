//! Nights, short rooms, sums and refunds of lines.

use super::*;
use crate::quote::tests::{euros, quote, quote_before, quote_for};

fn line(room_type: i32, check_in: &str, check_out: &str, total: i64) -> RoomLine {
    RoomLine {
        room_type_id: RoomTypeId::try_from(room_type).expect("an id"),
        stay: StayDates::parse(check_in, check_out).expect("a stay"),
        party: Party::new(1, vec![]).expect("a party"),
        quote: quote(total),
        status: RoomStatus::Live,
    }
}

/// A double for two nights, a single for the second and third night, and another double for the second night.
fn mixed() -> Vec<RoomLine> {
    vec![
        line(5, "2030-01-01", "2030-01-03", 30_000),
        line(3, "2030-01-02", "2030-01-04", 30_000),
        line(5, "2030-01-02", "2030-01-03", 45_000),
    ]
}

/// PARTNER-SPEC 7, edge case: two rooms of one type are one row, +2, not two updates.
#[test]
fn nights_of_lines_are_in_key_order_and_two_rooms_of_one_type_are_one_night() {
    let first = day_of(jiff::civil::date(2030, 1, 1));
    let nights: Vec<_> = nights_of(7, mixed().iter().map(RoomLine::room)).into_iter().collect();
    let expected = [((7, 3, first + 1), 1), ((7, 3, first + 2), 1), ((7, 5, first), 1), ((7, 5, first + 1), 2)];
    assert_eq!(nights, expected);
    assert_eq!(room_nights(&mixed()), 5);
}

#[test]
fn sum_of_two_currencies_is_refused() {
    let mut lines = mixed();
    let dollars = Money::from_minor(30_000, "USD".parse().expect("a currency")).expect("an amount");
    lines[1].quote.total = dollars;
    let refused = RoomLine::sum(&lines);
    let mismatch = matches!(refused, Err(RoomLinesError::Price(QuoteError::Money(MoneyError::CurrencyMismatch))));
    assert!(mismatch, "{refused:?}");
}

/// PARTNER-SPEC 7, rule 7: the refusal says which room is short.
#[test]
fn short_line_is_the_first_that_gets_no_room_in_the_night() {
    let second = day_of(jiff::civil::date(2030, 1, 2));
    let short = |night, left| short_room(mixed().iter().map(RoomLine::room), night, left).map(|room| room.index);
    assert_eq!(short((7, 5, second), 1), Some(2));
    assert_eq!(short((7, 5, second), 0), Some(0));
    assert_eq!(short((7, 3, second), 0), Some(1));
    assert_eq!(short((7, 5, second), -1), Some(0), "overbooked by staff");
}

#[test]
fn shortage_is_the_first_short_night_of_the_lowest_type_and_a_night_not_on_sale_comes_before_it() {
    let first = day_of(jiff::civil::date(2030, 1, 1));
    let needs = nights_of(7, mixed().iter().map(RoomLine::room));
    let open = |rooms_left| NightSale { rooms_left, stop_sell: false };
    let nights = [((7, 3, first + 1), 1), ((7, 3, first + 2), 1), ((7, 5, first), 1), ((7, 5, first + 1), 2)];
    let mut left: BTreeMap<Night, NightSale> = nights.map(|(night, rooms)| (night, open(rooms))).into();
    assert_eq!(shortage(&needs, &left), None);
    // The double comes first in the booking and is short a night earlier; the single has the lower id.
    left.insert((7, 5, first), open(0));
    left.insert((7, 3, first + 2), open(-1));
    let night = (7, 3, first + 2);
    assert_eq!(shortage(&needs, &left), Some(Shortage::SoldOut(night, 0)));
    let room = short_room(mixed().iter().map(RoomLine::room), night, 0).expect("a room");
    assert_eq!((room.index, room.room_type_id.get()), (1, 3));
    // A closed night is named first, though it is of a higher type.
    left.insert((7, 5, first + 1), NightSale { rooms_left: 2, stop_sell: true });
    assert_eq!(shortage(&needs, &left), Some(Shortage::StopSell((7, 5, first + 1))));
    left.remove(&(7, 5, first + 1));
    assert_eq!(shortage(&needs, &left), Some(Shortage::NotOnSale));
}

#[test]
fn lines_span_from_first_check_in_to_last_check_out_and_their_prices_add_up() {
    let sum = RoomLine::sum(&mixed()).expect("one booking");
    assert_eq!(sum.stay, StayDates::parse("2030-01-01", "2030-01-04").expect("a stay"));
    assert_eq!(sum.quote.total, euros(105_000));
    assert!(matches!(RoomLine::sum(&[]), Err(RoomLinesError::Empty)));
    let apart = [line(3, "2030-01-01", "2030-01-02", 1), line(3, "2030-04-01", "2030-04-02", 1)];
    assert!(matches!(RoomLine::sum(&apart), Err(RoomLinesError::TooLong)));
}

#[test]
fn guests_of_equal_rooms_are_spread_evenly_and_prices_split_to_the_cent() {
    let (rooms, guests) = (RoomCount::try_from(3).expect("rooms"), GuestCount::try_from(5).expect("guests"));
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let room_type = RoomTypeId::try_from(3).expect("an id");
    let lines = RoomLine::of_one_type(room_type, stay, rooms, guests, &quote(10_000)).expect("lines");
    let shown: Vec<_> = lines.iter().map(|line| (line.party.adults(), line.quote.total.minor())).collect();
    assert_eq!(shown, [(2, 3_334), (2, 3_333), (1, 3_333)]);
}

/// Thirty per cent of 100.05 are 30.015, rounded once for all rooms and not once for each.
#[test]
fn equal_rooms_are_refunded_as_their_price_together() {
    let (rooms, guests) = (RoomCount::try_from(3).expect("rooms"), GuestCount::try_from(3).expect("guests"));
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let room_type = RoomTypeId::try_from(3).expect("an id");
    for whole in [quote(10_005), quote_before(stay, 10_005)] {
        let lines = RoomLine::of_one_type(room_type, stay, rooms, guests, &whole).expect("lines");
        assert_equal_refunds(&lines, &whole);
    }
}

fn assert_equal_refunds(lines: &[RoomLine], whole: &Quote) {
    assert_eq!(RoomLine::sum(lines).expect("one booking").quote.terms, whole.terms);
    let refund = RoomLine::no_show_refund(lines).expect("in range");
    assert_eq!(refund, whole.no_show_refund().expect("in range"));
    let now = "2029-12-31T12:00:00Z".parse().expect("a time");
    assert_eq!(RoomLine::refund(lines, now, now).expect("in range"), whole.refund(now, now).expect("in range"));
}

#[test]
fn rooms_that_begin_on_different_days_are_refunded_by_their_own_deadlines() {
    // Free until 48 hours before each room's own check-in date.
    let line = |check_in, check_out| {
        let line = line(3, check_in, check_out, 10_000);
        RoomLine { quote: quote_for(line.stay, 10_000, 30), ..line }
    };
    let lines = [line("2030-01-01", "2030-01-02"), line("2030-01-05", "2030-01-06")];
    let now = "2030-01-01T12:00:00Z".parse().expect("a time");
    assert_eq!(RoomLine::refund(&lines, now, now).expect("in range"), euros(17_000));
    let together = RoomLine::sum(&lines).expect("one booking").quote;
    assert_eq!(together.refund(now, now).expect("in range"), euros(17_000), "the terms of all say the same");
}
