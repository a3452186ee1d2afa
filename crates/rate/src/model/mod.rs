//! Rates, taxes and prices. Every amount is a [`Money`](staymesh_domain::Money) in the currency of the hotel.

mod price;
mod rate;
mod tax;

pub(crate) use price::{MAX_PRICE_MINOR, RoomTypeDemand, RoomTypePrice, StayPrice};
pub(crate) use rate::{OccupancyRule, Prices, Rate, RoomRate};
pub(crate) use tax::{Tax, TaxAmount, TaxKind};
