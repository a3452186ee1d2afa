//! What a stay costs. Pure reckoning in minor units: no I/O, no clock, no float.

use std::collections::HashMap;

use jiff::civil::Date;
use staymesh_domain::{Money, MoneyError, RoomCount};

/// How a room type is priced, before single nights are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// One room for one night, when nothing else says so.
    pub base_price: Money,
    /// How the price moves with the rooms that are sold; ascending by threshold, each threshold once.
    pub rules: Vec<OccupancyRule>,
    /// What cancelling costs.
    pub policy: CancellationPolicy,
}

/// All that decides what a room type costs in some nights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// What holds for every night.
    pub rate: Rate,
    /// Nights with a price of their own, in the currency of the base price.
    pub nightly: HashMap<Date, Money>,
}

/// From so many per cent sold, the price is so many per cent higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OccupancyRule {
    /// The rule's threshold, 1 to 100.
    pub sold_percent: i32,
    /// What is added to the price, -90 to 400 per cent.
    pub price_change_percent: i32,
}

/// What a guest gets back on cancelling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CancellationPolicy {
    /// Until so many hours before 00:00 UTC of the check-in date everything is paid back; 0 to 8,760.
    pub free_until_hours_before: i32,
    /// After that, this share of the total is kept; 0 to 100.
    pub late_penalty_percent: i32,
}

/// A tax or fee that is added to every stay in a hotel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tax {
    /// Its name on the bill.
    pub display_name: String,
    /// How it is computed.
    pub kind: TaxKind,
}

/// How a tax is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaxKind {
    /// A share of the price of the nights, in hundredths of a per cent.
    BasisPoints(i32),
    /// An amount for each room and night.
    PerRoomNight(Money),
}

/// What a stay in a room type costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayPrice {
    /// One room, night by night, in order of dates.
    pub nights: Vec<(Date, Money)>,
    /// All nights and rooms, before taxes.
    pub subtotal: Money,
    /// What each tax comes to for the whole stay, in the order of the bill.
    pub taxes: Vec<Money>,
    /// All that is to be paid.
    pub total: Money,
}

/// Prices a stay: each night by its own price or the base price, moved by how well it sells; taxes on the whole.
///
/// Each night and each tax is rounded once, to the minor unit, so the bill's lines always add up to its total.
///
/// # Errors
/// [`MoneyError::TooLarge`] when an amount gets out of bounds, [`MoneyError::CurrencyMismatch`] when prices and taxes are
/// in different currencies.
pub fn price_stay(
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
        .map(|tax| match tax.kind {
            TaxKind::BasisPoints(basis_points) => subtotal.percent_basis_points(basis_points),
            TaxKind::PerRoomNight(amount) => amount.checked_mul(night_count)?.checked_mul(rooms.get()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let total = subtotal.checked_add(Money::sum(currency, taxes.iter().copied())?)?;
    Ok(StayPrice { nights, subtotal, taxes, total })
}

/// One room for one night of which so much is sold.
fn night_price(prices: &Prices, date: Date, sold_percent: i32) -> Result<Money, MoneyError> {
    let price = prices.nightly.get(&date).copied().unwrap_or(prices.rate.base_price);
    let rule = prices.rate.rules.iter().rev().find(|rule| rule.sold_percent <= sold_percent);
    match rule {
        // -90 per cent at the least, so the price stays what it was or above zero.
        Some(rule) => price.percent_basis_points((100 + rule.price_change_percent) * 100),
        None => Ok(price),
    }
}

#[cfg(test)]
mod tests;
