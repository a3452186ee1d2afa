//! Messages of group blocks.

use jiff::{Timestamp, civil::Date};
use prost::Message;
use sha2::{Digest, Sha256};
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{
    DateRange, FieldError, FieldErrors, HotelId, Page, RoomTypeId, Text, format_date, format_local_time, parse_date,
    parse_local_time, parse_request_id,
};
use staymesh_mesh::proto_types;
use uuid::Uuid;

use super::nights_request::require_sellable;
use crate::{
    block_status::BlockStatus,
    group_block::{GroupBlock, MAX_NIGHTS, NewGroupBlock, RoomNights},
};

/// The field of the resource in a request to create it.
const RESOURCE: &str = "group_block";
/// The time of the cut-off by default.
const DEFAULT_CUTOFF: &str = "18:00";
/// Most ranges of one request.
const MAX_RANGES: usize = 100;
/// Most rooms in a night.
const MAX_ROOMS: i32 = 10_000;

/// A page of blocks, by cut-off date and id.
type BlockPage = Page<(Date, Uuid)>;

/// Parses a request to create a block.
///
/// # Errors
/// Every invalid field.
pub(super) fn new_block(
    message: &proto::CreateGroupBlockRequest,
    now: Timestamp,
) -> Result<(HotelId, NewGroupBlock), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let id = errors.value(parse_request_id(&message.request_id));
    let Some(block) = &message.group_block else {
        errors.holds(false, RESOURCE, "is required");
        return errors.complete(None);
    };
    let mut of_block = FieldErrors::default();
    let code = code_of(&mut of_block, "code", &block.code);
    let name = of_block.value(Text::line(&block.display_name, 1..=200).map_err(|error| error.at("display_name")));
    let status = of_block.value(status(block.status));
    let date = parse_date(&block.cutoff_date).map_err(|error| FieldError::new("cutoff_date", error.to_string()));
    let cutoff_date = of_block.value(date);
    let time = if block.cutoff_time_of_day.is_empty() { DEFAULT_CUTOFF } else { &block.cutoff_time_of_day };
    let time = parse_local_time(time).map_err(|error| FieldError::new("cutoff_time_of_day", error.to_string()));
    let cutoff_time = of_block.value(time);
    let rooms = rooms(&mut of_block, &block.rooms, 1, now);
    errors.extend_under(RESOURCE, of_block);
    let block = || {
        Some(NewGroupBlock {
            id: id?,
            code: code?,
            display_name: name?.into_string(),
            status: status?,
            cutoff_date: cutoff_date?,
            cutoff_time: format_local_time(cutoff_time?),
            rooms,
            content_hash: Sha256::digest(message.encode_to_vec()).into(),
        })
    };
    errors.complete(hotel_id.zip(block()))
}

/// Parses a code, in this field.
pub(super) fn code_of(errors: &mut FieldErrors, field: &str, code: &str) -> Option<String> {
    let of_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    let valid = (3..=20).contains(&code.len()) && code.bytes().all(of_code);
    errors.holds(valid, field, "must be 3 to 20 of A-Z, 0-9 and -");
    valid.then(|| code.to_owned())
}

fn status(status: i32) -> Result<BlockStatus, FieldError> {
    match proto::GroupBlockStatus::try_from(status) {
        Ok(proto::GroupBlockStatus::Tentative) => Ok(BlockStatus::Tentative),
        Ok(proto::GroupBlockStatus::Definite) => Ok(BlockStatus::Definite),
        Ok(proto::GroupBlockStatus::Cancelled | proto::GroupBlockStatus::Unspecified) => {
            Err(FieldError::new("status", "must be TENTATIVE or DEFINITE"))
        }
        Err(_) => Err(FieldError::new("status", "is not a known value")),
    }
}

/// Parses rooms by range, at least `least` in a night, into rooms by night.
fn rooms(errors: &mut FieldErrors, ranges: &[proto::GroupBlockRooms], least: i32, now: Timestamp) -> RoomNights<i32> {
    let valid = (1..=MAX_RANGES).contains(&ranges.len());
    errors.holds(valid, "rooms", format!("must be 1 to {MAX_RANGES} entries"));
    let mut nights = RoomNights::new();
    for (at, range) in ranges.iter().enumerate().take(MAX_RANGES) {
        let mut of_range = FieldErrors::default();
        let room_type_id = of_range.value(RoomTypeId::try_from(range.room_type_id));
        let dates = DateRange::collect(&mut of_range, &range.from_date, &range.until_date);
        let dates = dates.filter(|dates| require_sellable(&mut of_range, *dates, now));
        of_range.range("room_count", range.room_count, least, MAX_ROOMS);
        errors.extend_under(&format!("rooms[{at}]"), of_range);
        for date in dates.into_iter().flat_map(DateRange::dates).take(MAX_NIGHTS + 1) {
            let once = room_type_id.is_none_or(|of| nights.insert((of, date), range.room_count).is_none());
            if !once {
                errors.holds(false, format!("rooms[{at}]"), format!("names {date} of the room type a second time"));
                break;
            }
        }
    }
    errors.holds(nights.len() <= MAX_NIGHTS, "rooms", format!("must be at most {MAX_NIGHTS} nights together"));
    nights
}

/// Parses the hotel and the id of a block.
///
/// # Errors
/// Every invalid field.
pub(super) fn key(hotel_id: i32, id: &str) -> Result<(HotelId, Uuid), FieldErrors> {
    let mut errors = FieldErrors::default();
    let key = key_of(&mut errors, hotel_id, id);
    errors.complete(key)
}

