//! The SQL of the service.
//!
//! Reads take the pool, changes a connection in a transaction. A change first locks its row, so that what it was
//! decided on is still so when it is made.

pub mod hotel;
pub mod request;
pub mod room;
pub mod room_type;

use staymesh_store::ResultExt;

use crate::{HotelError, model::etag};

/// What a delete has to know.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct State {
    /// Whether it was deleted before.
    pub deleted: bool,
    /// Counts the changes.
    pub version: i64,
}

impl State {
    /// The etag of the row, whose id this is.
    pub fn etag(&self, id: i32) -> String {
        etag(id, self.version)
    }
}

/// Turns the constraints that a room type or room can run into when it is written into what they mean.
fn refused<T>(
    result: Result<T, sqlx::Error>,
    hotel_id: i32,
    room_type_id: impl Into<Option<i32>>,
) -> Result<T, HotelError> {
    let room_type_id = room_type_id.into();
    result.on_constraints(|name| match (name, room_type_id) {
        ("room_type_hotel_fkey" | "room_type_live_hotel_fkey" | "room_hotel_fkey" | "room_live_hotel_fkey", _) => {
            Some(HotelError::HotelNotFound(hotel_id))
        }
        ("room_room_type_fkey" | "room_live_room_type_fkey", Some(room_type_id)) => {
            Some(HotelError::RoomTypeNotFound { hotel_id, room_type_id })
        }
        ("room_type_display_name_key", _) => Some(HotelError::RoomTypeNameTaken),
        ("room_room_number_key", _) => Some(HotelError::RoomNumberTaken),
        _ => None,
    })
}
