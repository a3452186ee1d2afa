//! Refunds of a quote, and its persisted JSON form.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

/// An amount in euros, from cents.
pub(crate) fn euros(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().expect("a currency")).expect("an amount")
}

/// One night without taxes, in cents: free until 48 hours before, then 30 % are kept.
pub(crate) fn quote(total_minor: i64) -> Quote {
    Quote {
        nights: vec![Night { date: date(2030, 1, 1), price: euros(total_minor) }],
        subtotal: euros(total_minor),
        taxes: vec![],
        total: euros(total_minor),
        free_until_hours_before: 48,
        late_penalty_percent: 30,
    }
}

fn stay() -> StayDates {
    StayDates::parse("2030-01-01", "2030-01-02").expect("a stay")
}

/// As `reservation.price` and offer tokens have had it since the first release.
const STORED: &str = concat!(
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
        free_until_hours_before: 48,
        late_penalty_percent: 30,
    };
    assert_eq!(read, expected);
    assert_eq!(serde_json::to_string(&read).expect("writes"), STORED);
}

#[test]
fn stored_json_reads_in_the_key_order_of_jsonb() {
    let jsonb = r#"{"taxes": [{"name": "City tax", "minor": 2709}], "nights": [{"date": "2030-01-01", "minor": 12900},
        {"date": "2030-01-02", "minor": 13950}], "currency": "EUR", "total_minor": 56409, "subtotal_minor": 53700,
        "late_penalty_percent": 30, "free_until_hours_before": 48}"#;
    let read: Quote = serde_json::from_str(jsonb).expect("reads");
    assert_eq!(serde_json::to_string(&read).expect("writes"), STORED);
}

#[test]
fn json_with_unknown_currency_or_without_policy_is_an_error() {
    for (part, replacement) in
        [(r#""EUR""#, r#""XXQ""#), (r#""late_penalty_percent":30"#, r#""late":30"#), ("2030-01-01", "2030-02-30")]
    {
        assert!(STORED.contains(part));
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
fn refund_is_full_until_the_free_period_ends_and_less_the_penalty_after_it() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let refund = |now| quote(10_001).refund(stay(), at(now)).expect("a refund").minor();
    assert_eq!(refund("2029-12-30T00:00:00Z"), 10_001);
    assert_eq!(refund("2029-12-30T00:00:01Z"), 7_001);
    assert_eq!(refund("2031-01-01T00:00:00Z"), 7_001);
}

proptest! {
    #[test]
    fn refund_is_never_negative_and_never_above_the_total(
        total in 0..=1_000_000_000i64, hours in 0..=8_760i32, penalty in 0..=100i32, now in 1_700_000_000..2_000_000_000i64,
    ) {
        let quote = Quote { free_until_hours_before: hours, late_penalty_percent: penalty, ..quote(total) };
        let now = Timestamp::from_second(now).expect("a time");
        let refund = quote.refund(stay(), now).expect("a refund").minor();
        prop_assert!((0..=total).contains(&refund));
        // A no-show is refunded what a late cancellation is, at any time.
        let late = quote.late_refund().expect("a refund").minor();
        prop_assert!(refund == total || refund == late);
        prop_assert!((total - late - total * i64::from(penalty) / 100).abs() <= 1);
    }
}
