//! Texts of mails about bookings: what each says, in every language.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp, civil::date};
use staymesh_domain::{Deadline, Grace, time_zone};

use super::*;
use crate::{
    quote::tests::{euros, quote_for},
    room_line::RoomLine,
    testing::{TOTAL, order_of_rooms, reservation_of, room_type},
};

const LINK: &str = "https://booking.example/booking#reservation=x&key=y&lang=en";

fn names() -> StayNames {
    let zone = time_zone("Asia/Tokyo").expect("a zone");
    StayNames { hotel: "Hotel Sol, Lisboa".into(), room_types: [(room_type(), "Double room".into())].into(), zone }
}

/// Two rooms from 1 to 3 January 2030, booked at this time.
fn reservation(booked: &str) -> Reservation {
    let booked: Timestamp = booked.parse().expect("a time");
    Reservation { paid_time: Some(booked), ..reservation_of(&order_of_rooms(2, booked), booked) }
}

fn confirmed(language: Language, reservation: &Reservation) -> Text {
    let booking = Booking { reservation, names: &names(), link: LINK, keyed: true };
    Text::confirmed(language, &booking).expect("sums")
}

fn cancelled(language: Language, refund_minor: i64) -> Text {
    let reservation = reservation("2029-06-01T12:00:00Z");
    let booking = Booking { reservation: &reservation, names: &names(), link: LINK, keyed: true };
    Text::cancelled(language, &booking, euros(refund_minor))
}

#[test]
fn confirmation_states_stay_price_terms_and_link() {
    let reservation = reservation("2029-06-01T12:00:00Z");
    let text = confirmed(Language::English, &reservation);
    assert_eq!(text.subject, "Your booking is confirmed: Hotel Sol, Lisboa");
    let body = format!(
        "Hello,\n\n\
         Your payment has arrived and your booking is confirmed.\n\n\
         Hotel: Hotel Sol, Lisboa\n\
         Arrival: Tuesday, 1 January 2030\n\
         Departure: Thursday, 3 January 2030\n\
         Rooms: 2 × Double room\n\
         Guests: 2\n\
         Price with taxes: 100.00 EUR\n\
         Booking number: {}\n\n\
         You can cancel free of charge until Sunday, 30 December 2029, 09:00 (local time at the hotel). If you cancel later, \
         30.00 EUR is kept.\n\n\
         See or cancel your booking here:\n\n\
         {LINK}\n\n\
         Whoever has this link has access to your booking. Please do not pass it on.\n",
        reservation.id
    );
    assert_eq!(text.body, body);
}

#[test]
fn confirmation_of_different_rooms_counts_each_type() {
    let mut mixed = reservation("2029-06-01T12:00:00Z");
    let single = RoomTypeId::try_from(9).expect("an id");
    let mut lines = vec![RoomLine { room_type_id: single, ..mixed.lines[0].clone() }];
    lines.append(&mut mixed.lines);
    mixed.lines = lines;
    let mut names = names();
    names.room_types.insert(single, "Single room".into());
    let booking = Booking { reservation: &mixed, names: &names, link: LINK, keyed: true };
    let body = Text::confirmed(Language::English, &booking).expect("sums").body;
    assert!(body.contains("Rooms: 1 × Single room, 2 × Double room\nGuests: 3\n"), "{body}");
}

#[test]
fn confirmation_of_a_late_booking_offers_no_free_cancellation() {
    let body = confirmed(Language::English, &reservation("2029-12-30T00:00:00Z")).body;
    assert!(body.contains("If you cancel, 30.00 EUR is kept.") && !body.contains("free of charge"), "{body}");
    let before = "2029-12-30T00:00:00Z".parse::<Timestamp>().expect("a time") - SignedDuration::from_secs(1);
    let body = confirmed(Language::English, &reservation(&before.to_string())).body;
    assert!(body.contains("free of charge until"), "{body}");
}

#[test]
fn confirmation_without_a_penalty_promises_free_cancellation() {
    let mut free = reservation("2029-06-01T12:00:00Z");
    free.quote = quote_for(free.stay, TOTAL, 0);
    let body = confirmed(Language::German, &free).body;
    assert!(body.contains("Sie können kostenlos stornieren.\n"), "{body}");
}

#[test]
fn confirmation_states_every_deadline_with_its_penalty_and_the_grace_period_first() {
    let mut tiers = reservation("2029-06-01T12:00:00Z");
    let terms = &mut tiers.quote.terms;
    terms
        .deadlines
        .insert(1, Deadline { until: Some("2029-12-31T15:00:00Z".parse().expect("a time")), penalty: euros(1_000) });
    let body = confirmed(Language::English, &tiers).body;
    let expected = "until Sunday, 30 December 2029, 09:00 (local time at the hotel). If you cancel by Tuesday, 1 January 2030, \
                    00:00, 10.00 EUR is kept. If you cancel later, 30.00 EUR is kept.\n";
    assert!(body.contains(expected), "{body}");
    let terms = &mut tiers.quote.terms;
    terms.deadlines.drain(..2);
    terms.grace = Some(Grace { hours: 24, booked_before: "2029-12-30T00:00:00Z".parse().expect("a time") });
    let body = confirmed(Language::English, &tiers).body;
    assert!(body.contains("free of charge until Saturday, 2 June 2029, 21:00"), "{body}");
}

