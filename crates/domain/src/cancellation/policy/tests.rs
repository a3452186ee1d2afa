use jiff::civil::time;
use rstest::rstest;

use super::*;
use crate::Money;

fn usd(minor: i64) -> Money {
    Money::from_minor(minor, "USD".parse().unwrap()).unwrap()
}

fn days(days: i32, hour: i8, penalty: Penalty) -> Tier {
    Tier { until: Until::DaysBefore { days, at: time(hour, 0, 0, 0) }, penalty }
}

fn hours(hours: i32, anchor: Anchor, penalty: Penalty) -> Tier {
    Tier { until: Until::HoursBefore { hours, anchor }, penalty }
}

fn always(penalty: Penalty) -> Tier {
    Tier { until: Until::Always, penalty }
}

fn listed(result: Result<(), FieldErrors>) -> Vec<(String, String)> {
    let errors = result.err().unwrap_or_default();
    errors.into_iter().map(|error| (error.field, error.description)).collect()
}

/// The violations of form and of order, for a hotel with check-in at 15:00.
fn violations(policy: &CancellationPolicy) -> Vec<(String, String)> {
    let mut all = listed(policy.validate());
    all.extend(listed(policy.require_monotone(time(15, 0, 0, 0))));
    all
}

#[test]
fn policy_with_rising_penalties_is_accepted() {
    let tiers = vec![
        days(7, 18, Penalty::Fixed(usd(2_000))),
        days(3, 18, Penalty::Fixed(usd(5_000))),
        days(1, 18, Penalty::Nights(1)),
        days(0, 18, Penalty::Percent(5_000)),
        always(Penalty::Percent(8_000)),
    ];
    assert_eq!(
        violations(&CancellationPolicy { no_show: Some(Penalty::Full), ..CancellationPolicy::of_tiers(tiers) }),
        []
    );
}

#[rstest]
#[case::without_tiers(vec![], "tiers")]
#[case::that_ends(vec![days(1, 18, Penalty::None)], "tiers[0]")]
#[case::endless_in_the_middle(vec![always(Penalty::None), always(Penalty::Full)], "tiers[0]")]
#[case::same_deadline(
    vec![days(1, 18, Penalty::None), days(1, 18, Penalty::Nights(1)), always(Penalty::Full)],
    "tiers[1]"
)]
#[case::hours_before_arrival_time_after_days(
    // 20 hours before 15:00 are 19:00 of the day before; 18:00 of it is earlier.
    vec![hours(20, Anchor::ArrivalTime, Penalty::None), days(1, 18, Penalty::Nights(1)), always(Penalty::Full)],
    "tiers[1]"
)]
#[case::free_after_a_penalty(vec![days(1, 18, Penalty::Nights(1)), always(Penalty::None)], "tiers[1].penalty")]
#[case::falling_share(vec![days(1, 18, Penalty::Percent(5_000)), always(Penalty::Percent(4_999))], "tiers[1].penalty")]
#[case::less_than_all(vec![days(1, 18, Penalty::Full), always(Penalty::Nights(30))], "tiers[1].penalty")]
#[case::less_than_a_tier_further_up(
    vec![days(3, 18, Penalty::Percent(5_000)), days(1, 18, Penalty::Nights(1)), always(Penalty::Percent(3_000))],
    "tiers[2].penalty"
)]
#[case::share_of_nothing(vec![always(Penalty::Percent(0))], "tiers[0].penalty.basis_points")]
#[case::more_than_all(vec![always(Penalty::Percent(10_001))], "tiers[0].penalty.basis_points")]
#[case::no_night(vec![always(Penalty::Nights(0))], "tiers[0].penalty.nights")]
#[case::no_amount(vec![always(Penalty::Fixed(usd(0)))], "tiers[0].penalty.fixed")]
#[case::after_arrival(vec![hours(-1, Anchor::StartOfDay, Penalty::None), always(Penalty::Full)], "tiers[0].hours_before.hours")]
fn policy_with_a_fault_names_its_field(#[case] tiers: Vec<Tier>, #[case] field: &str) {
    let fields: Vec<_> = violations(&CancellationPolicy::of_tiers(tiers)).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, [field]);
}

#[test]
fn policy_with_several_faults_names_all_fields() {
    let policy = CancellationPolicy {
        no_show: Some(Penalty::None),
        exceptions: Exceptions { free_hours_after_booking: 2, free_weeks_before: 1 },
        ..CancellationPolicy::of_tiers(vec![always(Penalty::Full)])
    };
    let fields: Vec<_> = violations(&policy).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["free_hours_after_booking", "free_weeks_before", "no_show_penalty"]);
}

#[test]
fn no_show_is_never_cheaper_than_the_last_tier() {
    let policy = CancellationPolicy {
        no_show: Some(Penalty::Percent(5_000)),
        ..CancellationPolicy::of_tiers(vec![always(Penalty::Percent(8_000))])
    };
    assert_eq!(violations(&policy), [("no_show_penalty".to_owned(), PolicyError::FallingPenalty.to_string())]);
}

#[test]
fn no_show_is_never_cheaper_than_a_tier_of_its_kind_before_the_last() {
    let tiers = vec![days(1, 18, Penalty::Percent(5_000)), always(Penalty::Nights(1))];
    let policy = CancellationPolicy { no_show: Some(Penalty::Percent(3_000)), ..CancellationPolicy::of_tiers(tiers) };
    assert_eq!(violations(&policy), [("no_show_penalty".to_owned(), PolicyError::FallingPenalty.to_string())]);
}
