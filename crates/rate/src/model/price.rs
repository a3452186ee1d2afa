//! Prices of stays.

use jiff::civil::Date;
use staymesh_domain::{CancellationTerms, Money, RoomTypeId};

use super::tax::TaxAmount;

/// Largest price of a room and night, and largest fee for one, in minor units: 200,000,000.00, also in currencies whose
/// unit is small, such as IDR.
///
/// The longest stay in the most rooms, 90 nights and 50 rooms, is then a tenth of [`Money::MAX_MINOR`]: occupancy rules
/// and taxes may raise it elevenfold before it cannot be computed.
pub(crate) const MAX_PRICE_MINOR: i64 = 20_000_000_000;

/// A room type to price, and how well it sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomTypeDemand {
    pub(crate) room_type_id: RoomTypeId,
    /// Sold rooms in per cent of the rooms for sale, one entry per night of the stay; more than 100 when overbooked.
    pub(crate) sold_percent: Vec<i32>,
}

/// The price of a stay in one room type, with the terms it is sold under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomTypePrice {
    pub(crate) room_type_id: RoomTypeId,
    pub(crate) price: StayPrice,
    pub(crate) terms: CancellationTerms,
}

/// What a stay costs. Its lines add up: `total` is `subtotal` plus all taxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StayPrice {
    /// Price of one room per night, in ascending order of date.
    pub(crate) nights: Vec<(Date, Money)>,
    /// All nights of all rooms, before taxes.
    pub(crate) subtotal: Money,
    /// One entry per tax of the hotel, in the order of the bill.
    pub(crate) taxes: Vec<TaxAmount>,
    /// What the guest pays.
    pub(crate) total: Money,
}
