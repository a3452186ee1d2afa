//! What is kept of the nights that guests do not sleep because they leave early.

use super::penalty::lesser;
use super::{Penalty, PenaltyBase};
use crate::{Money, MoneyError, RoomCount};

/// The rule of a booking for guests who leave early. Unlike the penalties of a cancellation it is no amount, because that
/// depends on the nights that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlyDeparture {
    /// How much is kept of the nights not slept: [`Penalty::Nights`] counts from the first of them.
    pub penalty: Penalty,
    /// What it is a share of.
    pub base: PenaltyBase,
}

/// All that was paid for them.
impl Default for EarlyDeparture {
    fn default() -> Self {
        Self { penalty: Penalty::Full, base: PenaltyBase::WithTaxes }
    }
}

impl EarlyDeparture {
    /// What is kept of nights of one room that are not slept, of which `prices` are the prices before taxes in date order, and
    /// `paid` is what was paid for them. It is at most `paid`; the rest is refunded.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn kept(self, prices: &[Money], paid: Money) -> Result<Money, MoneyError> {
        let nights = match self.base {
            PenaltyBase::WithTaxes => paid.spread(prices)?,
            PenaltyBase::WithoutTaxes => prices.to_vec(),
        };
        let kept = self.penalty.of(&nights, RoomCount::ONE, Money::zero(paid.currency()))?;
        lesser(kept, paid)
    }

    /// The rule that keeps more; this one if that depends on the price.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let base = if self.base == other.base { self.base } else { PenaltyBase::WithTaxes };
        let penalty = if self.penalty.falls_below(other.penalty) { other.penalty } else { self.penalty };
        Self { penalty, base }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn euros(minor: i64) -> Money {
        Money::from_minor(minor, "EUR".parse().unwrap()).unwrap()
    }

    /// PARTNER-SPEC 10, example 4: two nights of 100.00 are left, and 7.00 of taxes per night.
    #[rstest]
    #[case(Penalty::None, PenaltyBase::WithTaxes, 0)]
    #[case(Penalty::Nights(1), PenaltyBase::WithoutTaxes, 10_000)]
    #[case(Penalty::Nights(1), PenaltyBase::WithTaxes, 10_700)]
    #[case(Penalty::Nights(3), PenaltyBase::WithTaxes, 21_400)]
    #[case(Penalty::Percent(5_000), PenaltyBase::WithTaxes, 10_700)]
    #[case(Penalty::Fixed(euros(2_500)), PenaltyBase::WithTaxes, 2_500)]
    #[case(Penalty::Fixed(euros(90_000)), PenaltyBase::WithTaxes, 21_400)]
    #[case(Penalty::Full, PenaltyBase::WithoutTaxes, 20_000)]
    #[case(Penalty::Full, PenaltyBase::WithTaxes, 21_400)]
    fn kept_of_two_nights(#[case] penalty: Penalty, #[case] base: PenaltyBase, #[case] kept: i64) {
        let nights = [euros(10_000), euros(10_000)];
        assert_eq!(EarlyDeparture { penalty, base }.kept(&nights, euros(21_400)), Ok(euros(kept)));
    }

    #[test]
    fn stricter_rule_keeps_more_and_includes_taxes() {
        let rule = |penalty, base| EarlyDeparture { penalty, base };
        let night = rule(Penalty::Nights(1), PenaltyBase::WithoutTaxes);
        let all = EarlyDeparture::default();
        assert_eq!((night.stricter(all), all.stricter(night)), (all, all));
        let two = rule(Penalty::Nights(2), PenaltyBase::WithoutTaxes);
        assert_eq!((night.stricter(two), two.stricter(night)), (two, two));
    }

    proptest! {
        #[test]
        fn kept_is_never_more_than_paid(
            prices in prop::collection::vec(0..=1_000_000_i64, 1..8),
            taxes in 0..=1_000_000_i64,
            share in 0..=10_000_i32,
            count in 1..=9_i32,
            without in any::<bool>(),
        ) {
            let paid = euros(prices.iter().sum::<i64>() + taxes);
            let prices: Vec<_> = prices.into_iter().map(euros).collect();
            let base = if without { PenaltyBase::WithoutTaxes } else { PenaltyBase::WithTaxes };
            let mut before = euros(0);
            for penalty in [Penalty::None, Penalty::Percent(share), Penalty::Full] {
                let kept = EarlyDeparture { penalty, base }.kept(&prices, paid).unwrap();
                prop_assert!(before.minor() <= kept.minor() && kept.minor() <= paid.minor());
                before = kept;
            }
            let nights = EarlyDeparture { penalty: Penalty::Nights(count), base }.kept(&prices, paid).unwrap();
            prop_assert!(nights.minor() <= before.minor());
        }
    }
}
