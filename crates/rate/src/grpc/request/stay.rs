//! Stays in requests.

use staymesh_api::rate::v1 as proto;
use staymesh_domain::{FieldError, FieldErrors, HotelId, HotelTime, RoomCount, RoomTypeId, StayDates};
use staymesh_mesh::Problem;

use crate::model::RoomTypeDemand;

/// Most room types of one request.
const MAX_ROOM_TYPES: usize = 100;

/// A stay to price.
pub(in crate::grpc) struct StayRequest {
    pub(in crate::grpc) hotel_id: HotelId,
    pub(in crate::grpc) dates: StayDates,
    pub(in crate::grpc) rooms: RoomCount,
    pub(in crate::grpc) time: HotelTime,
    pub(in crate::grpc) demands: Vec<RoomTypeDemand>,
}

/// The stay to price.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field.
pub(in crate::grpc) fn stay(request: proto::PriceStayRequest) -> Result<StayRequest, Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
    let dates = StayDates::collect(&mut errors, &request.check_in, &request.check_out);
    let rooms = errors.value(RoomCount::try_from(request.rooms));
    let time = errors.value(hotel_time(request.hotel_time.as_ref()));
    let types = request.room_types.len();
    errors.holds(
        (1..=MAX_ROOM_TYPES).contains(&types),
        "room_types",
        format!("must have 1 to {MAX_ROOM_TYPES} entries, not {types}"),
    );
    let demands = request.room_types.into_iter().enumerate().take(MAX_ROOM_TYPES);
    let demands = demands.filter_map(|(index, entry)| demand(&mut errors, index, entry, dates)).collect();
    let ((hotel_id, time), (dates, rooms)) = errors.complete(hotel_id.zip(time).zip(dates.zip(rooms)))?;
    Ok(StayRequest { hotel_id, dates, rooms, time, demands })
}

fn hotel_time(time: Option<&proto::HotelTime>) -> Result<HotelTime, FieldError> {
    let time = time.ok_or_else(|| FieldError::new("hotel_time", "is required"))?;
    HotelTime::parse(&time.time_zone, &time.check_in_time, &time.day_rollover)
        .map_err(|error| FieldError::new(format!("hotel_time.{}", error.field()), error.to_string()))
}

/// One entry of `room_types`; `None` if its id is invalid.
fn demand(
    errors: &mut FieldErrors,
    index: usize,
    entry: proto::RoomTypeDemand,
    dates: Option<StayDates>,
) -> Option<RoomTypeDemand> {
    let field = format!("room_types[{index}]");
    let room_type_id = RoomTypeId::try_from(entry.room_type_id);
    let room_type_id = errors.value(room_type_id.map_err(|error| error.at(format!("{field}.room_type_id"))));
    let sold_percent = entry.sold_percent;
    errors.holds(
        dates.is_none_or(|dates| dates.nights().count() == sold_percent.len()),
        format!("{field}.sold_percent"),
        "must have one entry for each night of the stay",
    );
    if let Some(night) = sold_percent.iter().position(|sold| *sold < 0) {
        errors.holds(false, format!("{field}.sold_percent[{night}]"), "must not be negative");
    }
    room_type_id.map(|room_type_id| RoomTypeDemand { room_type_id, sold_percent })
}
