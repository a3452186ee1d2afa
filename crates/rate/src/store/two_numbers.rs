//! The form that cancellation policies had before they had tiers: free until some hours before the day of arrival, and a
//! share of the total after that. Rates that were never set since have it, and the release before reads and writes it.

use staymesh_domain::{Anchor, CancellationPolicy, Exceptions, Penalty, PenaltyBase, Tier, Until};

/// The columns `free_until_hours_before` and `late_penalty_percent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TwoNumbers {
    /// Free until so many hours before 00:00 of the check-in date, 0 to 8,760: at the hotel, but in UTC for the release
    /// before.
    pub(super) free_until_hours_before: i32,
    /// Share of the total that is kept after that, 0 to 100 per cent.
    pub(super) late_penalty_percent: i32,
}

impl TwoNumbers {
    const MAX_HOURS: i32 = 8_760;

    /// The policy that the numbers state, in the hotel's time.
    pub(super) fn policy(self) -> CancellationPolicy {
        let last = match self.late_penalty_percent {
            0 => Penalty::None,
            100 => Penalty::Full,
            percent => Penalty::Percent(percent * 100),
        };
        let free = Tier {
            until: Until::HoursBefore { hours: self.free_until_hours_before, anchor: Anchor::StartOfDay },
            penalty: Penalty::None,
        };
        let always = Tier { until: Until::Always, penalty: last };
        CancellationPolicy::of_tiers(if last == Penalty::None { vec![always] } else { vec![free, always] })
    }

    /// The numbers under which the release before sells while both serve: the policy if they can state it, or else terms
    /// that never keep more than the policy does, but for the zone: that release counts from 00:00 UTC, up to 12 hours
    /// earlier than at a hotel west of Greenwich.
    pub(super) fn of(policy: &CancellationPolicy) -> Self {
        let free = policy.tiers.iter().rev().find(|tier| tier.penalty == Penalty::None);
        let plain = policy.base == PenaltyBase::WithTaxes && policy.exceptions == Exceptions::default();
        let first = policy.tiers.iter().map(|tier| tier.penalty).find(|penalty| *penalty != Penalty::None);
        let late_penalty_percent = match first.filter(|_| plain) {
            Some(Penalty::Full) => 100,
            Some(Penalty::Percent(basis_points)) => basis_points / 100,
            // Shares of a price that is not known here, or exceptions that the numbers cannot state.
            Some(Penalty::None | Penalty::Nights(_) | Penalty::Fixed(_)) | None => 0,
        };
        let hours = free.map_or(Self::MAX_HOURS, |tier| whole_hours_before(tier.until)).clamp(0, Self::MAX_HOURS);
        Self { free_until_hours_before: hours, late_penalty_percent }
    }
}

/// Whole hours from the deadline to 00:00 of the day of arrival, rounded in favour of the guest.
fn whole_hours_before(until: Until) -> i32 {
    match until {
        Until::HoursBefore { hours, anchor: Anchor::StartOfDay } => hours,
        // The check-in time is at most a day after 00:00.
        Until::HoursBefore { hours, anchor: Anchor::ArrivalTime } => hours - 24,
        Until::DaysBefore { days, at } => days * 24 - i32::from(at.hour()) - i32::from(at.minute() > 0),
        Until::Always => 0,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_become_the_same_policy_in_the_hotels_time() {
        let policy = TwoNumbers { free_until_hours_before: 48, late_penalty_percent: 30 }.policy();
        let until = Until::HoursBefore { hours: 48, anchor: Anchor::StartOfDay };
        let expected =
            [Tier { until, penalty: Penalty::None }, Tier { until: Until::Always, penalty: Penalty::Percent(3_000) }];
        assert_eq!(policy.tiers, expected);
        assert_eq!(policy.no_show, None, "as the latest cancellation");
        let free = TwoNumbers { free_until_hours_before: 48, late_penalty_percent: 0 }.policy();
        assert_eq!(free.tiers, [Tier { until: Until::Always, penalty: Penalty::None }]);
    }

    #[test]
    fn policy_of_many_tiers_is_sold_by_the_release_before_in_favour_of_the_guest() {
        let days = |days, hour, penalty| Tier { until: Until::DaysBefore { days, at: time(hour, 0, 0, 0) }, penalty };
        let always = |penalty| Tier { until: Until::Always, penalty };
        let of = |tiers| TwoNumbers::of(&CancellationPolicy::of_tiers(tiers));
        let numbers = |free_until_hours_before, late_penalty_percent| TwoNumbers {
            free_until_hours_before,
            late_penalty_percent,
        };
        assert_eq!(of(vec![days(2, 18, Penalty::None), always(Penalty::Percent(5_050))]), numbers(30, 50));
        assert_eq!(of(vec![days(2, 18, Penalty::None), always(Penalty::Nights(1))]), numbers(30, 0));
        assert_eq!(of(vec![days(0, 18, Penalty::None), always(Penalty::Full)]), numbers(0, 100));
        assert_eq!(of(vec![always(Penalty::Full)]), numbers(8_760, 100), "never free");
        let rising = vec![days(7, 0, Penalty::None), days(2, 0, Penalty::Percent(2_000)), always(Penalty::Full)];
        assert_eq!(of(rising), numbers(168, 20), "the first penalty");
        let without_taxes = CancellationPolicy {
            base: PenaltyBase::WithoutTaxes,
            ..CancellationPolicy::of_tiers(vec![always(Penalty::Full)])
        };
        assert_eq!(TwoNumbers::of(&without_taxes), numbers(8_760, 0));
    }

    proptest! {
        #[test]
        fn numbers_read_back_from_their_policy_are_the_same(hours in 0..=8_760, percent in 1..=100) {
            let numbers = TwoNumbers { free_until_hours_before: hours, late_penalty_percent: percent };
            let policy = numbers.policy();
            prop_assert!(policy.validate().is_ok());
            prop_assert!(policy.require_monotone(time(15, 0, 0, 0)).is_ok());
            prop_assert_eq!(TwoNumbers::of(&policy), numbers);
        }
    }
}
