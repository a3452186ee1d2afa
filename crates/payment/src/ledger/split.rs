//! What a sale is made of, and what of it goes back with a refund.

use staymesh_domain::Money;

/// Ten thousand basis points are the whole.
const WHOLE: i128 = 10_000;

/// Who gets how much of an amount, in minor units. No part of a sale or of a refund is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The hotel's: what the others leave.
    pub hotel: i64,
    /// Taxes and fees, which pass through.
    pub tax: i64,
    /// What is earned.
    pub commission: i64,
}

impl Parts {
    /// A sale of `total`; none when it is not positive, too large, or less than what is to be taken from it.
    pub fn new(total: i64, tax: i64, commission: i64) -> Option<Self> {
        if !(0..=Money::MAX_MINOR).contains(&total) || tax < 0 || commission < 0 {
            return None;
        }
        let hotel = total.checked_sub(tax)?.checked_sub(commission)?;
        (hotel >= 0).then_some(Self { hotel, tax, commission })
    }

    /// A sale of `total` that has `tax` in it, with a commission of so many hundredths of a percent of the price before
    /// taxes, rounded down.
    pub fn with_commission(total: i64, tax: i64, basis_points: u16) -> Option<Self> {
        let (net, basis_points) = (total.checked_sub(tax)?, i128::from(basis_points));
        let commission = i128::from(net) * basis_points / WHOLE;
        if basis_points > WHOLE {
            return None;
        }
        Self::new(total, tax, i64::try_from(commission).ok()?)
    }

    /// All parts together.
    pub const fn total(&self) -> i64 {
        self.hotel + self.tax + self.commission
    }

    /// What goes back of each part of this sale with a refund of `amount`, when `before` went back earlier; none when
    /// that is more than the sale.
    ///
    /// Each refund takes what is missing to the parts of all that has gone back by then, so nothing drifts however many
    /// there are, and the last reverses every part to the unit.
    pub fn refund(&self, before: i64, amount: i64) -> Option<Self> {
        self.refund_after(self.reversed(before)?, amount)
    }

    /// What goes back of each part of this sale with a refund of `amount`, when these parts went back earlier; none when
    /// that is more than the sale.
    pub(super) fn refund_after(&self, before: Self, amount: i64) -> Option<Self> {
        let now = self.reversed(before.total().checked_add(amount)?)?;
        (amount >= 0).then_some(Self {
            hotel: now.hotel - before.hotel,
            tax: now.tax - before.tax,
            commission: now.commission - before.commission,
        })
    }

    /// These and the others.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            hotel: self.hotel + other.hotel,
            tax: self.tax + other.tax,
            commission: self.commission + other.commission,
        }
    }

    /// What has gone back of each part after refunds of so much in total: of the taxes their share, rounded down; of the
    /// commission its share of the rest, rounded down, as it is one of the price before taxes; all else is the hotel's.
    ///
    /// With one unit more either the taxes grow by it, or the rest does, and of the rest again either the commission or
    /// the hotel's. So no part ever shrinks. (Were both shares of the whole, both might grow by the same unit, and the
    /// hotel's would have to give one back.)
    fn reversed(&self, refunded: i64) -> Option<Self> {
        let total = self.total();
        if !(0..=total).contains(&refunded) {
            return None;
        }
        let tax = share(self.tax, refunded, total)?;
        let commission = share(self.commission, refunded - tax, total - self.tax)?;
        Some(Self { hotel: refunded - tax - commission, tax, commission })
    }
}

