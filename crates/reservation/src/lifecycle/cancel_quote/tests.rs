//! Quotes are what a cancellation does, for as long as they promise.

use proptest::prelude::*;
use staymesh_domain::{Deadline, Grace, PaymentId, StayDates};

use super::*;
use crate::{
    lifecycle::{Command, Decision, decide},
    model::CancellationReason,
    quote::tests::{euros, quote, quote_before},
    testing::{lines, order_of, reservation_of, room_type},
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const BOOKED: &str = "2029-12-01T12:00:00Z";

/// A reservation of rooms for a night from 2030-01-01, each with its price and its deadlines.
fn held(rooms: &[(i64, Vec<Deadline>, Option<Grace>)]) -> Reservation {
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let line = |(total, deadlines, grace): &(i64, Vec<Deadline>, Option<Grace>)| {
        let mut line = lines(room_type(), stay, 1, &quote(*total)).remove(0);
        line.quote.terms.deadlines.clone_from(deadlines);
        line.quote.terms.grace = *grace;
        line
    };
    let order = order_of(rooms.iter().map(line).collect(), at(BOOKED));
    reservation_of(&order, at(BOOKED))
}

fn paid(rooms: &[(i64, Vec<Deadline>, Option<Grace>)]) -> Reservation {
    let payment_id = Some(PaymentId::new());
    Reservation { status: Status::Paid, paid_time: Some(at(BOOKED)), payment_id, hold_expire_time: None, ..held(rooms) }
}

/// Deadlines at 18:00 three days before the arrival and two days before, with what is kept until then and after both.
fn tiers(kept: [i64; 3]) -> Vec<Deadline> {
    let until = [Some(at("2029-12-29T18:00:00Z")), Some(at("2029-12-30T18:00:00Z")), None];
    until.into_iter().zip(kept).map(|(until, minor)| Deadline { until, penalty: euros(minor) }).collect()
}

fn settled(booking: &Reservation, command: &Command, now: Timestamp) -> Result<Option<Money>, ReservationError> {
    match decide(booking, command, now)? {
        Decision::Change(change) => Ok(change.settle),
        _ => Ok(None),
    }
}

/// The section's example: quoted at 17:59, cancelled at 18:00:01.
#[test]
fn cancel_after_the_quoted_deadline_is_refused_and_at_it_refunds_300() {
    let booking = paid(&[(30_000, tiers([0, 15_000, 30_000]), None)]);
    let quote = CancelQuote::of(&booking, &booking.lines, at("2029-12-29T17:59:00Z")).expect("a quote");
    let expected = CancelQuote {
        kept: euros(0),
        refund: euros(30_000),
        tier: Some(0),
        next: Some((at("2029-12-29T18:00:00Z"), euros(15_000))),
        valid_until: at("2029-12-29T18:00:00Z"),
    };
    assert_eq!(quote, expected);
    let command = Command::CancelExpecting(quote.refund);
    let refunded = settled(&booking, &command, at("2029-12-29T18:00:00Z")).expect("in time");
    assert_eq!(refunded, Some(euros(30_000)));
    let late = settled(&booking, &command, at("2029-12-29T18:00:01Z")).expect_err("too late");
    assert!(matches!(late, ReservationError::CancelTermsChanged { refund } if refund == euros(15_000)), "{late}");
    let new = CancelQuote::of(&booking, &booking.lines, at("2029-12-29T18:00:01Z")).expect("a quote");
    assert_eq!((new.refund, new.kept, new.tier), (euros(15_000), euros(15_000), Some(1)));
    assert_eq!(new.valid_until, at("2029-12-29T18:05:01Z"), "at most five minutes");
}

#[test]
fn last_tier_has_no_next_deadline_and_ends_when_the_stay_begins() {
    let booking = paid(&[(30_000, tiers([0, 15_000, 30_000]), None)]);
    let quote = CancelQuote::of(&booking, &booking.lines, at("2030-01-01T23:58:00Z")).expect("a quote");
    assert_eq!((quote.refund, quote.tier, quote.next), (euros(0), Some(2), None));
    assert_eq!(quote.valid_until, at("2030-01-01T23:59:59.999999999Z"));
    assert!(settled(&booking, &Command::CancelExpecting(quote.refund), quote.valid_until).is_ok());
    let of = |revision| Command::CancelRevision { revision, refund: Some(quote.refund) };
    assert!(settled(&booking, &of(1), quote.valid_until).is_ok());
    let other = decide(&booking, &of(2), quote.valid_until);
    assert!(matches!(other, Err(ReservationError::RevisionMismatch { base: 2, current: 1 })), "{other:?}");
    let begun = CancelQuote::of(&booking, &booking.lines, at("2030-01-02T00:00:00Z"));
    assert!(matches!(begun, Err(ReservationError::StayHasBegun)));
}

#[test]
fn unpaid_reservation_keeps_and_refunds_nothing_until_its_hold_ends() {
    let booking = held(&[(30_000, tiers([0, 15_000, 30_000]), None)]);
    let quote = CancelQuote::of(&booking, &booking.lines, at("2029-12-01T12:12:00Z")).expect("a quote");
    assert_eq!((quote.kept, quote.refund, quote.tier), (euros(0), euros(0), None));
    assert_eq!(Some(quote.valid_until), booking.hold_expire_time);
    let cancelled = settled(&booking, &Command::CancelExpecting(euros(0)), at("2029-12-01T12:13:00Z"));
    assert_eq!(cancelled.expect("as quoted"), Some(euros(30_000)), "a payment that arrives all the same");
    let other = settled(&booking, &Command::CancelExpecting(euros(1)), at("2029-12-01T12:13:00Z"));
    assert!(matches!(other, Err(ReservationError::CancelTermsChanged { .. })));
}

#[test]
fn ended_reservation_has_no_quote_and_a_repeated_cancel_no_expectation() {
    let cancellation_reason = Some(CancellationReason::Requested);
    let paid = paid(&[(30_000, tiers([0, 15_000, 30_000]), None)]);
    let ended = Reservation { status: Status::Cancelled, cancellation_reason, ..paid };
    let quote = CancelQuote::of(&ended, &ended.lines, at(BOOKED));
    assert!(matches!(quote, Err(ReservationError::IllegalTransition { .. })));
    let repeat = decide(&ended, &Command::CancelExpecting(euros(1)), at(BOOKED)).expect("a repeat");
    assert_eq!(repeat, Decision::Nothing);
}

#[test]
fn terms_of_releases_before_are_quoted_as_they_are_rounded_together() {
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let order = order_of(lines(room_type(), stay, 3, &quote_before(stay, 10_001)), at(BOOKED));
    let booking = Reservation { status: Status::Paid, ..reservation_of(&order, at(BOOKED)) };
    let now = at("2030-01-01T12:00:00Z");
    let quote = CancelQuote::of(&booking, &booking.lines, now).expect("a quote");
    assert_eq!(settled(&booking, &Command::CancelExpecting(quote.refund), now).expect("as quoted"), Some(quote.refund));
    assert_eq!(quote.kept.checked_add(quote.refund).expect("a sum"), euros(10_001));
}

/// Rooms whose deadlines keep rising shares of their totals, some with a grace period of a day.
fn rooms() -> impl Strategy<Value = Vec<(i64, Vec<Deadline>, Option<Grace>)>> {
    let room =
        (1..50_000i64, 0..=100i64, 0..=100i64, 0..=100i64, any::<bool>()).prop_map(|(total, a, b, c, graced)| {
            let mut shares = [a, b, c].map(|share| total * share / 100);
            shares.sort_unstable();
            let grace = graced.then(|| Grace { hours: 24, booked_before: at("2029-12-30T00:00:00Z") });
            (total, tiers(shares), grace)
        });
    prop::collection::vec(room, 1..4)
}

proptest! {
    #[test]
    fn quote_holds_until_its_end_and_the_next_deadline_costs_what_it_says(
        rooms in rooms(),
        minutes in 0..32 * 1440i64,
        share in 0..=1000i64,
    ) {
        let booking = paid(&rooms);
        let now = at(BOOKED) + SignedDuration::from_mins(minutes);
        let Ok(quote) = CancelQuote::of(&booking, &booking.lines, now) else {
            prop_assert!(now >= booking.quote.terms.cancel_before);
            return Ok(());
        };
        prop_assert!(now <= quote.valid_until && quote.valid_until <= now + LONGEST);
        let length = quote.valid_until.duration_since(now).as_nanos();
        let then = now + SignedDuration::from_nanos_i128(length * i128::from(share) / 1000);
        let refunded = settled(&booking, &Command::CancelExpecting(quote.refund), then);
        prop_assert_eq!(refunded.expect("promised"), Some(quote.refund));
        prop_assert_eq!(quote.kept.checked_add(quote.refund).expect("a sum"), booking.quote.total);
        if let Some((end, kept)) = quote.next {
            prop_assert!(kept.minor() > quote.kept.minor() && end >= now);
            let after = CancelQuote::of(&booking, &booking.lines, end + SignedDuration::from_nanos(1)).expect("a quote");
            prop_assert_eq!(after.kept, kept);
            let late = settled(&booking, &Command::CancelExpecting(quote.refund), end + SignedDuration::from_nanos(1));
            prop_assert!(matches!(late, Err(ReservationError::CancelTermsChanged { .. })), "{late:?}");
        }
    }
}

/// As `CancelRooms` would: each room by its own terms. A room that was dropped before is none.
#[test]
fn quote_of_rooms_is_theirs_and_of_none_is_nothing() {
    let booking = paid(&[(30_000, tiers([0, 15_000, 30_000]), None), (10_000, tiers([0, 5_000, 10_000]), None)]);
    let late = at("2029-12-29T18:00:01Z");
    let second = CancelQuote::of(&booking, &booking.lines[1..], late).expect("a quote");
    assert_eq!((second.kept, second.refund), (euros(5_000), euros(5_000)));
    let none = CancelQuote::of(&booking, &[], late).expect("a quote");
    assert_eq!((none.kept, none.refund, none.tier, none.next), (euros(0), euros(0), None, None));
    assert_eq!(none.valid_until, late + SignedDuration::from_mins(5));
}
