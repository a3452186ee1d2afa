//! Prices and penalties of changes, with the numbers of PARTNER-SPEC 7.

use jiff::{Timestamp, ToSpan, civil::Date};
use proptest::prelude::*;
use staymesh_domain::{CancellationTerms, RoomTypeId, StayDates};

use super::*;
use crate::{
    quote::{
        Night as PricedNight, Quote, TaxLine,
        tests::{euros, terms},
    },
    testing::room_type,
};

const FIRST: Date = jiff::civil::date(2030, 1, 1);

fn stay(from: i32, nights: i32) -> StayDates {
    let check_in = FIRST.saturating_add(from.days());
    StayDates::new(check_in, check_in.saturating_add(nights.days())).expect("a stay")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Before and after the deadline of [`terms`].
fn times() -> [Timestamp; 2] {
    ["2029-12-01T00:00:00Z", "2029-12-31T00:00:00Z"].map(time)
}

/// Nights at these prices in euros from day `from` on, with 10 % tax and terms that keep so many per cent late, and `early`
/// per cent before.
fn quote(from: i32, nights: &[i64], early: i32, late: i32) -> Quote {
    let dates = stay(from, i32::try_from(nights.len()).expect("few")).nights();
    let nights: Vec<_> =
        dates.zip(nights).map(|(date, price)| PricedNight { date, price: euros(price * 100) }).collect();
    let subtotal = Money::sum(euros(0).currency(), nights.iter().map(|night| night.price)).expect("a sum");
    let tax = subtotal.percent_basis_points(1_000).expect("a tax");
    let total = subtotal.checked_add(tax).expect("a total");
    let share = |percent: i32| total.percent_basis_points(percent * 100).expect("a share");
    let taxes = vec![TaxLine { name: "VAT".into(), amount: tax }];
    Quote::new(nights, subtotal, taxes, total, terms(share(early), share(late)))
}

fn line(from: i32, quote: Quote) -> RoomLine {
    let nights = i32::try_from(quote.nights.len()).expect("few");
    RoomLine {
        room_type_id: room_type(),
        stay: stay(from, nights),
        party: "2".parse().expect("a party"),
        quote,
        status: crate::room_status::RoomStatus::Live,
    }
}

/// The room `before` with the dates of `whole`, and its type and party unless they are `other`.
fn priced(
    before: &RoomLine,
    whole: Quote,
    kept: Option<Quote>,
    other: bool,
    reprice: Reprice,
    now: Timestamp,
) -> pricing::PricedRoom {
    let after = line((whole.nights[0].date - FIRST).get_days(), whole.clone());
    let party = if other { "3" } else { "2" }.parse().expect("a party");
    let booked = BookedRoom { line: before, booked: Timestamp::UNIX_EPOCH };
    let today = TodayPrices { whole, kept };
    booked.priced((after.room_type_id, after.stay, &party), &today, reprice, now).expect("a price")
}

/// Kept per cent of the total, early and late.
fn kept(quote: &Quote) -> [i64; 2] {
    let kept = |now| quote.terms.penalty_at(Timestamp::UNIX_EPOCH, now).minor();
    times().map(kept)
}

/// PARTNER-SPEC 7, example 1: three nights of 100, 100 and 120 with 10 % tax are 352.00; one more night at 150 makes 517.00,
/// 165.00 are due. With everything repriced it is 550.00, and 198.00 are due.
#[test]
fn added_night_costs_today_and_kept_nights_what_was_booked() {
    let before = line(0, quote(0, &[100, 100, 120], 0, 50));
    let (whole, of_kept) = (quote(0, &[110, 110, 130, 150], 0, 50), quote(0, &[110, 110, 130], 0, 50));
    let [early, _] = times();
    let room = priced(&before, whole.clone(), Some(of_kept.clone()), false, Reprice::Changed, early);
    let shown = (room.quote.subtotal, room.quote.total, room.penalty);
    assert_eq!(shown, (euros(47_000), euros(51_700), euros(0)));
    assert_eq!(kept(&room.quote), [0, 25_850]);
    room.quote.require_sums(staymesh_domain::RoomCount::ONE).expect("sums");
    let room = priced(&before, whole, Some(of_kept), false, Reprice::All, early);
    assert_eq!((room.quote.total, room.penalty), (euros(55_000), euros(0)));
    let booked = [PlacedRoom { position: 1, line: before.clone() }];
    let rooms = vec![PlacedRoom { position: 1, line: RoomLine { quote: room.quote, ..before } }];
    assert_eq!(RoomsChange::new(&booked, vec![], rooms, euros(0)).expect("a change").balance, euros(19_800));
}

/// PARTNER-SPEC 7, rule 16: of a dropped night as much is kept as of the whole room.
#[test]
fn dropped_night_keeps_the_share_of_its_price_that_a_cancellation_keeps() {
    let before = line(0, quote(0, &[100, 100, 120], 0, 50));
    let whole = quote(0, &[200, 200], 0, 50);
    let [early, late] = times();
    let room = |now| priced(&before, whole.clone(), None, false, Reprice::Changed, now);
    assert_eq!((room(early).quote.total, room(early).penalty), (euros(22_000), euros(0)));
    assert_eq!((room(late).quote.total, room(late).penalty), (euros(22_000), euros(6_600)));
}

/// PARTNER-SPEC 6, edge case: a non-refundable booking does not become refundable by a change of its dates.
#[test]
fn paid_part_of_a_non_refundable_room_stays_non_refundable() {
    let before = line(0, quote(0, &[100, 100, 120], 100, 100));
    let (whole, of_kept) = (quote(0, &[110, 110, 130, 150], 0, 50), quote(0, &[110, 110, 130], 0, 50));
    let [early, _] = times();
    let room = priced(&before, whole, Some(of_kept), false, Reprice::Changed, early);
    assert_eq!(kept(&room.quote), [35_200, 35_200 + 8_250]);
    let moved = priced(&before, quote(5, &[100, 100, 120], 0, 50), None, false, Reprice::Changed, early);
    assert_eq!(moved.penalty, euros(35_200), "all nights are dropped");
    let shorter = priced(&before, quote(0, &[10], 0, 50), None, false, Reprice::Changed, early);
    assert_eq!((shorter.quote.total, shorter.penalty), (euros(11_000), euros(24_200)));
}

/// A non-refundable stay is not refunded by moving it to a cheaper room; staff who reprice it give the difference back.
#[test]
fn difference_to_a_cheaper_room_is_given_up_by_the_terms_unless_staff_reprice() {
    let before = line(0, quote(0, &[100, 100], 100, 100));
    let cheaper = quote(0, &[60, 60], 0, 50);
    let [early, _] = times();
    let room = priced(&before, cheaper.clone(), None, true, Reprice::Changed, early);
    assert_eq!((room.quote.total, room.penalty), (euros(13_200), euros(8_800)));
    assert_eq!(kept(&room.quote), [13_200, 13_200]);
    let room = priced(&before, cheaper, None, false, Reprice::All, early);
    assert_eq!((room.quote.total, room.penalty), (euros(13_200), euros(0)));
}

/// PARTNER-SPEC 10, example 5: of four nights at 100 the last two become nights at 180 in a better room: 160.00 are due, and in
/// these nights one room of the type goes back and one of the better type is taken.
#[test]
fn paid_upgrade_from_a_date_costs_the_difference_of_the_nights_left() {
    let untaxed = |from, nights: &[i64]| {
        let priced = quote(from, nights, 0, 50);
        Quote::new(priced.nights, priced.subtotal, vec![], priced.subtotal, terms(euros(0), euros(0)))
    };
    let double = line(9, untaxed(9, &[100; 4]));
    let suite_id = RoomTypeId::try_from(room_type().get() + 1).expect("an id");
    let suite = RoomLine { room_type_id: suite_id, ..line(11, untaxed(11, &[180; 2])) };
    let booked = BookedRoom { line: &double, booked: Timestamp::UNIX_EPOCH };
    let [early, _] = times();
    let slept = booked.moved_from(stay(9, 2), &suite.quote, Reprice::Changed, early).expect("a price");
    assert_eq!((slept.quote.total, slept.penalty), (euros(20_000), euros(0)));
    let before = [PlacedRoom { position: 1, line: double.clone() }];
    let slept = RoomLine { stay: stay(9, 2), quote: slept.quote, ..double };
    let after = vec![PlacedRoom { position: 1, line: slept }, PlacedRoom { position: 2, line: suite }];
    let change = RoomsChange::new(&before, vec![], after.clone(), euros(0)).expect("a change");
    assert_eq!(change.balance, euros(16_000));
    let moved: Vec<_> =
        delta(7, &before, &after).into_iter().map(|((_, room_type, _), rooms)| (room_type, rooms)).collect();
    let (double, suite) = (room_type().get(), suite_id.get());
    assert_eq!(moved, [(double, -1), (double, -1), (suite, 1), (suite, 1)]);
}

#[test]
fn room_that_would_be_missing_or_twice_there_is_no_change() {
    let booked = [PlacedRoom { position: 1, line: line(0, quote(0, &[100], 0, 50)) }];
    let change =
        |kept: &[i32], rooms: &[PlacedRoom]| RoomsChange::new(&booked, kept.to_vec(), rooms.to_vec(), euros(0));
    assert!(change(&[1], &[]).is_ok());
    for (kept, rooms) in [(&[2][..], &[][..]), (&[], &[]), (&[1], &booked[..])] {
        assert!(matches!(change(kept, rooms), Err(RoomsChangeError::Rooms)), "{kept:?}");
    }
}

/// PARTNER-SPEC 7, example 3: the guest has 12 and 13 and wants 13 and 14.
#[test]
fn delta_of_a_moved_stay_has_no_nights_that_stay() {
    let room = |from| PlacedRoom { position: 1, line: line(from, quote(from, &[100, 100], 0, 50)) };
    let delta: Vec<_> = delta(7, &[room(11)], &[room(12)]).into_iter().map(|((.., day), rooms)| (day, rooms)).collect();
    let day = |day: i32| crate::night::day_of(FIRST.saturating_add(day.days()));
    assert_eq!(delta, [(day(11), -1), (day(13), 1)]);
}

fn any_room() -> impl Strategy<Value = (i32, Vec<i64>)> {
    (0..6i32, prop::collection::vec(0..500i64, 1..6))
}

proptest! {
    /// Whatever changes: the guest never gets back more than what was paid for what is given up, and terms keep at most the
    /// price.
    #[test]
    fn penalty_is_at_most_what_is_given_up_and_terms_at_most_the_price(
        (from, nights) in any_room(), (to, new) in any_room(), early in 0..=100i32, more in 0..=100i32,
        other in any::<bool>(), all in any::<bool>(), is_late in any::<bool>(),
    ) {
        let before = line(from, quote(from, &nights, early, early.max(more)));
        let whole = quote(to, &new, 0, 50);
        let after = stay(to, i32::try_from(new.len()).expect("few"));
        let of_kept = kept_nights(before.stay, after).filter(|kept| *kept != after).map(|kept| {
            let skip = usize::try_from((kept.check_in() - after.check_in()).get_days()).expect("not negative");
            let count = usize::try_from(kept.night_count()).expect("positive");
            quote((kept.check_in() - FIRST).get_days(), &new[skip..skip + count], 0, 50)
        });
        let now = times()[usize::from(is_late)];
        let reprice = if all { Reprice::All } else { Reprice::Changed };
        let room = priced(&before, whole, of_kept, other, reprice, now);
        let penalty = before.quote.terms.penalty_at(Timestamp::UNIX_EPOCH, now);
        prop_assert!(!room.penalty.is_negative() && room.penalty.minor() <= penalty.minor());
        room.quote.require_sums(staymesh_domain::RoomCount::ONE).expect("sums");
        room.quote.require_penalties().expect("penalties");
        let terms: &CancellationTerms = &room.quote.terms;
        prop_assert!(terms.deadlines.windows(2).all(|pair| pair[0].penalty.minor() <= pair[1].penalty.minor()));
        if early == 100 && !all {
            // Non-refundable: what is not kept is priced, and keeps all that was paid for it.
            let kept = room.penalty.checked_add(room.quote.terms.penalty_at(Timestamp::UNIX_EPOCH, now)).expect("a sum");
            prop_assert!(kept.minor() >= before.quote.total.minor(), "{kept} of {}", before.quote.total);
        }
    }

    #[test]
    fn change_reads_as_it_was_written((from, nights) in any_room(), (to, more) in any_room(), balance in -500..500i64) {
        let room = |position, from, nights: &[i64]| PlacedRoom { position, line: line(from, quote(from, nights, 0, 50)) };
        let rooms = vec![room(2, from, &nights), room(3, to, &more), room(5, from, &nights)];
        let change = RoomsChange { kept: vec![1, 4], rooms, penalty: euros(7), balance: euros(balance) };
        let json = serde_json::to_string(&ChangeRecord::from(&change)).expect("JSON");
        let read: ChangeRecord = serde_json::from_str(&json).expect("reads");
        prop_assert_eq!(RoomsChange::try_from(read).expect("a change"), change);
    }
}
