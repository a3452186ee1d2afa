//! Penalties: how much of a stay's price is kept.

use crate::{Money, MoneyError, RoomCount};

/// How much is kept of the price of a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Penalty {
    /// Nothing.
    None,
    /// A share of the price of the stay in basis points, 1 to 10,000: 5,000 is a half.
    Percent(i32),
    /// The price of the first nights, 1 or more; at most the whole stay.
    Nights(i32),
    /// A fixed amount for each room, in the hotel's currency; at most the price of the stay.
    Fixed(Money),
    /// The price of the stay.
    Full,
}

impl Penalty {
    /// All of an amount, in basis points.
    pub const ALL: i32 = 10_000;

    /// The amount that is kept of a stay of `rooms` rooms with these prices of its nights, each for all rooms, in date order.
    /// Shares are rounded to the minor unit, half to even; what is refunded is the rest, so that both add up to what was
    /// paid.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn of(self, nights: &[Money], rooms: RoomCount, zero: Money) -> Result<Money, MoneyError> {
        let currency = zero.currency();
        let total = Money::sum(currency, nights.iter().copied())?;
        match self {
            Self::None => Ok(zero),
            Self::Full => Ok(total),
            Self::Percent(basis_points) => total.percent_basis_points(basis_points),
            Self::Nights(count) => {
                let count = usize::try_from(count).map_err(|_| MoneyError::TooLarge)?;
                Money::sum(currency, nights.iter().copied().take(count))
            }
            Self::Fixed(amount) => lesser(amount.checked_mul(rooms.get())?, total),
        }
    }

    /// Whether this penalty never keeps more than `before`, whatever the price, and can keep less: a later tier must
    /// not.
    pub(super) fn falls_below(self, before: Self) -> bool {
        match (before, self) {
            (Self::None, _) | (_, Self::Full) => false,
            (Self::Full, Self::Percent(share)) => share < Self::ALL,
            (_, Self::None) | (Self::Full, Self::Nights(_) | Self::Fixed(_)) => true,
            (Self::Percent(before), Self::Percent(now)) | (Self::Nights(before), Self::Nights(now)) => now < before,
            (Self::Fixed(before), Self::Fixed(now)) => now.minor() < before.minor(),
            _ => false,
        }
    }
}

/// The lesser of two amounts of one currency.
pub(super) fn lesser(a: Money, b: Money) -> Result<Money, MoneyError> {
    Ok(if a.checked_sub(b)?.is_negative() { a } else { b })
}

/// The greater of two amounts of one currency.
pub(super) fn greater(a: Money, b: Money) -> Result<Money, MoneyError> {
    Ok(if a.checked_sub(b)?.is_negative() { b } else { a })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::from_minor(minor, "USD".parse().unwrap()).unwrap()
    }

    #[rstest]
    #[case(Penalty::None, 0)]
    #[case(Penalty::Fixed(usd(2_000)), 2_000)]
    #[case::fixed_up_to_the_total(Penalty::Fixed(usd(34_001)), 34_000)]
    #[case(Penalty::Nights(1), 10_000)]
    #[case::nights_up_to_the_total(Penalty::Nights(4), 34_000)]
    #[case(Penalty::Percent(5_000), 17_000)]
    #[case(Penalty::Percent(8_000), 27_200)]
    #[case(Penalty::Full, 34_000)]
    fn penalty_of_three_nights(#[case] penalty: Penalty, #[case] kept: i64) {
        assert_eq!(penalty.of(&[usd(10_000), usd(12_000), usd(12_000)], RoomCount::ONE, usd(0)), Ok(usd(kept)));
    }

    #[test]
    fn half_of_an_odd_amount_is_rounded_to_even() {
        assert_eq!(Penalty::Percent(5_000).of(&[usd(1_661)], RoomCount::ONE, usd(0)), Ok(usd(830)));
    }

    #[test]
    fn fixed_penalty_is_kept_for_each_room() {
        let two = RoomCount::try_from(2).unwrap();
        assert_eq!(Penalty::Fixed(usd(2_000)).of(&[usd(20_000)], two, usd(0)), Ok(usd(4_000)));
        assert_eq!(Penalty::Fixed(usd(12_000)).of(&[usd(20_000)], two, usd(0)), Ok(usd(20_000)), "up to the total");
    }

    #[test]
    fn fixed_penalty_in_another_currency_is_an_error() {
        let yen = Money::from_minor(100, "JPY".parse().unwrap()).unwrap();
        assert_eq!(Penalty::Fixed(yen).of(&[usd(1_000)], RoomCount::ONE, usd(0)), Err(MoneyError::CurrencyMismatch));
    }
}
