//! Price computation: pure functions in minor units, without I/O, clock or floating point.
//!
//! A night costs its nightly price, or else the base price, changed by the occupancy rule with the highest threshold that
//! the night has reached. Each night and each tax is rounded once, to the minor unit, half to even (banker's rounding,
//! [`Money::percent_basis_points`]), so that the lines of a bill always add up to its total.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use staymesh_domain::{CancellationTerms, HotelTime, Money, MoneyError, RoomCount, RoomTypeId, Stay, StayDates};

use super::paid_nights::paid_nights;
use crate::{
    error::RateError,
    model::{Prices, RoomTypeDemand, RoomTypePrice, StayPrice, Tax, TaxAmount, TaxKind},
};

/// The stay that is priced: nights, rooms, calendar of the hotel, time of the price.
pub(super) struct PricedStay<'a> {
    /// The nights.
    pub(super) dates: StayDates,
    /// The number of rooms.
    pub(super) rooms: RoomCount,
    /// The calendar of the hotel.
    pub(super) time: &'a HotelTime,
    /// When the price is made.
    pub(super) now: Timestamp,
}

/// Prices a stay in each of `demands`, in their order. Room types without an entry in `prices`, those that are not
/// [for sale](is_for_sale), and those whose price exceeds [`Money::MAX_MINOR`] are left out; `on_out_of_range` gets the
/// last.
///
/// # Errors
/// [`RateError::StoredAmount`] when prices and taxes are in different currencies, [`RateError::Terms`] when a deadline is
/// outside the calendar.
pub(super) fn price_room_types(
    prices: &HashMap<RoomTypeId, Prices>,
    taxes: &[Tax],
    stay: &PricedStay<'_>,
    demands: &[RoomTypeDemand],
    mut on_out_of_range: impl FnMut(RoomTypeId),
) -> Result<Vec<RoomTypePrice>, RateError> {
    let mut offers = Vec::with_capacity(demands.len());
    for demand in demands {
        let Some(prices) = prices.get(&demand.room_type_id) else { continue };
        let nights = stay.dates.nights().zip(demand.sold_percent.iter().copied());
        let price = match price_stay(prices, taxes, nights, stay.rooms) {
            Ok(price) => price,
            // Such a price must not take the other room types off sale.
            Err(MoneyError::TooLarge) => {
                on_out_of_range(demand.room_type_id);
                continue;
            }
            Err(other) => return Err(RateError::StoredAmount(other)),
        };
        if is_for_sale(&price) {
            let terms = terms(prices, &price, taxes, stay)?;
            offers.push(RoomTypePrice { room_type_id: demand.room_type_id, price, terms });
        }
    }
    Ok(offers)
}

/// The policy of the rate, resolved for this stay at this price.
fn terms(
    prices: &Prices,
    price: &StayPrice,
    taxes: &[Tax],
    stay: &PricedStay<'_>,
) -> Result<CancellationTerms, RateError> {
    let policy = &prices.rate.policy;
    let nights = paid_nights(price, taxes, stay.rooms, policy.base).map_err(RateError::StoredAmount)?;
    let zero = Money::zero(price.total.currency());
    let of = Stay { dates: stay.dates, time: stay.time, rooms: stay.rooms, nights: &nights, zero };
    Ok(policy.resolve(&of, stay.now)?)
}

/// Whether a stay can be sold at this price. A stay that costs nothing cannot be paid; an occupancy rule of -90 per cent
/// rounds a price of a few minor units down to zero.
fn is_for_sale(price: &StayPrice) -> bool {
    price.total.minor() > 0
}

/// Prices `rooms` rooms of one type for the given nights, each with its sold rooms in per cent.
///
/// # Errors
/// [`MoneyError::TooLarge`] when an amount exceeds [`Money::MAX_MINOR`]; [`MoneyError::CurrencyMismatch`] when prices and
/// taxes are in different currencies.
fn price_stay(
    prices: &Prices,
    taxes: &[Tax],
    nights: impl IntoIterator<Item = (Date, i32)>,
    rooms: RoomCount,
) -> Result<StayPrice, MoneyError> {
    let currency = prices.rate.base_price.currency();
    let nights = nights
        .into_iter()
        .map(|(date, sold_percent)| Ok((date, night_price(prices, date, sold_percent)?)))
        .collect::<Result<Vec<_>, _>>()?;
    let subtotal = Money::sum(currency, nights.iter().map(|(_, price)| *price))?.checked_mul(rooms.get())?;
    let night_count = i32::try_from(nights.len()).map_err(|_| MoneyError::TooLarge)?;
    let taxes = taxes
        .iter()
        .map(|tax| {
            let amount = match tax.kind {
                TaxKind::BasisPoints(basis_points) => subtotal.percent_basis_points(basis_points)?,
                TaxKind::PerRoomNight(amount) => amount.checked_mul(night_count)?.checked_mul(rooms.get())?,
            };
            Ok(TaxAmount { display_name: tax.display_name.clone(), amount })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let total = subtotal.checked_add(Money::sum(currency, taxes.iter().map(|tax| tax.amount))?)?;
    Ok(StayPrice { nights, subtotal, taxes, total })
}

/// The price of one room for one night in which `sold_percent` of the rooms are sold.
fn night_price(prices: &Prices, date: Date, sold_percent: i32) -> Result<Money, MoneyError> {
    let price = prices.nightly.get(&date).copied().unwrap_or(prices.rate.base_price);
    let rule = prices.rate.rules.iter().rev().find(|rule| rule.sold_percent <= sold_percent);
    match rule {
        // The change is at least -90 per cent, so the factor is positive.
        Some(rule) => price.percent_basis_points((100 + rule.price_change_percent) * 100),
        None => Ok(price),
    }
}

#[cfg(test)]
mod tests;
