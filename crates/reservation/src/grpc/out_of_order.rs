//! Messages of rooms that are out of order.

use jiff::{Timestamp, civil::Date};
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{
    DateRange, FieldError, FieldErrors, HotelId, Page, RoomId, Text, format_date, parse_date, parse_request_id,
};
use staymesh_mesh::proto_types;
use uuid::Uuid;

use super::{
    nights_request::{listed_nights, require_sellable},
    room_assignments::room_assignment,
};
use crate::store::{NewOutOfOrder, OutOfOrder, OutOfOrderFilter, OutOfOrderKind};

/// A page of blocks, by first night and id.
type BlockPage = Page<(Date, Uuid)>;

/// The field of the resource in a request to create it.
const RESOURCE: &str = "out_of_order";

/// Parses a request to block a room.
///
/// # Errors
/// Every invalid field.
pub(super) fn new_block(
    message: &proto::CreateOutOfOrderRequest,
    now: Timestamp,
) -> Result<(HotelId, NewOutOfOrder), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let id = errors.value(parse_request_id(&message.request_id));
    let Some(block) = &message.out_of_order else {
        errors.holds(false, RESOURCE, "is required");
        return errors.complete(None);
    };
    let mut of_block = FieldErrors::default();
    let room_id = of_block.value(RoomId::try_from(block.room_id));
    let nights = DateRange::collect(&mut of_block, &block.from_date, &block.until_date);
    let nights = nights.filter(|nights| require_sellable(&mut of_block, *nights, now));
    let kind = of_block.value(kind(block.kind));
    let reason = of_block.value(Text::line(&block.reason, 1..=200).map_err(|error| error.at("reason")));
    errors.extend_under(RESOURCE, of_block);
    let force = message.force;
    let block = || {
        let reason = reason?.into_string();
        Some(NewOutOfOrder { id: id?, room_id: room_id?, nights: nights?, kind: kind?, reason, force })
    };
    errors.complete(hotel_id.zip(block()))
}

fn kind(kind: i32) -> Result<OutOfOrderKind, FieldError> {
    match proto::OutOfOrderKind::try_from(kind) {
        Ok(proto::OutOfOrderKind::OutOfOrder) => Ok(OutOfOrderKind::OutOfOrder),
        Ok(proto::OutOfOrderKind::OutOfService) => Ok(OutOfOrderKind::OutOfService),
        Ok(proto::OutOfOrderKind::Unspecified) => Err(FieldError::new("kind", "is required")),
        Err(_) => Err(FieldError::new("kind", "is not a known value")),
    }
}

/// Parses which blocks to list, and which page of them.
///
/// # Errors
/// Every invalid field.
pub(super) fn list(
    message: &proto::ListOutOfOrderRequest,
) -> Result<(HotelId, OutOfOrderFilter, BlockPage), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let nights = listed_nights(&mut errors, &message.from_date, &message.until_date);
    let room_id = match message.room_id {
        0 => None,
        id => errors.value(RoomId::try_from(id)),
    };
    let filters = nights.map(|nights| format!("{} {} {}", message.hotel_id, nights.from(), nights.until()));
    let filters = [RESOURCE, &filters.unwrap_or_default(), &message.room_id.to_string()];
    let page = BlockPage::collect(&mut errors, message.page_size, &message.page_token, &filters);
    // Page tokens are not signed: a forged one must not reach the database with a date that no block has.
    if let Some((from, _)) = page.as_ref().and_then(|page| page.after) {
        errors.holds(parse_date(&format_date(from)).is_ok(), "page_token", "is not one of this list");
    }
    let (hotel_id, (nights, page)) = errors.complete(hotel_id.zip(nights.zip(page)))?;
    Ok((hotel_id, OutOfOrderFilter { nights, room_id }, page))
}

/// Parses a request to end a block: its hotel, its id, and the day from which the room is in order again, if it names one.
///
/// # Errors
/// Every invalid field.
pub(super) fn end(message: &proto::EndOutOfOrderRequest) -> Result<(HotelId, Uuid, Option<Date>), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let at = |error: FieldError| FieldError { field: "out_of_order_id".into(), ..error };
    let id = errors.value(parse_request_id(&message.out_of_order_id).map_err(at));
    let end = match &*message.end_date {
        "" => None,
        date => errors.value(parse_date(date).map_err(|error| FieldError::new("end_date", error.to_string()))),
    };
    let (hotel_id, id) = errors.complete(hotel_id.zip(id))?;
    Ok((hotel_id, id, end))
}

/// A block of a room.
pub(super) fn message(block: OutOfOrder) -> proto::OutOfOrder {
    proto::OutOfOrder {
        hotel_id: block.hotel_id.get(),
        out_of_order_id: block.id.to_string(),
        room_id: block.room_id.get(),
        room_type_id: block.room_type_id.get(),
        from_date: format_date(block.from),
        until_date: format_date(block.until),
        kind: match block.kind {
            OutOfOrderKind::OutOfOrder => proto::OutOfOrderKind::OutOfOrder,
            OutOfOrderKind::OutOfService => proto::OutOfOrderKind::OutOfService,
        }
        .into(),
        reason: block.reason,
        end_date: block.end.map(format_date).unwrap_or_default(),
        create_time: Some(proto_types::timestamp(block.create_time)),
        removed_assignments: block.removed.into_iter().map(room_assignment).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e0f";

    fn now() -> Timestamp {
        "2027-02-01T12:00:00Z".parse().expect("a time")
    }

    fn fields<T: std::fmt::Debug>(refused: Result<T, FieldErrors>) -> Vec<String> {
        refused.expect_err("invalid").into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn create_request_names_every_wrong_field_under_its_resource() {
        let block = proto::OutOfOrder {
            room_id: -1,
            from_date: "2027-02-10".into(),
            until_date: "2027-02-10".into(),
            ..Default::default()
        };
        let wrong = proto::CreateOutOfOrderRequest {
            hotel_id: 0,
            out_of_order: Some(block),
            request_id: "x".into(),
            force: false,
        };
        let expected = [
            "hotel_id",
            "request_id",
            "out_of_order.room_id",
            "out_of_order.until_date",
            "out_of_order.kind",
            "out_of_order.reason",
        ];
        assert_eq!(fields(new_block(&wrong, now())), expected);
        let empty =
            proto::CreateOutOfOrderRequest { hotel_id: 7, request_id: ID.into(), out_of_order: None, force: false };
        assert_eq!(fields(new_block(&empty, now())), [RESOURCE]);
    }

    #[test]
    fn end_request_names_every_wrong_field() {
        let wrong = proto::EndOutOfOrderRequest { hotel_id: 0, out_of_order_id: "x".into(), end_date: "x".into() };
        assert_eq!(fields(end(&wrong)), ["hotel_id", "out_of_order_id", "end_date"]);
        let open = proto::EndOutOfOrderRequest { hotel_id: 7, out_of_order_id: ID.into(), end_date: String::new() };
        assert_eq!(end(&open).expect("valid").2, None);
    }
}
