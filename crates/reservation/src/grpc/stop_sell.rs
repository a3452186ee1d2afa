//! Messages of stop-sell.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{DateRange, FieldErrors, HotelId, RoomTypeId};

use super::{
    nights_request::{require_sellable, weekdays},
    request::room_type_ids,
};
use crate::store::StopSellChange;

/// Parses a request to close or reopen nights. Without room types it is for all of the hotel, which the caller adds.
///
/// # Errors
/// Every invalid field.
pub(super) fn change(
    message: &proto::SetStopSellRequest,
    now: Timestamp,
) -> Result<(HotelId, StopSellChange), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let room_types: BTreeSet<_> = room_type_ids(&mut errors, &message.room_type_ids).into_iter().collect();
    let nights = DateRange::collect(&mut errors, &message.from_date, &message.until_date);
    let nights = nights.filter(|nights| require_sellable(&mut errors, *nights, now));
    let weekdays = weekdays(&mut errors, &message.weekdays);
    // No default: a request without it would reopen the nights.
    errors.holds(message.stop_sell.is_some(), "stop_sell", "is required");
    let etags = etags(&mut errors, &message.etags, &room_types);
    let change = || {
        let nights = nights?.on(weekdays?);
        Some(StopSellChange { room_types, nights, stop_sell: message.stop_sell?, etags })
    };
    errors.complete(hotel_id.zip(change()))
}

/// Parses etags by room type; each must be of one of `room_types`, unless that is empty.
fn etags(
    errors: &mut FieldErrors,
    etags: &[proto::InventoryEtag],
    room_types: &BTreeSet<RoomTypeId>,
) -> BTreeMap<RoomTypeId, String> {
    let mut parsed = BTreeMap::new();
    for (at, etag) in etags.iter().enumerate() {
        let field = || format!("etags[{at}].room_type_id");
        let id = errors.value(RoomTypeId::try_from(etag.room_type_id).map_err(|error| error.at(field())));
        let Some(id) = id else { continue };
        let named = room_types.is_empty() || room_types.contains(&id);
        errors.holds(named, field(), "is not one of room_type_ids");
        errors.holds(parsed.insert(id, etag.etag.clone()).is_none(), field(), "has another etag before");
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> proto::SetStopSellRequest {
        proto::SetStopSellRequest {
            hotel_id: 7,
            room_type_ids: vec![3, 2, 3],
            from_date: "2027-02-18".into(),
            until_date: "2027-02-19".into(),
            stop_sell: Some(true),
            etags: vec![proto::InventoryEtag { room_type_id: 2, etag: "x".into() }],
            ..Default::default()
        }
    }

    fn now() -> Timestamp {
        "2027-02-01T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn stop_sell_request_is_parsed() {
        let (hotel_id, change) = change(&request(), now()).expect("valid");
        assert_eq!((hotel_id.get(), change.stop_sell, change.nights.dates().count()), (7, true, 1));
        assert_eq!(change.room_types.iter().map(|id| id.get()).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn stop_sell_request_names_every_wrong_field() {
        let etag = |room_type_id| proto::InventoryEtag { room_type_id, etag: "x".into() };
        let wrong = proto::SetStopSellRequest {
            hotel_id: 0,
            from_date: "2026-02-18".into(),
            until_date: "2027-02-18".into(),
            weekdays: vec![8],
            stop_sell: None,
            etags: vec![etag(2), etag(2), etag(4), etag(0)],
            ..request()
        };
        let fields: Vec<_> = change(&wrong, now()).expect_err("invalid").into_iter().map(|error| error.field).collect();
        let expected = [
            "hotel_id",
            "from_date",
            "weekdays",
            "stop_sell",
            "etags[1].room_type_id",
            "etags[2].room_type_id",
            "etags[3].room_type_id",
        ];
        assert_eq!(fields, expected);
    }
}
