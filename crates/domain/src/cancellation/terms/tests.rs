use jiff::civil::{date, time};
use proptest::prelude::*;

use super::super::{Anchor, CancellationPolicy, Exceptions, Penalty, Stay, Tier, Until};
use super::*;
use crate::{DateRange, HotelTime, RoomCount, StayDates};

fn usd(minor: i64) -> Money {
    Money::from_minor(minor, "USD".parse().unwrap()).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn days(days: i32, hour: i8, penalty: Penalty) -> Tier {
    Tier { until: Until::DaysBefore { days, at: time(hour, 0, 0, 0) }, penalty }
}

fn always(penalty: Penalty) -> Tier {
    Tier { until: Until::Always, penalty }
}

/// The terms of a stay in one room in `zone` with check-in time 15:00, offered at `now`.
fn terms_at(
    now: &str,
    policy: &CancellationPolicy,
    zone: &str,
    dates: StayDates,
    nights: &[Money],
) -> CancellationTerms {
    policy.validate().unwrap();
    let time = HotelTime::parse(zone, "15:00", "00:00").unwrap();
    policy.require_monotone(time.check_in_time()).unwrap();
    let stay = Stay { dates, time: &time, rooms: RoomCount::ONE, nights, zero: usd(0) };
    policy.resolve(&stay, at(now)).unwrap()
}

/// As [`terms_at`], offered long before.
fn terms(policy: &CancellationPolicy, zone: &str, dates: StayDates, nights: &[Money]) -> CancellationTerms {
    terms_at("2026-01-01T00:00:00Z", policy, zone, dates, nights)
}

fn stay(check_in: &str, check_out: &str) -> StayDates {
    StayDates::parse(check_in, check_out).unwrap()
}

fn six_tiers() -> CancellationPolicy {
    let tiers = vec![
        days(7, 18, Penalty::Fixed(usd(2_000))),
        days(3, 18, Penalty::Fixed(usd(5_000))),
        days(1, 18, Penalty::Nights(1)),
        days(0, 18, Penalty::Percent(5_000)),
        always(Penalty::Percent(8_000)),
    ];
    CancellationPolicy { no_show: Some(Penalty::Full), ..CancellationPolicy::of_tiers(tiers) }
}

/// PARTNER-SPEC 6, rule 3 and its example of six tiers.
#[test]
fn tier_that_counts_is_the_first_whose_deadline_has_not_passed() {
    let nights = [usd(10_000), usd(12_000), usd(12_000)];
    let terms = terms(&six_tiers(), "America/New_York", stay("2027-10-15", "2027-10-18"), &nights);
    let booked = at("2027-09-01T12:00:00Z");
    // New York is four hours behind UTC.
    for (now, kept) in [
        ("2027-10-08T22:00:00Z", 2_000),
        ("2027-10-08T22:00:00.000001Z", 5_000),
        ("2027-10-13T13:00:00Z", 10_000),
        ("2027-10-15T00:00:00Z", 17_000),
        ("2027-10-15T23:00:00Z", 27_200),
    ] {
        assert_eq!(terms.penalty_at(booked, at(now)), usd(kept), "{now}");
    }
    assert_eq!(terms.no_show, usd(34_000));
}

#[test]
fn later_tier_never_keeps_less_at_the_price_of_the_stay() {
    let terms = terms(&six_tiers(), "America/New_York", stay("2027-10-15", "2027-10-16"), &[usd(10_000)]);
    let kept: Vec<_> = terms.deadlines.iter().map(|deadline| deadline.penalty).collect();
    assert_eq!(kept, [usd(2_000), usd(5_000), usd(10_000), usd(10_000), usd(10_000)]);
}

/// PARTNER-SPEC 6, rule 5 and its examples.
#[test]
fn hours_before_are_elapsed_time_where_clocks_change() {
    let hours =
        |hours| Tier { until: Until::HoursBefore { hours, anchor: Anchor::ArrivalTime }, penalty: Penalty::None };
    let dates = stay("2027-03-29", "2027-03-30");
    let terms_of = |tier| {
        terms(&CancellationPolicy::of_tiers(vec![tier, always(Penalty::Full)]), "Europe/Berlin", dates, &[usd(10_000)])
    };
    // 27 March 14:00 and 15:00 at the hotel, both before its clocks change.
    assert_eq!(terms_of(hours(48)).deadlines[0].until, Some(at("2027-03-27T13:00:00Z")));
    assert_eq!(terms_of(days(2, 15, Penalty::None)).deadlines[0].until, Some(at("2027-03-27T14:00:00Z")));
}

/// PARTNER-SPEC 6, examples: the quirk of days in UTC, which is no more.
#[test]
fn free_until_24_hours_before_the_day_is_the_hotels_day() {
    let tier = Tier { until: Until::HoursBefore { hours: 24, anchor: Anchor::StartOfDay }, penalty: Penalty::None };
    let policy = CancellationPolicy::of_tiers(vec![tier, always(Penalty::Full)]);
    let terms = terms(&policy, "America/Los_Angeles", stay("2027-02-12", "2027-02-13"), &[usd(10_000)]);
    assert_eq!(terms.deadlines[0].until, Some(at("2027-02-11T08:00:00Z")), "00:00 of 11 February in Los Angeles");
}

/// PARTNER-SPEC 6, rule 6 and its example.
#[test]
fn grace_beats_every_tier_until_its_last_instant() {
    let grace = Exceptions { free_hours_after_booking: 4, free_weeks_before: 0 };
    let policy = CancellationPolicy { exceptions: grace, ..CancellationPolicy::of_tiers(vec![always(Penalty::Full)]) };
    let terms = terms(&policy, "Europe/Lisbon", stay("2027-02-12", "2027-02-13"), &[usd(10_000)]);
    let booked = at("2027-02-02T10:00:00Z");
    assert_eq!(terms.penalty_at(booked, at("2027-02-02T13:59:59Z")), usd(0));
    assert_eq!(terms.penalty_at(booked, at("2027-02-02T14:00:00Z")), usd(0));
    assert_eq!(terms.penalty_at(booked, at("2027-02-02T14:00:01Z")), usd(10_000));
    assert_eq!(terms.free_until(booked), FreeUntil::Instant(at("2027-02-02T14:00:00Z")));
    let kept: Vec<_> = terms.deadlines_of(booked).into_iter().map(|d| (d.until, d.penalty)).collect();
    assert_eq!(kept, [(Some(at("2027-02-02T14:00:00Z")), usd(0)), (None, usd(10_000))]);
    assert!(!terms.is_refundable(), "the grace period does not count");
    let late = at("2027-02-11T10:00:00Z");
    assert_eq!(terms.penalty_at(late, late), usd(10_000), "arrival tomorrow: no grace");
    // Rooms are ready at 15:00 on the 12th.
    let (before, within) = (at("2027-02-10T14:59:59Z"), at("2027-02-10T15:00:00Z"));
    assert_eq!(terms.penalty_at(before, before), usd(0));
    assert_eq!(terms.penalty_at(within, within), usd(10_000), "48 hours before check-in: no grace");
}

#[test]
fn far_ahead_a_non_refundable_stay_is_free() {
    let weeks = Exceptions { free_hours_after_booking: 0, free_weeks_before: 4 };
    let policy = CancellationPolicy { exceptions: weeks, ..CancellationPolicy::of_tiers(vec![always(Penalty::Full)]) };
    let terms = terms(&policy, "Europe/Lisbon", stay("2027-02-12", "2027-02-13"), &[usd(10_000)]);
    let until = at("2027-01-15T15:00:00Z");
    assert_eq!(terms.penalty_at(until, until), usd(0));
    assert!(terms.is_refundable());
    assert_eq!(terms.penalty_at(until, at("2027-01-15T15:00:01Z")), usd(10_000));
    let stay = stay("2027-02-12", "2027-02-13");
    let late = terms_at("2027-01-15T15:00:01Z", &policy, "Europe/Lisbon", stay, &[usd(10_000)]);
    assert!(!late.is_refundable());
}

#[test]
fn far_ahead_tiers_that_end_earlier_do_not_count() {
    let weeks = Exceptions { free_hours_after_booking: 0, free_weeks_before: 4 };
    let tiers = vec![days(60, 18, Penalty::None), days(40, 18, Penalty::Nights(1)), days(7, 18, Penalty::Nights(2))];
    let tiers = tiers.into_iter().chain([always(Penalty::Full)]).collect();
    let policy = CancellationPolicy { exceptions: weeks, ..CancellationPolicy::of_tiers(tiers) };
    let terms = terms(&policy, "Europe/Lisbon", stay("2027-02-12", "2027-02-15"), &[usd(10_000); 3]);
    let kept: Vec<_> = terms.deadlines.iter().map(|d| (d.until, d.penalty.minor())).collect();
    let expected = [(Some(at("2027-01-15T15:00:00Z")), 0), (Some(at("2027-02-05T18:00:00Z")), 20_000), (None, 30_000)];
    assert_eq!(kept, expected);
}

#[test]
fn stay_that_touches_a_non_refundable_night_is_kept_in_full() {
    let event = DateRange::new(date(2027, 6, 10), date(2027, 6, 12)).unwrap();
    let free = vec![days(1, 18, Penalty::None), always(Penalty::Nights(1))];
    let policy = CancellationPolicy { non_refundable: vec![event], ..CancellationPolicy::of_tiers(free) };
    let kept = |check_in, check_out| {
        let nights = [usd(10_000), usd(10_000)];
        let terms = terms(&policy, "Europe/Lisbon", stay(check_in, check_out), &nights);
        terms.penalty_at(at("2027-01-01T00:00:00Z"), at("2027-02-01T00:00:00Z"))
    };
    assert_eq!(kept("2027-06-09", "2027-06-11"), usd(20_000));
    assert_eq!(kept("2027-06-12", "2027-06-14"), usd(0));
}

#[test]
fn booked_after_all_free_deadlines_is_not_refundable() {
    let policy = CancellationPolicy::of_tiers(vec![days(1, 18, Penalty::None), always(Penalty::Nights(1))]);
    let offered = |now| terms_at(now, &policy, "Europe/Lisbon", stay("2027-02-12", "2027-02-13"), &[usd(10_000)]);
    assert!(offered("2027-02-11T18:00:00Z").is_refundable());
    let late = offered("2027-02-11T18:00:01Z");
    assert!(!late.is_refundable());
    assert_eq!(late.deadlines, [Deadline { until: None, penalty: usd(10_000) }], "no deadline that is over");
}

#[test]
fn hours_before_that_exceed_the_lead_time_leave_nothing_free() {
    let tier = Tier { until: Until::HoursBefore { hours: 72, anchor: Anchor::ArrivalTime }, penalty: Penalty::None };
    let policy = CancellationPolicy::of_tiers(vec![tier, always(Penalty::Full)]);
    let dates = stay("2027-02-12", "2027-02-13");
    let terms = terms_at("2027-02-10T12:00:00Z", &policy, "Europe/Lisbon", dates, &[usd(10_000)]);
    assert!(!terms.is_refundable());
    assert_eq!(terms.free_until(at("2027-02-10T12:00:00Z")), FreeUntil::Never);
}

/// PARTNER-SPEC 6, rule 10: by default a no-show costs what the last tier keeps.
#[test]
fn no_show_without_a_penalty_of_its_own_keeps_that_of_the_last_tier() {
    let policy = CancellationPolicy { no_show: None, ..six_tiers() };
    let nights = [usd(10_000), usd(12_000), usd(12_000)];
    let terms = terms(&policy, "America/New_York", stay("2027-10-15", "2027-10-18"), &nights);
    assert_eq!(terms.no_show, usd(27_200));
}

#[test]
fn no_show_can_be_reported_from_midnight_after_arrival_to_48_hours_after_check_out() {
    let terms = terms(&six_tiers(), "Pacific/Auckland", stay("2027-02-12", "2027-02-14"), &[usd(1), usd(1)]);
    assert!(!terms.accepts_no_show(at("2027-02-12T10:59:59Z")), "23:59:59 in Auckland");
    assert!(terms.accepts_no_show(at("2027-02-12T11:00:00Z")));
    assert!(terms.accepts_no_show(at("2027-02-15T11:00:00Z")), "00:00 of 16 February in Auckland");
    assert!(!terms.accepts_no_show(at("2027-02-15T11:00:01Z")));
}

#[test]
fn no_show_can_be_reported_on_the_day_of_arrival_if_the_hotel_waits_no_longer() {
    let policy = CancellationPolicy { same_day_until: Some(time(18, 0, 0, 0)), ..six_tiers() };
    let terms = terms(&policy, "Pacific/Auckland", stay("2027-02-12", "2027-02-14"), &[usd(1), usd(1)]);
    assert!(!terms.accepts_no_show(at("2027-02-12T04:59:59Z")), "17:59:59 in Auckland");
    assert!(terms.accepts_no_show(at("2027-02-12T05:00:00Z")));
    assert_eq!(terms.cancel_before, at("2027-02-12T11:00:00Z"), "until then it can be cancelled as well");
}

#[test]
fn cancellation_ends_and_no_show_begins_when_the_day_of_arrival_ends() {
    let time = HotelTime::parse("Europe/Lisbon", "15:00", "04:00").unwrap();
    let dates = stay("2027-07-01", "2027-07-02");
    let stay = Stay { dates, time: &time, rooms: RoomCount::ONE, nights: &[usd(1)], zero: usd(0) };
    let terms =
        CancellationPolicy::of_tiers(vec![always(Penalty::Full)]).resolve(&stay, at("2027-01-01T00:00:00Z")).unwrap();
    assert_eq!(terms.cancel_before, at("2027-07-02T03:00:00Z"), "04:00 in Lisbon");
    assert_eq!(terms.no_show_from, terms.cancel_before);
}

#[test]
fn deadlines_that_a_clock_change_brings_out_of_order_are_left_out() {
    // 24 hours before 00:00 of 29 March are 23:00 of 27 March, as the day of the change has 23 hours.
    let hours = |hours, penalty| Tier { until: Until::HoursBefore { hours, anchor: Anchor::StartOfDay }, penalty };
    let tiers = vec![
        Tier { until: Until::DaysBefore { days: 2, at: time(23, 30, 0, 0) }, penalty: Penalty::None },
        hours(24, Penalty::Nights(1)),
        always(Penalty::Full),
    ];
    let dates = stay("2027-03-29", "2027-03-31");
    let terms = terms(&CancellationPolicy::of_tiers(tiers), "Europe/Berlin", dates, &[usd(10_000); 2]);
    let kept: Vec<_> = terms.deadlines.iter().map(|d| (d.until, d.penalty.minor())).collect();
    assert_eq!(kept, [(Some(at("2027-03-27T22:30:00Z")), 0), (None, 20_000)]);
}

fn any_penalty() -> impl Strategy<Value = Penalty> {
    prop_oneof![
        Just(Penalty::None),
        (1..=10_000).prop_map(Penalty::Percent),
        (1..=90).prop_map(Penalty::Nights),
        (1..=100_000_i64).prop_map(|minor| Penalty::Fixed(usd(minor))),
        Just(Penalty::Full),
    ]
}

proptest! {
    #[test]
    fn penalty_never_falls_with_time_and_never_exceeds_the_price(
        penalties in prop::collection::vec(any_penalty(), 1..=5),
        prices in prop::collection::vec(1..=50_000_i64, 1..=10),
        grace in prop::sample::select(vec![0, 1, 4, 24]),
        weeks in prop::sample::select(vec![0, 4, 8, 12]),
    ) {
        let last = penalties.len() - 1;
        let tiers = penalties.iter().enumerate().map(|(i, penalty)| {
            let days_before = i32::try_from(last - i).unwrap() * 3;
            if i == last { always(*penalty) } else { days(days_before, 18, *penalty) }
        });
        let exceptions = Exceptions { free_hours_after_booking: grace, free_weeks_before: weeks };
        let policy = CancellationPolicy { exceptions, ..CancellationPolicy::of_tiers(tiers.collect()) };
        prop_assume!(policy.require_monotone(time(15, 0, 0, 0)).is_ok());
        let nights: Vec<_> = prices.iter().copied().map(usd).collect();
        let check_in = date(2027, 10, 30);
        let check_out = check_in.checked_add(jiff::ToSpan::days(i64::try_from(nights.len()).unwrap())).unwrap();
        let terms = terms(&policy, "Europe/Berlin", StayDates::new(check_in, check_out).unwrap(), &nights);
        let booked = at("2027-06-01T00:00:00Z");
        let total: i64 = prices.iter().sum();
        let mut before = 0;
        for hour in 0..(170 * 24) {
            let kept = terms.penalty_at(booked, booked + SignedDuration::from_hours(hour)).minor();
            prop_assert!(before <= kept && kept <= total);
            let mut listed = terms.deadlines_of(booked).into_iter();
            let now = booked + SignedDuration::from_hours(hour);
            let listed = listed.find(|deadline| deadline.until.is_none_or(|until| now <= until)).unwrap();
            prop_assert_eq!(listed.penalty.minor(), kept, "the list says the same");
            before = kept;
        }
        prop_assert!(before <= terms.no_show.minor());
    }

    #[test]
    fn terms_of_rooms_keep_together_what_the_terms_of_all_keep_and_never_more_than_a_room_costs(
        totals in prop::collection::vec(prop_oneof![0..10_i64, 0..1_000_000_i64], 1..=20),
        shares in prop::collection::vec(0..=100_i64, 2..=5),
        rising in prop::bool::weighted(0.9),
    ) {
        let total: i64 = totals.iter().sum();
        let mut kept: Vec<_> = shares.iter().map(|share| total * share / 100).collect();
        if rising {
            kept.sort_unstable();
        }
        let whole = terms_that_keep(&kept);
        let totals: Vec<_> = totals.into_iter().map(usd).collect();
        let rooms = whole.split(&totals).unwrap();
        for (room, total) in rooms.iter().zip(&totals) {
            let penalties = kept_by(room);
            prop_assert!(penalties.iter().all(|penalty| (0..=total.minor()).contains(penalty)));
            prop_assert!(!rising || penalties.is_sorted(), "{:?}", penalties);
        }
        let (first, others) = rooms.split_first().unwrap();
        let together = others.iter().try_fold(first.clone(), |sum, room| sum.together(room)).unwrap();
        prop_assert_eq!(together, whole);
    }
}

/// Terms with these penalties, a day apart, the last of which is for a no-show.
fn terms_that_keep(penalties: &[i64]) -> CancellationTerms {
    let whole = terms(&six_tiers(), "Europe/Lisbon", stay("2027-10-15", "2027-10-16"), &[usd(1)]);
    let (no_show, tiers) = penalties.split_last().unwrap();
    let untils = (0..).map(|day| at("2027-10-08T17:00:00Z") + SignedDuration::from_hours(24 * day));
    let deadlines = tiers.iter().zip(untils);
    let mut deadlines: Vec<_> =
        deadlines.map(|(penalty, until)| Deadline { until: Some(until), penalty: usd(*penalty) }).collect();
    deadlines.last_mut().unwrap().until = None;
    CancellationTerms { deadlines, no_show: usd(*no_show), ..whole }
}

/// What the deadlines and a no-show keep, in minor units.
fn kept_by(terms: &CancellationTerms) -> Vec<i64> {
    terms.deadlines.iter().map(|deadline| deadline.penalty.minor()).chain([terms.no_show.minor()]).collect()
}

#[test]
fn split_of_a_rising_penalty_never_lowers_that_of_a_room() {
    let rooms = terms_that_keep(&[2, 3, 3]).split(&[usd(1); 5]).unwrap();
    let kept: Vec<_> = rooms.iter().map(kept_by).collect();
    assert_eq!(kept, [[0, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 1], [1, 1, 1]]);
}

#[test]
fn split_of_a_no_show_cheaper_than_the_last_tier_keeps_at_most_what_each_room_costs() {
    let rooms = terms_that_keep(&[5, 5, 3]).split(&[usd(1); 5]).unwrap();
    let kept: Vec<_> = rooms.iter().map(kept_by).collect();
    assert_eq!(kept, [[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 0]]);
}

#[test]
fn rooms_that_begin_on_different_days_keep_together_what_each_keeps() {
    let policy = CancellationPolicy::of_tiers(vec![days(1, 18, Penalty::None), always(Penalty::Full)]);
    let one = terms(&policy, "Europe/Lisbon", stay("2027-02-12", "2027-02-13"), &[usd(10_000)]);
    let two = terms(&policy, "Europe/Lisbon", stay("2027-02-14", "2027-02-15"), &[usd(20_000)]);
    let both = one.together(&two).unwrap();
    let kept: Vec<_> = both.deadlines.iter().map(|d| (d.until, d.penalty.minor())).collect();
    let expected = [(Some(at("2027-02-11T18:00:00Z")), 0), (Some(at("2027-02-13T18:00:00Z")), 10_000), (None, 30_000)];
    assert_eq!(kept, expected);
    assert_eq!(both.cancel_before, one.cancel_before);
}

#[test]
fn no_show_of_rooms_whose_dates_are_apart_can_be_reported_after_the_last_day_of_arrival() {
    let policy = CancellationPolicy::of_tiers(vec![always(Penalty::Full)]);
    let one = terms(&policy, "Europe/Lisbon", stay("2027-02-12", "2027-02-13"), &[usd(10_000)]);
    let two = terms(&policy, "Europe/Lisbon", stay("2027-02-20", "2027-02-21"), &[usd(20_000)]);
    for both in [one.together(&two).unwrap(), two.together(&one).unwrap()] {
        assert!(!both.accepts_no_show(at("2027-02-20T23:59:59Z")));
        assert!(both.accepts_no_show(at("2027-02-21T00:00:00Z")));
        assert!(both.accepts_no_show(at("2027-02-23T00:00:00Z")), "48 hours after the last check-out");
        assert!(!both.accepts_no_show(at("2027-02-23T00:00:01Z")));
    }
}
