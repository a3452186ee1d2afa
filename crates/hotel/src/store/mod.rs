//! SQL of the hotel database, one module per table.
//!
//! Reads take the pool, writes a connection in a transaction. An update locks its row first (`select .. for no key
//! update`), so that the row it was decided on is the row it changes. "Live" rows are those that are not soft-deleted.

pub(crate) mod audit;
pub(crate) mod create_request;
pub(crate) mod hotel;
pub(crate) mod room;
pub(crate) mod room_type;

use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_store::ResultExt;

use crate::error::HotelError;

/// Maps the constraints that a write of a room type or room can violate to their errors.
fn map_constraints<T>(
    result: Result<T, sqlx::Error>,
    hotel_id: HotelId,
    room_type_id: impl Into<Option<RoomTypeId>>,
) -> Result<T, HotelError> {
    let room_type_id = room_type_id.into();
    result.on_constraints(|name| match (name, room_type_id) {
        ("room_type_hotel_fkey" | "room_type_live_hotel_fkey" | "room_hotel_fkey" | "room_live_hotel_fkey", _) => {
            Some(HotelError::HotelNotFound(hotel_id))
        }
        ("room_room_type_fkey" | "room_live_room_type_fkey", Some(room_type_id)) => {
            Some(HotelError::RoomTypeNotFound { hotel_id, room_type_id })
        }
        ("room_type_display_name_key" | "room_type_display_name_text_key", _) => Some(HotelError::RoomTypeNameTaken),
        ("room_room_number_key" | "room_room_number_text_key", _) => Some(HotelError::RoomNumberTaken),
        _ => None,
    })
}
