//! Refunds of a quote, and its persisted JSON form.

use jiff::civil::date;
use staymesh_domain::{Anchor, CancellationPolicy, Deadline, Grace, HotelTime, Penalty, Stay, StayDates, Tier, Until};

use super::*;

/// An amount in euros, from cents.
pub(crate) fn euros(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().expect("a currency")).expect("an amount")
}

/// One night from 2030-01-01 without taxes, in cents: free until two days before at 00:00 UTC, then 30 % are kept.
pub(crate) fn quote(total_minor: i64) -> Quote {
    let price = euros(total_minor);
    Quote {
        nights: vec![Night { date: date(2030, 1, 1), price }],
        subtotal: price,
        taxes: vec![],
        total: price,
        terms: terms(euros(0), price.percent_basis_points(3_000).expect("a share")),
        two_numbers: None,
    }
}

/// Terms of one night from 2030-01-01 in Greenwich: until two days before at 00:00 `first` is kept, then `last`.
pub(crate) fn terms(first: Money, last: Money) -> CancellationTerms {
    CancellationTerms {
        deadlines: vec![
            Deadline { until: Some(at("2029-12-30T00:00:00Z")), penalty: first },
            Deadline { until: None, penalty: last },
        ],
        grace: None,
        cancel_before: at("2030-01-02T00:00:00Z"),
        no_show: last,
        no_show_from: at("2030-01-02T00:00:00Z"),
        no_show_until: at("2030-01-04T00:00:00Z"),
    }
}

/// A stay at this price at a hotel in Greenwich, offered long before: free until 48 hours before the day of arrival, then so
/// many per cent are kept.
pub(crate) fn quote_for(stay: StayDates, total_minor: i64, late_percent: i32) -> Quote {
    let free = Until::HoursBefore { hours: 48, anchor: Anchor::StartOfDay };
    let late = if late_percent == 0 { Penalty::None } else { Penalty::Percent(late_percent * 100) };
    let policy = CancellationPolicy::of_tiers(vec![
        Tier { until: free, penalty: Penalty::None },
        Tier { until: Until::Always, penalty: late },
    ]);
    let time = HotelTime::parse("Etc/UTC", "15:00", "00:00").expect("a calendar");
    let (nights, zero) = ([euros(total_minor)], euros(0));
    let of = Stay { dates: stay, time: &time, rooms: RoomCount::ONE, nights: &nights, zero };
    let terms = policy.resolve(&of, Timestamp::UNIX_EPOCH).expect("terms");
    let nights = vec![Night { date: stay.check_in(), price: euros(total_minor) }];
    Quote { nights, terms, ..quote(total_minor) }
}

