//! Renders rates and prices as messages of the contract.

use jiff::civil::Date;
use staymesh_api::rate::v1 as proto;
use staymesh_domain::{Money, format_date};
use staymesh_mesh::{cancellation_types::cancellation_terms, proto_types::money};

use super::policy;
use crate::model::{OccupancyRule, RoomRate, RoomTypePrice, Tax, TaxAmount, TaxKind};

impl From<RoomRate> for proto::RoomRate {
    fn from(rate: RoomRate) -> Self {
        Self {
            etag: rate.etag(),
            hotel_id: rate.hotel_id.get(),
            room_type_id: rate.room_type_id.get(),
            base_price: Some(money(rate.rate.base_price)),
            occupancy_rules: rate.rate.rules.into_iter().map(Into::into).collect(),
            cancellation_policy: Some(policy::message(rate.rate.policy)),
        }
    }
}

impl From<OccupancyRule> for proto::OccupancyRule {
    fn from(rule: OccupancyRule) -> Self {
        Self { sold_percent: rule.sold_percent, price_change_percent: rule.price_change_percent }
    }
}

impl From<Tax> for proto::Tax {
    fn from(tax: Tax) -> Self {
        let kind = match tax.kind {
            TaxKind::BasisPoints(basis_points) => proto::tax::Kind::BasisPoints(basis_points),
            TaxKind::PerRoomNight(amount) => proto::tax::Kind::PerRoomNight(money(amount)),
        };
        Self { display_name: tax.display_name, kind: Some(kind) }
    }
}

impl From<TaxAmount> for proto::TaxAmount {
    fn from(tax: TaxAmount) -> Self {
        Self { display_name: tax.display_name, amount: Some(money(tax.amount)) }
    }
}

impl From<RoomTypePrice> for proto::StayPrice {
    fn from(priced: RoomTypePrice) -> Self {
        let price = priced.price;
        Self {
            room_type_id: priced.room_type_id.get(),
            nights: price.nights.into_iter().map(night).collect(),
            subtotal: Some(money(price.subtotal)),
            taxes: price.taxes.into_iter().map(Into::into).collect(),
            total: Some(money(price.total)),
            cancellation_terms: Some(cancellation_terms(&priced.terms)),
        }
    }
}

/// The price of one room for one night.
pub(super) fn night((date, price): (Date, Money)) -> proto::NightPrice {
    proto::NightPrice { stay_date: format_date(date), price: Some(money(price)) }
}
