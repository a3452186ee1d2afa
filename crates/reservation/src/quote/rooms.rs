//! The price of a booking and the prices of its rooms: splits the one into the others, and adds them up again.

use staymesh_domain::{Money, MoneyError, RoomCount};

use super::{Quote, TaxLine};

impl Quote {
    /// The price of each of `rooms` equal rooms whose price together is this one. Subtotal and taxes are split by the largest
    /// remainder method: of equal shares, the first ones get the minor units that are left over, so that all shares add up.
    /// The database's function `price_of_room` does the same.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub fn split(&self, rooms: RoomCount) -> Result<Vec<Self>, MoneyError> {
        (0..rooms.get()).map(|room| self.of_room(room.into(), rooms.get().into())).collect()
    }

    fn of_room(&self, room: i64, rooms: i64) -> Result<Self, MoneyError> {
        let share = |whole: Money| {
            let minor = whole.minor() / rooms + i64::from(room < whole.minor() % rooms);
            Money::from_minor(minor, whole.currency())
        };
        let taxes = self.taxes.iter().map(|tax| Ok(TaxLine { name: tax.name.clone(), amount: share(tax.amount)? }));
        let taxes = taxes.collect::<Result<Vec<_>, MoneyError>>()?;
        let subtotal = share(self.subtotal)?;
        let tax = Money::sum(self.currency(), taxes.iter().map(|tax| tax.amount))?;
        Ok(Self { subtotal, taxes, total: subtotal.checked_add(tax)?, ..self.clone() })
    }

    /// The price of rooms together, the first of which costs `first`: subtotals, taxes of one name, and totals add up.
    /// Nights and cancellation policy are those of the first room.
    ///
    /// # Errors
    /// When a sum is out of range or the currencies differ.
    pub fn together<'a>(first: &Self, others: impl IntoIterator<Item = &'a Self>) -> Result<Self, MoneyError> {
        let mut sum = first.clone();
        for quote in others {
            sum.subtotal = sum.subtotal.checked_add(quote.subtotal)?;
            sum.total = sum.total.checked_add(quote.total)?;
            for (at, tax) in quote.taxes.iter().enumerate() {
                // Rooms of one hotel mostly have the same taxes in the same order.
                let same = sum.taxes.get(at).is_some_and(|known| known.name == tax.name).then_some(at);
                match same.or_else(|| sum.taxes.iter().position(|known| known.name == tax.name)) {
                    Some(known) => sum.taxes[known].amount = sum.taxes[known].amount.checked_add(tax.amount)?,
                    None => sum.taxes.push(tax.clone()),
                }
            }
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quote::tests::{euros, quote};

    fn priced(subtotal: i64, taxes: &[i64]) -> Quote {
        let named = |(at, minor): (usize, &i64)| TaxLine { name: format!("Tax {at}"), amount: euros(*minor) };
        let total = subtotal + taxes.iter().sum::<i64>();
        let taxes = taxes.iter().enumerate().map(named).collect();
        Quote { subtotal: euros(subtotal), taxes, total: euros(total), ..quote(0) }
    }

    #[test]
    fn split_gives_left_over_cents_to_the_first_rooms() {
        let rooms = priced(30_000, &[1_001]).split(RoomCount::try_from(3).expect("a count")).expect("in range");
        let totals: Vec<_> = rooms.iter().map(|room| room.total.minor()).collect();
        assert_eq!(totals, [10_334, 10_334, 10_333]);
    }

    /// PARTNER-SPEC 7, example 2: 300, 300 and 450 with 10 % tax are 1,155.00.
    #[test]
    fn prices_of_different_rooms_add_up_with_their_taxes_by_name() {
        let tax = |name: &str, minor| TaxLine { name: name.into(), amount: euros(minor) };
        let (a, b) = (priced(30_000, &[3_000]), priced(30_000, &[3_000]));
        let mut c = priced(45_000, &[4_500]);
        c.taxes = vec![tax("Spa", 200), tax("Tax 0", 4_300)];
        let sum = Quote::together(&a, [&b, &c]).expect("in range");
        assert_eq!((sum.subtotal, sum.total), (euros(105_000), euros(115_500)));
        assert_eq!(sum.taxes, [tax("Tax 0", 10_300), tax("Spa", 200)]);
    }

    proptest! {
        #[test]
        fn split_prices_add_up_to_the_minor_unit_and_differ_by_one_unit_per_part(
            subtotal in 0..10_000_000i64, taxes in prop::collection::vec(0..1_000_000i64, 0..4), rooms in 1..=50i32,
        ) {
            let whole = priced(subtotal, &taxes);
            let parts = whole.split(RoomCount::try_from(rooms).expect("a count")).expect("in range");
            prop_assert_eq!(parts.len(), usize::try_from(rooms).expect("positive"));
            let totals = parts.iter().map(|part| part.total.minor());
            let (least, most) = (totals.clone().min().unwrap_or(0), totals.max().unwrap_or(0));
            prop_assert!(most - least <= 1 + i64::try_from(taxes.len()).expect("few"));
            prop_assert_eq!(Quote::together(&parts[0], &parts[1..]).expect("in range"), whole);
        }
    }
}
