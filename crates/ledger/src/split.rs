//! How a sale is divided between hotel, taxes and commission, and how a refund divides.
//!
//! Rounding, exactly. The commission is `floor((total - tax) * basis_points / 10_000)`, in minor units; the hotel gets the
//! remainder. After refunds of `r` of a sale in total, the reversed shares are
//!
//! - `tax: floor(tax * r / total)`
//! - `commission: floor(commission * (r - reversed tax) / (total - tax))`: it is a share of the price before taxes
//! - `hotel`: the remainder.
//!
//! A refund reverses the difference between those shares after it and before it (cumulative rounding), so rounding errors
//! do not accumulate, and the refunds of the whole sale reverse each share exactly. Nesting the two floors keeps every
//! difference non-negative: one more unit of `r` increases either the tax or the rest, and of the rest either the
//! commission or the hotel's share. With independent floors of the total, both could increase by the same unit and the
//! hotel's share would decrease.

use staymesh_domain::{Currency, Money};

/// 100 % in basis points.
const WHOLE: i128 = 10_000;

/// Who gets how much of an amount. All shares have the same currency and sum to the total. No share of a sale, or of a
/// refund after refunds of the same sale, is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    total: Money,
    hotel: Money,
    tax: Money,
    commission: Money,
}

impl Split {
    /// The split of a sale of `total`, of which `tax` and `commission` are deducted. `None` if a share is negative, or the
    /// currencies differ.
    pub fn new(total: Money, tax: Money, commission: Money) -> Option<Self> {
        let hotel = total.checked_sub(tax).ok()?.checked_sub(commission).ok()?;
        let split = Self { total, hotel, tax, commission };
        [total, hotel, tax, commission].iter().all(|share| !share.is_negative()).then_some(split)
    }

    /// The split of a sale of `total` including `tax`, with a commission of `basis_points` (0 to 10,000) on the price
    /// before taxes, rounded down to a minor unit. `None` if the rate is out of range, a share is negative, or the
    /// currencies differ.
    pub fn with_commission(total: Money, tax: Money, basis_points: u16) -> Option<Self> {
        let (net, basis_points) = (total.checked_sub(tax).ok()?, i128::from(basis_points));
        if basis_points > WHOLE {
            return None;
        }
        let commission = i64::try_from(i128::from(net.minor()) * basis_points / WHOLE).ok()?;
        Self::new(total, tax, Money::from_minor(commission, total.currency()).ok()?)
    }

    /// The split with these shares, of which any may be negative: the sum of what was posted. `None` if the currencies
    /// differ or the sum is out of range.
    pub fn from_shares(hotel: Money, tax: Money, commission: Money) -> Option<Self> {
        let total = hotel.checked_add(tax).ok()?.checked_add(commission).ok()?;
        Some(Self { total, hotel, tax, commission })
    }

    /// The sum of all shares.
    pub const fn total(&self) -> Money {
        self.total
    }

    /// The share of the hotel: the remainder.
    pub const fn hotel(&self) -> Money {
        self.hotel
    }

    /// Taxes and fees, which the hotel remits.
    pub const fn tax(&self) -> Money {
        self.tax
    }

    /// The commission, which is revenue.
    pub const fn commission(&self) -> Money {
        self.commission
    }

    /// The currency of all shares.
    pub const fn currency(&self) -> Currency {
        self.total.currency()
    }

    /// The shares that a refund of `amount` reverses of this sale, when `before` was refunded earlier. `None` if together
    /// they exceed the sale, one is negative, or the currencies differ.
    pub fn refund(&self, before: Money, amount: Money) -> Option<Self> {
        self.refund_after(&self.reversed(before)?, amount)
    }

    /// The shares that a refund of `amount` reverses of this sale, when `before` was reversed earlier. Together they are
    /// what [`Self::refund`] reverses in total, whatever the shares of `before` are. `None` as for [`Self::refund`].
    pub fn refund_after(&self, before: &Self, amount: Money) -> Option<Self> {
        let now = self.reversed(before.total.checked_add(amount).ok()?)?;
        if amount.is_negative() {
            return None;
        }
        Self::from_shares(
            now.hotel.checked_sub(before.hotel).ok()?,
            now.tax.checked_sub(before.tax).ok()?,
            now.commission.checked_sub(before.commission).ok()?,
        )
    }

