//! Rates: how a room type is priced.

use std::collections::HashMap;

use jiff::civil::Date;
use staymesh_domain::{CancellationPolicy, HotelId, Money, Penalty, RoomTypeId};

/// How a room type is priced in nights without a nightly price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rate {
    /// One room for one night, before occupancy rules and taxes; more than zero.
    pub(crate) base_price: Money,
    /// Price changes by occupancy: ascending by threshold, each threshold once, at most 20.
    pub(crate) rules: Vec<OccupancyRule>,
    /// What is kept on cancellation.
    pub(crate) policy: CancellationPolicy,
}

impl Rate {
    /// The fixed penalties of the policy, with the fields that state them.
    pub(crate) fn fixed_penalties(&self) -> impl Iterator<Item = (String, Money)> {
        let tiers = self.policy.tiers.iter().enumerate();
        let tiers = tiers.map(|(i, tier)| (format!("tiers[{i}].penalty"), tier.penalty));
        let no_show = self.policy.no_show.map(|penalty| ("no_show_penalty".to_owned(), penalty));
        tiers.chain(no_show).filter_map(|(field, penalty)| match penalty {
            Penalty::Fixed(amount) => Some((format!("rate.cancellation_policy.{field}.fixed"), amount)),
            _ => None,
        })
    }
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
