//! Terms of a booking that changes: of a part of its price, and the stricter of two.

use jiff::Timestamp;

use super::penalty::greater;
use super::{CancellationTerms, Deadline};
use crate::{Money, MoneyError};

impl CancellationTerms {
    /// The terms of a booking made at `booked` with its grace period among the deadlines, and none besides.
    #[must_use]
    pub fn with_grace_resolved(self, booked: Timestamp) -> Self {
        Self { deadlines: self.deadlines_of(booked), grace: None, ..self }
    }

    /// The terms of a booking that costs `part` if these are those of one that costs `whole`: they keep the same share.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn in_proportion(&self, part: Money, whole: Money) -> Result<Self, MoneyError> {
        // Nothing is a share of nothing, and keeps none of the part.
        let share = |penalty: Money| match whole.minor() {
            0 => Ok(Money::zero(whole.currency())),
            _ => penalty.in_proportion(part, whole),
        };
        let deadlines = self.deadlines.iter();
        let deadlines = deadlines.map(|of| Ok(Deadline { until: of.until, penalty: share(of.penalty)? }));
        Ok(Self {
            deadlines: deadlines.collect::<Result<_, MoneyError>>()?,
            no_show: share(self.no_show)?,
            ..self.clone()
        })
    }

    /// These terms, which keep at every time at least what `before` keeps. Both have no grace period.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn at_least(&self, before: &Self) -> Result<Self, MoneyError> {
        Ok(Self {
            deadlines: self.merged(before, greater)?,
            no_show: greater(self.no_show, before.no_show)?,
            early_departure: self.early_departure.stricter(before.early_departure),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EarlyDeparture;

    fn euros(minor: i64) -> Money {
        Money::from_minor(minor, "EUR".parse().unwrap()).unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn terms(deadlines: &[(Option<&str>, i64)]) -> CancellationTerms {
        let deadline =
            |(until, minor): &(Option<&str>, i64)| Deadline { until: until.map(time), penalty: euros(*minor) };
        CancellationTerms {
            deadlines: deadlines.iter().map(deadline).collect(),
            grace: None,
            cancel_before: time("2030-01-10T00:00:00Z"),
            no_show: euros(deadlines.last().unwrap().1),
            no_show_from: time("2030-01-10T00:00:00Z"),
            no_show_until: time("2030-01-14T00:00:00Z"),
            early_departure: EarlyDeparture::default(),
        }
    }

    #[test]
    fn part_of_a_price_keeps_its_share_of_every_penalty() {
        let half =
            terms(&[(Some("2030-01-01T00:00:00Z"), 0), (None, 5_000)]).in_proportion(euros(3_333), euros(10_000));
        let kept: Vec<_> = half.unwrap().deadlines.iter().map(|deadline| deadline.penalty.minor()).collect();
        assert_eq!(kept, [0, 1_666], "half to even");
        let of_nothing = terms(&[(None, 0)]).in_proportion(euros(100), euros(0)).unwrap();
        assert_eq!(of_nothing.no_show, euros(0));
    }

    /// PARTNER-SPEC 6, edge case: a non-refundable booking cannot become refundable.
    #[test]
    fn stricter_terms_of_before_hold_at_every_time() {
        let free = terms(&[(Some("2030-01-05T00:00:00Z"), 0), (None, 8_000)]);
        let never = terms(&[(None, 5_000)]);
        let strict = free.at_least(&never).unwrap();
        assert!(!strict.is_refundable());
        let kept: Vec<_> = strict.deadlines.iter().map(|deadline| deadline.penalty.minor()).collect();
        assert_eq!((kept, strict.no_show), (vec![5_000, 8_000], euros(8_000)));
        assert_eq!(free.at_least(&terms(&[(None, 0)])), Ok(free));
    }
}
