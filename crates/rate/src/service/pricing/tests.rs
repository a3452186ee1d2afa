use jiff::{ToSpan, civil::date};
use proptest::prelude::*;
use staymesh_domain::{CancellationPolicy, Currency, Penalty, Tier, Until};

use super::*;
use crate::model::{OccupancyRule, Rate};

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn euros(minor: i64) -> Money {
    Money::from_minor(minor, eur()).unwrap()
}

fn rule(sold_percent: i32, price_change_percent: i32) -> OccupancyRule {
    OccupancyRule { sold_percent, price_change_percent }
}

fn rate(base: i64, rules: Vec<OccupancyRule>) -> Prices {
    let rate = Rate {
        base_price: euros(base),
        rules,
        policy: CancellationPolicy::of_tiers(vec![Tier { until: Until::Always, penalty: Penalty::None }]),
    };
    Prices { rate, nightly: HashMap::new() }
}

fn tax(kind: TaxKind) -> Tax {
    Tax { display_name: "Tax".into(), kind }
}

fn nights(sold: &[i32]) -> Vec<(Date, i32)> {
    date(2027, 3, 1).series(1.day()).zip(sold.iter().copied()).collect()
}

fn tax_amounts(price: &StayPrice) -> Vec<Money> {
    price.taxes.iter().map(|tax| tax.amount).collect()
}

fn rooms(count: i32) -> RoomCount {
    RoomCount::try_from(count).unwrap()
}

/// Computed by hand: 100.00, 120.00 (own price), 150.00 (100 + 50 %), 96.00 (own price, 20 % off).
#[test]
fn price_stay_matches_an_example_computed_by_hand() {
    let mut rate = rate(10_000, vec![rule(10, -20), rule(50, 0), rule(80, 50)]);
    rate.nightly = [(date(2027, 3, 2), euros(12_000)), (date(2027, 3, 4), euros(12_000))].into();
    let taxes = [tax(TaxKind::BasisPoints(600)), tax(TaxKind::PerRoomNight(euros(250)))];
    let price = price_stay(&rate, &taxes, nights(&[9, 79, 110, 10]), rooms(2)).unwrap();
    let of_one_room: Vec<_> = price.nights.iter().map(|(_, price)| price.minor()).collect();
    assert_eq!(of_one_room, [10_000, 12_000, 15_000, 9_600]);
    assert_eq!(price.subtotal, euros(93_200));
    assert_eq!(tax_amounts(&price), [euros(5_592), euros(2_000)]);
    assert_eq!(price.total, euros(100_792));
}

#[test]
fn tax_is_rounded_once_per_stay() {
    // 7.5 % of 3 x 0.33 is 0.07425; rounded by night it would be 0.06.
    let price = price_stay(&rate(33, vec![]), &[tax(TaxKind::BasisPoints(750))], nights(&[0; 3]), rooms(1)).unwrap();
    assert_eq!(tax_amounts(&price), [euros(7)]);
}

#[test]
fn occupancy_rule_applies_from_its_threshold_on() {
    let rate = rate(100, vec![rule(80, 10), rule(90, 20)]);
    for (sold, expected) in [(79, 100), (80, 110), (89, 110), (90, 120), (i32::MAX, 120)] {
        assert_eq!(night_price(&rate, date(2027, 3, 1), sold), Ok(euros(expected)), "{sold}");
    }
}

#[test]
fn price_stay_beyond_the_largest_amount_is_too_large() {
    let most = rate(Money::MAX_MINOR, vec![rule(1, 400)]);
    assert_eq!(price_stay(&most, &[], nights(&[1]), rooms(1)), Err(MoneyError::TooLarge));
    assert_eq!(price_stay(&most, &[], nights(&[0, 0]), rooms(1)), Err(MoneyError::TooLarge));
    assert_eq!(price_stay(&most, &[], nights(&[0]), rooms(2)), Err(MoneyError::TooLarge));
    assert!(price_stay(&most, &[], nights(&[0]), rooms(1)).is_ok());
    let taxes = [tax(TaxKind::BasisPoints(1))];
    assert_eq!(price_stay(&most, &taxes, nights(&[0]), rooms(1)), Err(MoneyError::TooLarge));
    let yen = Money::from_minor(1, "JPY".parse().unwrap()).unwrap();
    let foreign = [tax(TaxKind::PerRoomNight(yen))];
    assert_eq!(price_stay(&most, &foreign, nights(&[0]), rooms(1)), Err(MoneyError::CurrencyMismatch));
}