/// The refund is that of each room by its own terms, so the deadlines of all must say so, too.
#[test]
fn confirmation_of_rooms_of_which_one_has_a_grace_period_states_it_for_this_one() {
    let mut mixed = reservation("2029-06-01T12:00:00Z");
    for (line, late) in mixed.lines.iter_mut().zip([100, 50]) {
        line.quote = quote_for(line.stay, 10_000, late);
        line.quote.terms.deadlines.remove(0);
    }
    mixed.lines[0].quote.terms.grace =
        Some(Grace { hours: 24, booked_before: "2029-12-30T00:00:00Z".parse().expect("a time") });
    mixed.quote = RoomLine::sum(&mixed.lines).expect("one booking").quote;
    let body = confirmed(Language::English, &mixed).body;
    let expected =
        "If you cancel by Saturday, 2 June 2029, 21:00, 50.00 EUR is kept. If you cancel later, 150.00 EUR is kept.\n";
    assert!(body.contains(expected), "{body}");
    let refund = RoomLine::refund(&mixed.lines, mixed.create_time, mixed.create_time).expect("in range");
    assert_eq!(refund, euros(15_000));
}

#[test]
fn cancellation_states_what_is_paid_back() {
    let text = cancelled(Language::French, 7_050);
    assert_eq!(text.subject, "Votre réservation est annulée : Hotel Sol, Lisboa");
    assert!(text.body.contains("Nous remboursons 70,50 EUR par le moyen"), "{}", text.body);
    assert!(text.body.contains("Arrivée : mardi 1er janvier 2030\n"), "{}", text.body);
    let nothing = cancelled(Language::English, 0).body;
    assert!(nothing.contains("By the terms of this booking nothing is paid back."), "{nothing}");
}

fn cancelled_by_hotel(language: Language) -> Text {
    let cancellation_reason = Some(CancellationReason::ByHotel);
    let reservation = Reservation { cancellation_reason, ..reservation("2029-06-01T12:00:00Z") };
    let booking = Booking { reservation: &reservation, names: &names(), link: LINK, keyed: true };
    Text::cancelled(language, &booking, euros(10_000))
}

#[test]
fn cancellation_by_the_hotel_says_so() {
    let text = cancelled_by_hotel(Language::German);
    assert_eq!(text.subject, "Ihre Buchung ist storniert: Hotel Sol, Lisboa");
    assert!(text.body.contains("Das Hotel musste Ihre Buchung stornieren.") && text.body.contains("100,00 EUR"));
    assert!(!cancelled(Language::German, 10_000).body.contains("Das Hotel musste"));
}

fn changed(language: Language, paid: Option<i64>, refund: Option<i64>) -> Text {
    let reservation = reservation("2029-06-01T12:00:00Z");
    let booking = Booking { reservation: &reservation, names: &names(), link: LINK, keyed: true };
    let before = (date(2030, 1, 1), date(2030, 1, 2), euros(5_000));
    Text::changed(language, &booking, &Changed { before, paid: paid.map(euros), refund: refund.map(euros) })
}

/// PARTNER-SPEC 7: what changed, and what is due or paid back.
#[test]
fn change_states_the_stay_now_and_before_and_what_was_paid_or_is_paid_back() {
    let text = changed(Language::English, Some(5_000), None);
    assert_eq!(text.subject, "Your booking was changed: Hotel Sol, Lisboa");
    assert!(text.body.contains("Departure: Thursday, 3 January 2030\n"), "{}", text.body);
    let before = "Before the change: Tuesday, 1 January 2030 to Wednesday, 2 January 2030, 50.00 EUR. \
                  You paid 50.00 EUR for the change.\n";
    assert!(text.body.contains(before), "{}", text.body);
    let back = changed(Language::German, None, Some(24_750)).body;
    assert!(back.contains("Wir zahlen 247,50 EUR auf dem Weg zurück, auf dem Sie bezahlt haben."), "{back}");
    let free = changed(Language::English, None, None).body;
    assert!(free.contains("The change costs nothing, and nothing is paid back."), "{free}");
}

/// A hotel may have been paid in cash at its desk.
#[test]
fn refund_is_promised_in_the_way_that_was_paid_and_not_to_a_card() {
    let ways = ["in the way you paid", "pelo meio", "auf dem Weg", "por el mismo medio", "par le moyen"];
    for language in Language::ALL {
        let body = cancelled(language, 1).body;
        assert!(ways.iter().any(|way| body.contains(way)), "{body}");
        assert!(!["card", "cart", "Karte", "tarjeta"].iter().any(|card| body.contains(card)), "{body}");
    }
}

#[test]
fn texts_differ_between_languages_and_leave_no_gap_unfilled() {
    let reservation = reservation("2029-06-01T12:00:00Z");
    for of in [
        confirmed as fn(Language, &Reservation) -> Text,
        |language, _: &Reservation| cancelled(language, 1),
        |language, _: &Reservation| cancelled_by_hotel(language),
        |language, _: &Reservation| changed(language, Some(1), None),
        |language, _: &Reservation| changed(language, None, None),
    ] {
        let all = Language::ALL.map(|language| of(language, &reservation));
        assert_eq!(all.iter().map(|text| &text.subject).collect::<HashSet<_>>().len(), 5);
        for text in all {
            assert!(!text.subject.contains("{}") && !text.body.contains("{}"), "{}", text.body);
            assert!(text.body.lines().any(|line| line == LINK), "{}", text.body);
        }
    }
}

#[test]
fn link_that_needs_a_login_is_not_called_secret() {
    let reservation = reservation("2029-06-01T12:00:00Z");
    let booking = Booking { reservation: &reservation, names: &names(), link: LINK, keyed: false };
    let body = Text::confirmed(Language::English, &booking).expect("sums").body;
    assert!(body.ends_with(&format!("{LINK}\n")), "{body}");
}
