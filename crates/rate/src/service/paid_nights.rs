//! What is paid for each night of a stay: the base of penalties.

use staymesh_domain::{Money, MoneyError, PenaltyBase, RoomCount};

use crate::model::{StayPrice, Tax, TaxKind};

/// What is paid for each night in all rooms, in date order. With taxes, the nights add up to the total: a tax that is a
/// share of the subtotal is spread over the nights by their price, to the minor unit.
///
/// # Errors
/// [`MoneyError`] when an amount is out of range or the currencies differ.
pub(super) fn paid_nights(
    price: &StayPrice,
    taxes: &[Tax],
    rooms: RoomCount,
    base: PenaltyBase,
) -> Result<Vec<Money>, MoneyError> {
    let nights = price.nights.iter().map(|(_, night)| night.checked_mul(rooms.get()));
    let nights: Vec<Money> = nights.collect::<Result<_, _>>()?;
    if base == PenaltyBase::WithoutTaxes {
        return Ok(nights);
    }
    let mut paid = nights.clone();
    for (tax, charged) in taxes.iter().zip(&price.taxes) {
        let shares = match tax.kind {
            TaxKind::BasisPoints(_) => charged.amount.spread(&nights)?,
            TaxKind::PerRoomNight(amount) => vec![amount.checked_mul(rooms.get())?; nights.len()],
        };
        for (paid, share) in paid.iter_mut().zip(shares) {
            *paid = paid.checked_add(share)?;
        }
    }
    Ok(paid)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::model::TaxAmount;

    fn usd(minor: i64) -> Money {
        Money::from_minor(minor, "USD".parse().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn paid_nights_add_up_to_the_total_with_taxes_and_to_the_subtotal_without(
            prices in prop::collection::vec(0..10_000_000_i64, 1..=30),
            basis_points in 1..=10_000,
            fee in 0..10_000_i64,
            rooms in 1..=50,
        ) {
            let rooms = RoomCount::try_from(rooms).unwrap();
            let nights: Vec<_> = prices.iter().map(|minor| (date(2027, 3, 1), usd(*minor))).collect();
            let subtotal = usd(prices.iter().sum()).checked_mul(rooms.get()).unwrap();
            let kinds = [TaxKind::BasisPoints(basis_points), TaxKind::PerRoomNight(usd(fee))];
            let taxes: Vec<_> = kinds.into_iter().map(|kind| Tax { display_name: "Tax".into(), kind }).collect();
            let count = i32::try_from(prices.len()).unwrap();
            let fees = usd(fee).checked_mul(count).unwrap().checked_mul(rooms.get()).unwrap();
            let amounts = [subtotal.percent_basis_points(basis_points).unwrap(), fees];
            let charged: Vec<_> =
                amounts.into_iter().map(|amount| TaxAmount { display_name: "Tax".into(), amount }).collect();
            let total = Money::sum(subtotal.currency(), [subtotal, amounts[0], amounts[1]]).unwrap();
            let price = StayPrice { nights, subtotal, taxes: charged, total };
            let sum = |base| {
                let paid = paid_nights(&price, &taxes, rooms, base).unwrap();
                Money::sum(subtotal.currency(), paid).unwrap()
            };
            prop_assert_eq!(sum(PenaltyBase::WithTaxes), total);
            prop_assert_eq!(sum(PenaltyBase::WithoutTaxes), subtotal);
        }
    }
}
