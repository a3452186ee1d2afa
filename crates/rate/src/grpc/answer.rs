//! What the service keeps and reckons, as the contract shows it.

use jiff::civil::Date;
use staymesh_api::rate::v1 as proto;
use staymesh_domain::{Money, format_date};
use staymesh_mesh::proto_types::money;

use crate::{
    pricing::{CancellationPolicy, OccupancyRule, StayPrice, Tax, TaxKind},
    store::rate::RoomRate,
};

impl From<RoomRate> for proto::RoomRate {
    fn from(rate: RoomRate) -> Self {
        Self {
            etag: rate.etag(),
            hotel_id: rate.hotel_id,
            room_type_id: rate.room_type_id,
            base_price: Some(money(rate.rate.base_price)),
            occupancy_rules: rate.rate.rules.into_iter().map(Into::into).collect(),
            cancellation_policy: Some(rate.rate.policy.into()),
        }
    }
}

impl From<OccupancyRule> for proto::OccupancyRule {
    fn from(rule: OccupancyRule) -> Self {
        Self { sold_percent: rule.sold_percent, price_change_percent: rule.price_change_percent }
    }
}

impl From<CancellationPolicy> for proto::CancellationPolicy {
    fn from(policy: CancellationPolicy) -> Self {
        Self {
            free_until_hours_before: policy.free_until_hours_before,
            late_penalty_percent: policy.late_penalty_percent,
        }
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

pub(super) fn night((date, price): (Date, Money)) -> proto::NightPrice {
    proto::NightPrice { stay_date: format_date(date), price: Some(money(price)) }
}

/// The bill of a stay. `taxes` are those it was reckoned with.
pub(super) fn stay(room_type_id: i32, price: StayPrice, taxes: &[Tax], policy: CancellationPolicy) -> proto::StayPrice {
    let taxes = taxes
        .iter()
        .zip(price.taxes)
        .map(|(tax, amount)| proto::TaxAmount { display_name: tax.display_name.clone(), amount: Some(money(amount)) });
    proto::StayPrice {
        room_type_id,
        nights: price.nights.into_iter().map(night).collect(),
        subtotal: Some(money(price.subtotal)),
        taxes: taxes.collect(),
        total: Some(money(price.total)),
        cancellation_policy: Some(policy.into()),
    }
}