/// A price as releases before wrote it: free until 48 hours before 00:00 UTC of the check-in date, then 30 % are kept.
pub(crate) fn quote_before(stay: StayDates, total_minor: i64) -> Quote {
    let numbers = TwoNumbers { free_until_hours_before: 48, late_penalty_percent: 30 };
    let total = euros(total_minor);
    Quote {
        nights: stay.nights().map(|date| Night { date, price: euros(0) }).collect(),
        terms: numbers.terms(stay, total).expect("terms"),
        two_numbers: Some(numbers),
        ..quote(total_minor)
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// As `reservation.price` and offer tokens have it.
const STORED: &str = concat!(
    r#"{"currency":"EUR","nights":[{"date":"2030-01-01","minor":12900},{"date":"2030-01-02","minor":13950}],"#,
    r#""subtotal_minor":53700,"taxes":[{"name":"City tax","minor":2709}],"total_minor":56409,"#,
    r#""free_until_hours_before":48,"late_penalty_percent":22,"cancellation":{"deadlines":["#,
    r#"{"until":"2029-12-30T00:00:00Z","minor":0},{"minor":12900}],"#,
    r#""cancel_before":"2030-01-02T00:00:00Z","no_show_minor":12900,"#,
    r#""no_show_from":"2030-01-02T00:00:00Z","no_show_until":"2030-01-04T00:00:00Z"}}"#
);

/// As they had it from the first release on until the terms were instants and amounts.
const STORED_BEFORE: &str = concat!(
    r#"{"currency":"EUR","nights":[{"date":"2030-01-01","minor":12900},{"date":"2030-01-02","minor":13950}],"#,
    r#""subtotal_minor":53700,"taxes":[{"name":"City tax","minor":2709}],"total_minor":56409,"#,
    r#""free_until_hours_before":48,"late_penalty_percent":30}"#
);

#[test]
fn stored_json_reads_and_writes_byte_for_byte() {
    let read: Quote = serde_json::from_str(STORED).expect("reads");
    let expected = Quote {
        nights: vec![
            Night { date: date(2030, 1, 1), price: euros(12_900) },
            Night { date: date(2030, 1, 2), price: euros(13_950) },
        ],
        subtotal: euros(53_700),
        taxes: vec![TaxLine { name: "City tax".into(), amount: euros(2_709) }],
        total: euros(56_409),
        terms: terms(euros(0), euros(12_900)),
        two_numbers: None,
    };
    assert_eq!(read, expected);
    assert_eq!(serde_json::to_string(&read).expect("writes"), STORED);
    let graced = Grace { hours: 4, booked_before: at("2029-12-30T15:00:00Z") };
    let graced = Quote { terms: CancellationTerms { grace: Some(graced), ..read.terms.clone() }, ..read };
    let written = serde_json::to_string(&graced).expect("writes");
    assert!(written.contains(r#""grace":{"hours":4,"booked_before":"2029-12-30T15:00:00Z"}"#), "{written}");
    assert_eq!(serde_json::from_str::<Quote>(&written).expect("reads"), graced);
}

#[test]
fn stored_json_of_the_release_before_keeps_its_two_numbers_and_its_refunds() {
    let read: Quote = serde_json::from_str(STORED_BEFORE).expect("reads");
    let refund = |now| read.refund(at("2029-11-01T00:00:00Z"), at(now)).expect("a refund").minor();
    assert_eq!(refund("2029-12-30T00:00:00Z"), 56_409);
    assert_eq!(refund("2029-12-30T00:00:00.000001Z"), 56_409 - 16_923);
    assert_eq!(read.no_show_refund().expect("a refund"), euros(56_409 - 16_923));
    assert_eq!(serde_json::to_string(&read).expect("writes"), STORED_BEFORE, "byte for byte");
}

#[test]
fn price_for_the_release_before_has_two_numbers_and_no_terms() {
    let read: Quote = serde_json::from_str(STORED).expect("reads");
    let (price, _) = STORED.split_once(r#","cancellation""#).expect("terms");
    assert_eq!(serde_json::to_string(&ForReleaseBefore(&read)).expect("writes"), format!("{price}}}"));
}

#[test]
fn stored_json_reads_in_the_key_order_of_jsonb() {
    let jsonb = r#"{"taxes": [{"name": "City tax", "minor": 2709}], "nights": [{"date": "2030-01-01", "minor": 12900},
        {"date": "2030-01-02", "minor": 13950}], "currency": "EUR", "total_minor": 56409, "subtotal_minor": 53700,
        "cancellation": {"deadlines": [{"minor": 0, "until": "2029-12-30T00:00:00Z"}, {"minor": 12900}],
        "no_show_from": "2030-01-02T00:00:00Z", "cancel_before": "2030-01-02T00:00:00Z", "no_show_minor": 12900,
        "no_show_until": "2030-01-04T00:00:00Z"}, "late_penalty_percent": 22, "free_until_hours_before": 48}"#;
    let read: Quote = serde_json::from_str(jsonb).expect("reads");
    assert_eq!(serde_json::to_string(&read).expect("writes"), STORED);
}

#[test]
fn json_with_unknown_currency_or_without_usable_terms_is_an_error() {
    for (part, replacement) in [
        (r#""EUR""#, r#""XXQ""#),
        (r#""late_penalty_percent":22"#, r#""late":22"#),
        ("2030-01-01\"", "2030-02-30\""),
        (r#""no_show_minor":12900"#, r#""no_show_minor":56410"#),
        (r#",{"minor":12900}]"#, "]"),
        (r#"2029-12-30T00:00:00Z","minor":0"#, r#"2029-12-30T00:00:00Z","minor":-1"#),
    ] {
        assert!(STORED.contains(part), "{part}");
        assert!(serde_json::from_str::<Quote>(&STORED.replace(part, replacement)).is_err(), "{replacement}");
    }
}

#[test]
fn quote_with_two_currencies_is_not_written() {
    let dollars = Money::from_minor(0, "USD".parse().expect("a currency")).expect("an amount");
    let mixed = Quote { taxes: vec![TaxLine { name: "tax".into(), amount: dollars }], ..quote(100) };
    assert!(serde_json::to_string(&mixed).is_err());
    assert!(matches!(mixed.require_sums(RoomCount::ONE), Err(QuoteError::Money(MoneyError::CurrencyMismatch))));
}

#[test]
fn refund_is_the_rest_of_the_penalty_at_every_deadline() {
    let refund = |now| quote(10_001).refund(at("2029-12-01T00:00:00Z"), at(now)).expect("a refund").minor();
    assert_eq!(refund("2029-12-30T00:00:00Z"), 10_001);
    assert_eq!(refund("2029-12-30T00:00:00.000001Z"), 7_001);
    assert_eq!(refund("2031-01-01T00:00:00Z"), 7_001);
    assert_eq!(quote(1_661).no_show_refund().expect("a refund"), euros(1_163), "30 % of 16.61 are 4.98");
    // PARTNER-SPEC 6, rule 14 and its example: kept 8.30, refunded 8.31.
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    let half = quote_for(stay, 1_661, 50);
    let late = half.terms.cancel_before - jiff::SignedDuration::from_hours(1);
    let kept = half.terms.penalty_at(Timestamp::UNIX_EPOCH, late);
    let refund = half.refund(Timestamp::UNIX_EPOCH, late).expect("a refund");
    assert_eq!((kept, refund), (euros(830), euros(831)));
}