    /// The sum of two splits, share by share. `None` if the currencies differ or a sum is out of range.
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        Self::from_shares(
            self.hotel.checked_add(other.hotel).ok()?,
            self.tax.checked_add(other.tax).ok()?,
            self.commission.checked_add(other.commission).ok()?,
        )
    }

    /// The difference of two splits, share by share, of which any may be negative. `None` if the currencies differ or a
    /// difference is out of range.
    pub fn checked_minus(&self, other: &Self) -> Option<Self> {
        Self::from_shares(
            self.hotel.checked_sub(other.hotel).ok()?,
            self.tax.checked_sub(other.tax).ok()?,
            self.commission.checked_sub(other.commission).ok()?,
        )
    }

    /// Whether every share is zero.
    pub const fn is_zero(&self) -> bool {
        self.hotel.minor() == 0 && self.tax.minor() == 0 && self.commission.minor() == 0
    }

    /// The shares that are reversed after refunds of `refunded` in total; see the module.
    fn reversed(&self, refunded: Money) -> Option<Self> {
        if refunded.currency() != self.currency() || !(0..=self.total.minor()).contains(&refunded.minor()) {
            return None;
        }
        let tax = floor_share(self.tax, refunded, self.total)?;
        let rest = refunded.checked_sub(tax).ok()?;
        let commission = floor_share(self.commission, rest, self.total.checked_sub(self.tax).ok()?)?;
        Self::from_shares(rest.checked_sub(commission).ok()?, tax, commission)
    }
}

