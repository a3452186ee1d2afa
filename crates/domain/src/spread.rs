//! Allocation of an amount.

use crate::{Money, MoneyError};

impl Money {
    /// The parts of this amount in proportion to `weights`, which are not negative. They add up to it: each part is the
    /// difference of two cumulative sums that are rounded down. If all weights are zero, the first part is all.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`], which weights that are negative can lead to.
    pub fn spread(self, weights: &[Self]) -> Result<Vec<Self>, MoneyError> {
        let total: i128 = weights.iter().map(|weight| i128::from(weight.minor())).sum();
        let (mut weighed, mut given) = (0_i128, 0_i64);
        let mut parts = Vec::with_capacity(weights.len());
        for weight in weights {
            weighed += i128::from(weight.minor());
            let share = (i128::from(self.minor()) * weighed).checked_div(total);
            let until = share.map_or(Ok(self.minor()), i64::try_from).map_err(|_| MoneyError::TooLarge)?;
            parts.push(Self::from_minor(until - given, self.currency())?);
            given = until;
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn euros(minor: i64) -> Money {
        Money::from_minor(minor, "EUR".parse().unwrap()).unwrap()
    }

    #[test]
    fn parts_are_in_proportion_and_lose_no_cent() {
        let spread = |minor, weights: &[i64]| {
            let weights: Vec<_> = weights.iter().copied().map(euros).collect();
            euros(minor).spread(&weights).unwrap().into_iter().map(Money::minor).collect::<Vec<_>>()
        };
        assert_eq!(spread(100, &[1, 1, 1]), [33, 33, 34]);
        assert_eq!(spread(10, &[300, 100]), [7, 3]);
        assert_eq!(spread(5, &[0, 0]), [5, 0]);
        assert!(spread(5, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn parts_add_up(minor in 0..1_000_000_000_i64, weights in proptest::collection::vec(0..1_000_000_i64, 1..20)) {
            let weights: Vec<_> = weights.into_iter().map(euros).collect();
            let parts = euros(minor).spread(&weights).unwrap();
            prop_assert!(parts.iter().all(|part| !part.is_negative()));
            prop_assert_eq!(parts.into_iter().map(Money::minor).sum::<i64>(), minor);
        }
    }
}
