//! Rates: how a room type is priced.

use std::collections::HashMap;

use jiff::civil::Date;
use staymesh_domain::{HotelId, Money, RoomTypeId};

/// How a room type is priced in nights without a nightly price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rate {
    /// One room for one night, before occupancy rules and taxes; more than zero.
    pub(crate) base_price: Money,
    /// Price changes by occupancy: ascending by threshold, each threshold once, at most 20.
    pub(crate) rules: Vec<OccupancyRule>,
    pub(crate) policy: CancellationPolicy,
}

/// A version of the rate of a room type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomRate {
    pub(crate) hotel_id: HotelId,
    pub(crate) room_type_id: RoomTypeId,
    pub(crate) rate: Rate,
    /// Number of the version, from 1.
    pub(crate) version: i64,
}

impl RoomRate {
    /// `RoomRate.etag` of the contract.
    pub(crate) fn etag(&self) -> String {
        format!("{:x}-{:x}", self.room_type_id.get(), self.version)
    }
}

/// Everything that determines the price of one room type in the nights of a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prices {
    pub(crate) rate: Rate,
    /// Nightly prices, which replace the base price; in its currency.
    pub(crate) nightly: HashMap<Date, Money>,
}

/// Changes the price of a night in which at least `sold_percent` of the rooms are sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OccupancyRule {
    /// Threshold, 1 to 100 per cent of the rooms.
    pub(crate) sold_percent: i32,
    /// Change of the price, -90 to 400 per cent.
    pub(crate) price_change_percent: i32,
}

/// What a guest pays when cancelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CancellationPolicy {
    /// Cancelling is free until this many hours before 00:00 UTC of the check-in date; 0 to 8,760.
    pub(crate) free_until_hours_before: i32,
    /// Share of the total that is kept when cancelling later, 0 to 100 per cent.
    pub(crate) late_penalty_percent: i32,
}