fn any_rules(change: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Vec<OccupancyRule>> {
    prop::collection::btree_map(1..=100_i32, change, 0..20)
        .prop_map(|rules| rules.into_iter().map(|(sold, change)| rule(sold, change)).collect())
}

fn any_tax() -> impl Strategy<Value = Tax> {
    prop_oneof![
        (1..=10_000_i32).prop_map(|points| tax(TaxKind::BasisPoints(points))),
        (0..100_000_i64).prop_map(|minor| tax(TaxKind::PerRoomNight(euros(minor)))),
    ]
}

fn any_rate() -> impl Strategy<Value = Prices> {
    let nightly = prop::collection::hash_map(0..90_i32, 0..10_000_000_i64, 0..20);
    (0..10_000_000_i64, any_rules(-90..=400), nightly).prop_map(|(base, rules, nightly)| Prices {
        nightly: nightly.into_iter().map(|(day, minor)| (date(2027, 3, 1) + day.days(), euros(minor))).collect(),
        ..rate(base, rules)
    })
}

proptest! {
    #[test]
    fn price_stay_lines_add_up_to_the_total(
        rate in any_rate(),
        taxes in prop::collection::vec(any_tax(), 0..20),
        sold in prop::collection::vec(0..=130_i32, 1..=90),
        count in 1..=50_i32,
    ) {
        let price = price_stay(&rate, &taxes, nights(&sold), rooms(count)).unwrap();
        let of_one_room: i64 = price.nights.iter().map(|(_, price)| price.minor()).sum();
        prop_assert_eq!(price.nights.len(), sold.len());
        prop_assert!(price.nights.iter().all(|(_, price)| price.minor() >= 0));
        prop_assert_eq!(price.subtotal.minor(), of_one_room * i64::from(count));
        prop_assert_eq!(price.taxes.len(), taxes.len());
        let taxed: i64 = price.taxes.iter().map(|tax| tax.amount.minor()).sum();
        prop_assert_eq!(price.total.minor(), price.subtotal.minor() + taxed);
    }

    #[test]
    fn price_stay_with_one_more_night_is_never_cheaper(
        rate in any_rate(),
        taxes in prop::collection::vec(any_tax(), 0..5),
        sold in prop::collection::vec(0..=130_i32, 2..=90),
        count in 1..=50_i32,
    ) {
        let whole = price_stay(&rate, &taxes, nights(&sold), rooms(count)).unwrap();
        let shorter = price_stay(&rate, &taxes, nights(&sold[..sold.len() - 1]), rooms(count)).unwrap();
        prop_assert!(whole.total.minor() >= shorter.total.minor());
        prop_assert_eq!(&whole.nights[..sold.len() - 1], &shorter.nights[..]);
    }

    #[test]
    fn night_price_with_rising_rules_never_falls_with_occupancy(
        base in 0..10_000_000_i64,
        mut changes in prop::collection::vec(0..=400_i32, 0..20),
        emptier in 0..=130_i32,
        more in 0..=130_i32,
    ) {
        changes.sort_unstable();
        let rules = changes.iter().zip(1..).map(|(change, place)| rule(place * 5, *change)).collect();
        let rate = rate(base, rules);
        let at = |sold| night_price(&rate, date(2027, 3, 1), sold).unwrap().minor();
        prop_assert!(at(emptier + more) >= at(emptier));
        prop_assert!(at(emptier) >= base);
    }

    /// Compared with exact fractions: the error is below half a minor unit, and a half is rounded to even.
    #[test]
    fn night_price_rounds_half_to_even(base in 0..=Money::MAX_MINOR / 5, change in -90..=400_i32) {
        let rate = rate(base, vec![rule(1, change)]);
        let price = i128::from(night_price(&rate, date(2027, 3, 1), 1).unwrap().minor());
        let exact = i128::from(base) * i128::from(100 + change);
        let error = (price * 100 - exact).abs();
        prop_assert!(error < 50 || (error == 50 && price % 2 == 0));
    }

    #[test]
    fn price_stay_never_panics(
        base in 0..=Money::MAX_MINOR,
        rules in any_rules(-90..=400),
        sold in prop::collection::vec(any::<i32>(), 0..=90),
        count in 1..=50_i32,
        points in 1..=10_000_i32,
    ) {
        let taxes = [tax(TaxKind::BasisPoints(points)), tax(TaxKind::PerRoomNight(euros(base)))];
        let priced = price_stay(&rate(base, rules), &taxes, nights(&sold), rooms(count));
        prop_assert!(matches!(priced, Ok(_) | Err(MoneyError::TooLarge)));
    }
}

#[test]
fn dearest_stay_that_rules_and_taxes_raise_tenfold_can_be_computed() {
    let prices = rate(crate::model::MAX_PRICE_MINOR, vec![rule(1, 400)]);
    let price = |taxes: &[Tax]| price_stay(&prices, taxes, nights(&[100; 90]), rooms(50));
    let doubled = tax(TaxKind::BasisPoints(10_000));
    assert_eq!(price(std::slice::from_ref(&doubled)).unwrap().total.minor(), 900_000_000_000_000);
    assert_eq!(price(&[doubled.clone(), doubled]).unwrap_err(), MoneyError::TooLarge);
}