/// `floor(share * part / whole)`; zero of nothing.
fn floor_share(share: Money, part: Money, whole: Money) -> Option<Money> {
    let minor = i128::from(share.minor()) * i128::from(part.minor()) / i128::from(whole.minor().max(1));
    Money::from_minor(i64::try_from(minor).ok()?, share.currency()).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::eur;

    /// Any sale; many with shares of zero or of everything.
    pub(crate) fn any_split() -> impl Strategy<Value = Split> {
        let total = prop_oneof![1..=20_i64, 1..=1_000_000_i64, Just(Money::MAX_MINOR), 1..=Money::MAX_MINOR];
        let tax = |total: i64| prop_oneof![Just(0), Just(total), 0..=total];
        let rate = prop_oneof![Just(0), Just(1500), Just(10_000), 0..=10_000_u16];
        total
            .prop_flat_map(move |total| (Just(total), tax(total)))
            .prop_flat_map(move |(total, tax)| (Just(total), Just(tax), rate.clone()))
            .prop_map(|(total, tax, rate)| sale(total, tax, rate).unwrap())
    }

    /// A sale in euros of these minor units; `None` also for what is no amount.
    fn sale(total: i64, tax: i64, rate: u16) -> Option<Split> {
        Split::with_commission(amount(total)?, amount(tax)?, rate)
    }

    fn amount(minor: i64) -> Option<Money> {
        Money::from_minor(minor, "EUR".parse().unwrap()).ok()
    }

    fn shares(hotel: i64, tax: i64, commission: i64) -> Split {
        Split::from_shares(eur(hotel), eur(tax), eur(commission)).unwrap()
    }

    fn refund(sale: &Split, before: i64, refunded: i64) -> Option<Split> {
        sale.refund(amount(before)?, amount(refunded)?)
    }

    #[test]
    fn with_commission_takes_floor_of_price_before_taxes() {
        // 119.00 including 19.00 of taxes: 15 % of 100.00.
        assert_eq!(sale(11_900, 1900, 1500), Some(shares(8500, 1900, 1500)));
        assert_eq!(sale(99, 0, 1500), Some(shares(85, 0, 14)));
        assert_eq!(sale(1, 0, 9999), Some(shares(1, 0, 0)));
        assert_eq!(sale(10, 10, 1500), Some(shares(0, 10, 0)));
        assert_eq!(sale(10, 4, 10_000), Some(shares(0, 4, 6)));
        let most = sale(Money::MAX_MINOR, 0, 10_000);
        assert_eq!(most, Some(shares(0, 0, Money::MAX_MINOR)));
    }

    #[test]
    fn with_commission_of_invalid_sale_is_none() {
        for (total, tax, rate) in [
            (10, 11, 0),
            (10, -1, 0),
            (-1, 0, 0),
            (10, 0, 10_001),
            (Money::MAX_MINOR + 1, 0, 0),
            (i64::MIN, i64::MAX, u16::MAX),
            (i64::MAX, i64::MIN, u16::MAX),
        ] {
            assert_eq!(sale(total, tax, rate), None, "{total} {tax} {rate}");
        }
    }

    #[test]
    fn refund_reverses_shares_proportionally_with_cumulative_rounding() {
        let sold = shares(8500, 1900, 1500);
        assert_eq!(refund(&sold, 0, 11_900), Some(sold));
        assert_eq!(refund(&sold, 0, 5950), Some(shares(4250, 950, 750)));
        // Three thirds: the last one carries the rounding differences.
        let thirds =
            [(0, 3966), (3966, 3966), (7932, 3968)].map(|(before, amount)| refund(&sold, before, amount).unwrap());
        assert_eq!(thirds[0], shares(2834, 633, 499));
        assert_eq!(thirds[1], shares(2833, 633, 500));
        assert_eq!(thirds[2], shares(2833, 634, 501));
        // One unit at a time, of a sale whose exact tax and commission shares grow together: exactly one share gets each unit.
        let even = shares(2, 1, 1);
        let steps = [0, 1, 2, 3].map(|before| refund(&even, before, 1).unwrap());
        let one = |hotel, tax, commission| shares(hotel, tax, commission);
        assert_eq!(steps, [one(1, 0, 0), one(1, 0, 0), one(0, 0, 1), one(0, 1, 0)]);
        for (before, amount) in [(0, 11_901), (11_900, 1), (5000, -1), (-1, 1), (i64::MAX, i64::MAX), (0, i64::MIN)] {
            assert_eq!(refund(&sold, before, amount), None, "{before} {amount}");
        }
    }

    #[test]
    fn refund_after_completes_the_total_whatever_was_reversed_before() {
        let sold = shares(7905, 700, 1395);
        let first = refund(&sold, 0, 3_333).unwrap();
        let second = refund(&sold, 3_333, 6_667).unwrap();
        assert_eq!(sold.refund_after(&first, eur(6_667)), Some(second));
        let all = sold.refund_after(&second, eur(3_333)).unwrap().checked_add(&second).unwrap();
        assert_eq!(all, sold, "in either order");
        assert_eq!(sold.refund_after(&first, eur(6_668)), None);
        assert_eq!(sold.refund_after(&first, eur(-1)), None);
    }

    fn each(split: Split) -> [i64; 3] {
        [split.hotel, split.tax, split.commission].map(Money::minor)
    }

    /// Refunds up to each of these totals and then of the rest: each refund sums to its amount and has no negative share, no
    /// share of the sale is exceeded or off by two units from its exact value, and at the end each is reversed exactly.
    fn require_sane(sold: Split, mut stops: Vec<i64>) -> Result<(), TestCaseError> {
        let total = sold.total().minor();
        stops.sort_unstable();
        stops.push(total);
        let (mut back, mut before) = ([0; 3], 0);
        for stop in stops {
            let refund = refund(&sold, before, stop - before).unwrap();
            prop_assert_eq!(refund.total().minor(), stop - before);
            prop_assert!(each(refund).iter().all(|part| *part >= 0), "{:?} of {:?} at {}", refund, sold, before);
            back = [0, 1, 2].map(|part| back[part] + each(refund)[part]);
            for (back, whole) in back.iter().zip(each(sold)) {
                prop_assert!(*back <= whole, "{} of {:?}", back, sold);
                let error = i128::from(*back) * i128::from(total) - i128::from(whole) * i128::from(stop);
                prop_assert!(error.abs() < 2 * i128::from(total), "{:?} at {}", sold, stop);
            }
            before = stop;
        }
        prop_assert_eq!(back, each(sold));
        Ok(())
    }

    proptest! {
        #[test]
        fn refunds_of_any_amounts_reverse_every_share_exactly(
            sold in any_split(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            // At any amount, each followed by a refund of one unit.
            let size = usize::try_from(sold.total().minor()).unwrap() + 1;
            let places = cuts.iter().map(|cut| i64::try_from(cut.index(size)).unwrap());
            require_sane(sold, places.flat_map(|place| [place, (place + 1).min(sold.total().minor())]).collect())?;
        }

        #[test]
        fn refunds_of_one_unit_have_no_negative_share(
            total in 1..=2_000_i64, tax_percent in 0..=100_i64, rate in prop_oneof![Just(1500_u16), 0..=10_000_u16],
        ) {
            let sold = sale(total, total * tax_percent / 100, rate).unwrap();
            require_sane(sold, (0..total).collect())?;
        }

        #[test]
        fn arbitrary_numbers_do_not_panic(
            [total, tax, before, amount] in prop::array::uniform4(any::<i64>()),
            rate in any::<u16>(),
        ) {
            if let Some(sold) = sale(total, tax, rate) {
                prop_assert_eq!(sold.total().minor(), total);
                let _ = refund(&sold, before, amount);
            }
        }
    }
}