/// What `part` of `whole` comes to when only so much of the whole is there, rounded down.
fn share(part: i64, some: i64, whole: i64) -> Option<i64> {
    i64::try_from(i128::from(part) * i128::from(some) / i128::from(whole.max(1))).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any sale there may be, many of them with parts that are nothing or everything.
    pub(in crate::ledger) fn any_parts() -> impl Strategy<Value = Parts> {
        let total = prop_oneof![1..=20_i64, 1..=1_000_000_i64, Just(Money::MAX_MINOR), 1..=Money::MAX_MINOR];
        let tax = |total: i64| prop_oneof![Just(0), Just(total), 0..=total];
        let rate = prop_oneof![Just(0), Just(1500), Just(10_000), 0..=10_000_u16];
        total
            .prop_flat_map(move |total| (Just(total), tax(total)))
            .prop_flat_map(move |(total, tax)| (Just(total), Just(tax), rate.clone()))
            .prop_map(|(total, tax, rate)| Parts::with_commission(total, tax, rate).unwrap())
    }

    #[test]
    fn a_commission_is_of_the_price_before_taxes_and_rounded_down() {
        // 119.00 with 19.00 of taxes: 15 % of 100.00.
        assert_eq!(
            Parts::with_commission(11_900, 1900, 1500),
            Some(Parts { hotel: 8500, tax: 1900, commission: 1500 })
        );
        assert_eq!(Parts::with_commission(99, 0, 1500), Some(Parts { hotel: 85, tax: 0, commission: 14 }));
        assert_eq!(Parts::with_commission(1, 0, 9999), Some(Parts { hotel: 1, tax: 0, commission: 0 }));
        assert_eq!(Parts::with_commission(10, 10, 1500), Some(Parts { hotel: 0, tax: 10, commission: 0 }));
        assert_eq!(Parts::with_commission(10, 4, 10_000), Some(Parts { hotel: 0, tax: 4, commission: 6 }));
        let most = Parts::with_commission(Money::MAX_MINOR, 0, 10_000);
        assert_eq!(most, Some(Parts { hotel: 0, tax: 0, commission: Money::MAX_MINOR }));
    }

    #[test]
    fn what_is_no_sale_has_no_parts() {
        for (total, tax, rate) in [
            (10, 11, 0),
            (10, -1, 0),
            (-1, 0, 0),
            (10, 0, 10_001),
            (Money::MAX_MINOR + 1, 0, 0),
            (i64::MIN, i64::MAX, u16::MAX),
            (i64::MAX, i64::MIN, u16::MAX),
        ] {
            assert_eq!(Parts::with_commission(total, tax, rate), None, "{total} {tax} {rate}");
        }
    }

    #[test]
    fn a_refund_is_shared_as_the_sale_was() {
        let sale = Parts::new(11_900, 1900, 1500).unwrap();
        assert_eq!(sale.refund(0, 11_900), Some(sale));
        assert_eq!(sale.refund(0, 5950), Some(Parts { hotel: 4250, tax: 950, commission: 750 }));
        // Three thirds: what rounding kept back comes with the last.
        let thirds =
            [(0, 3966), (3966, 3966), (7932, 3968)].map(|(before, amount)| sale.refund(before, amount).unwrap());
        assert_eq!(thirds[0], Parts { hotel: 2834, tax: 633, commission: 499 });
        assert_eq!(thirds[1], Parts { hotel: 2833, tax: 633, commission: 500 });
        assert_eq!(thirds[2], Parts { hotel: 2833, tax: 634, commission: 501 });
        // One unit at a time, of a sale whose taxes and commission grow at the same moments: each time one part has it.
        let even = Parts { hotel: 2, tax: 1, commission: 1 };
        let steps = [0, 1, 2, 3].map(|before| even.refund(before, 1).unwrap());
        let one = |hotel, tax, commission| Parts { hotel, tax, commission };
        assert_eq!(steps, [one(1, 0, 0), one(1, 0, 0), one(0, 0, 1), one(0, 1, 0)]);
        for (before, amount) in [(0, 11_901), (11_900, 1), (5000, -1), (-1, 1), (i64::MAX, i64::MAX), (0, i64::MIN)] {
            assert_eq!(sale.refund(before, amount), None, "{before} {amount}");
        }
    }

    /// What is there of each part.
    fn each(parts: Parts) -> [i64; 3] {
        [parts.hotel, parts.tax, parts.commission]
    }

    /// Refunds that stop here on their way from nothing to all: each has as much as it says, no part of it is negative,
    /// none of the sale's parts is ever exceeded or far from its exact share, and in the end all of it has gone back.
    fn require_sane(sale: Parts, mut stops: Vec<i64>) -> Result<(), TestCaseError> {
        let total = sale.total();
        stops.sort_unstable();
        stops.push(total);
        let (mut back, mut before) = ([0; 3], 0);
        for stop in stops {
            let refund = sale.refund(before, stop - before).unwrap();
            prop_assert_eq!(refund.total(), stop - before);
            prop_assert!(each(refund).iter().all(|part| *part >= 0), "{:?} of {:?} at {}", refund, sale, before);
            back = [0, 1, 2].map(|part| back[part] + each(refund)[part]);
            for (back, whole) in back.iter().zip(each(sale)) {
                prop_assert!(*back <= whole, "{} of {:?}", back, sale);
                let error = i128::from(*back) * i128::from(total) - i128::from(whole) * i128::from(stop);
                prop_assert!(error.abs() < 2 * i128::from(total), "{:?} at {}", sale, stop);
            }
            before = stop;
        }
        prop_assert_eq!(back, each(sale));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_way_back_gives_every_part_back_exactly(
            sale in any_parts(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            // Anywhere, and each of them followed by a refund of one unit.
            let size = usize::try_from(sale.total()).unwrap() + 1;
            let places = cuts.iter().map(|cut| i64::try_from(cut.index(size)).unwrap());
            require_sane(sale, places.flat_map(|place| [place, (place + 1).min(sale.total())]).collect())?;
        }

        #[test]
        fn a_unit_at_a_time_no_part_of_a_refund_is_negative(
            total in 1..=2_000_i64, tax_percent in 0..=100_i64, rate in prop_oneof![Just(1500_u16), 0..=10_000_u16],
        ) {
            let sale = Parts::with_commission(total, total * tax_percent / 100, rate).unwrap();
            require_sane(sale, (0..total).collect())?;
        }

        #[test]
        fn no_numbers_make_it_panic(
            [total, tax, before, amount] in prop::array::uniform4(any::<i64>()),
            rate in any::<u16>(),
        ) {
            if let Some(sale) = Parts::with_commission(total, tax, rate) {
                prop_assert_eq!(sale.total(), total);
                let _ = sale.refund(before, amount);
            }
        }
    }
}