fn key_of(errors: &mut FieldErrors, hotel_id: i32, id: &str) -> Option<(HotelId, Uuid)> {
    let hotel_id = errors.value(HotelId::try_from(hotel_id));
    let at = |error: FieldError| FieldError { field: "group_block_id".into(), ..error };
    hotel_id.zip(errors.value(parse_request_id(id).map_err(at)))
}

/// Parses a request to resize a block.
///
/// # Errors
/// Every invalid field.
pub(super) fn resize(
    message: &proto::ResizeGroupBlockRequest,
    now: Timestamp,
) -> Result<(HotelId, Uuid, RoomNights<i32>), FieldErrors> {
    let mut errors = FieldErrors::default();
    let key = key_of(&mut errors, message.hotel_id, &message.group_block_id);
    let rooms = rooms(&mut errors, &message.rooms, 0, now);
    let (hotel_id, id) = errors.complete(key)?;
    Ok((hotel_id, id, rooms))
}

/// Parses which page of a hotel's blocks to list.
///
/// # Errors
/// Every invalid field.
pub(super) fn list(message: &proto::ListGroupBlocksRequest) -> Result<(HotelId, BlockPage), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let filters = [RESOURCE, &message.hotel_id.to_string()];
    let page = BlockPage::collect(&mut errors, message.page_size, &message.page_token, &filters);
    // Page tokens are not signed: a forged one must not reach the database with a date that no block has.
    if let Some((date, _)) = page.as_ref().and_then(|page| page.after) {
        errors.holds(parse_date(&format_date(date)).is_ok(), "page_token", "is not one of this list");
    }
    errors.complete(hotel_id.zip(page))
}

/// A block in an answer, with the reservations that were made out of it.
pub(super) fn message(block: GroupBlock, reservations: &[Uuid]) -> proto::GroupBlock {
    let night =
        |((room_type_id, date), night): ((RoomTypeId, Date), crate::group_block::BlockNight)| proto::GroupBlockNight {
            room_type_id: room_type_id.get(),
            stay_date: format_date(date),
            blocked: night.blocked,
            picked_up: night.picked_up,
        };
    proto::GroupBlock {
        hotel_id: block.hotel_id.get(),
        group_block_id: block.id.to_string(),
        code: block.code,
        display_name: block.display_name,
        status: match block.status {
            BlockStatus::Tentative => proto::GroupBlockStatus::Tentative,
            BlockStatus::Definite => proto::GroupBlockStatus::Definite,
            BlockStatus::Cancelled => proto::GroupBlockStatus::Cancelled,
        }
        .into(),
        cutoff_date: format_date(block.cutoff_date),
        cutoff_time_of_day: block.cutoff_time,
        cutoff_time: Some(proto_types::timestamp(block.cutoff)),
        release_time: block.released.map(proto_types::timestamp),
        rooms: vec![],
        nights: block.nights.into_iter().map(night).collect(),
        reservation_ids: reservations.iter().map(Uuid::to_string).collect(),
        create_time: Some(proto_types::timestamp(block.create_time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<T: std::fmt::Debug>(refused: Result<T, FieldErrors>) -> Vec<String> {
        refused.expect_err("invalid").into_iter().map(|error| error.field).collect()
    }

    fn now() -> Timestamp {
        "2027-02-01T12:00:00Z".parse().expect("a time")
    }

    fn range(from: &str, until: &str, room_count: i32) -> proto::GroupBlockRooms {
        proto::GroupBlockRooms { room_type_id: 3, from_date: from.into(), until_date: until.into(), room_count }
    }

    #[test]
    fn create_request_names_every_wrong_field_under_its_resource() {
        let ranges = vec![range("2027-06-10", "2027-06-13", 20), range("2027-06-12", "2027-06-14", 0)];
        let block = proto::GroupBlock {
            code: "fair".into(),
            status: proto::GroupBlockStatus::Cancelled.into(),
            cutoff_date: "1 May".into(),
            cutoff_time_of_day: "6 pm".into(),
            rooms: ranges,
            ..Default::default()
        };
        let request = proto::CreateGroupBlockRequest { hotel_id: 0, group_block: Some(block), request_id: "x".into() };
        let expected = [
            "hotel_id",
            "request_id",
            "group_block.code",
            "group_block.display_name",
            "group_block.status",
            "group_block.cutoff_date",
            "group_block.cutoff_time_of_day",
            "group_block.rooms[1].room_count",
            "group_block.rooms[1]",
        ];
        assert_eq!(fields(new_block(&request, now())), expected);
        let empty = proto::CreateGroupBlockRequest { hotel_id: 7, ..Default::default() };
        assert_eq!(fields(new_block(&empty, now())), ["request_id", "group_block"]);
    }

    #[test]
    fn resize_request_takes_no_rooms_for_a_night_and_names_every_wrong_field() {
        let id = "3f0c9a1e-5b7d-4c2a-9e4f-5a6b7c8d9e0f".to_owned();
        let rooms = vec![range("2027-06-10", "2027-06-12", 0)];
        let request = proto::ResizeGroupBlockRequest { hotel_id: 7, group_block_id: id, rooms };
        let (_, _, rooms) = resize(&request, now()).expect("valid");
        assert_eq!(rooms.into_values().collect::<Vec<_>>(), [0, 0]);
        let request = proto::ResizeGroupBlockRequest { hotel_id: 0, group_block_id: "x".into(), rooms: vec![] };
        assert_eq!(fields(resize(&request, now())), ["hotel_id", "group_block_id", "rooms"]);
        let years = range("2027-06-10", "2029-06-10", 1);
        let long = vec![proto::GroupBlockRooms { room_type_id: 4, ..years.clone() }, years];
        let request = proto::ResizeGroupBlockRequest { rooms: long, ..request };
        assert!(fields(resize(&request, now())).contains(&"rooms".to_owned()));
    }
}
