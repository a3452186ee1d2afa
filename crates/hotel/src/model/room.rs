//! Rooms.

use sqlx::FromRow;
use staymesh_domain::{HotelId, RoomId, RoomTypeId};

use super::{
    patch::apply_patch,
    version::{Times, etag},
};

/// A physical room with a door and a number.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Room {
    #[sqlx(try_from = "i32")]
    pub(crate) hotel_id: HotelId,
    #[sqlx(rename = "room_id", try_from = "i32")]
    pub(crate) id: RoomId,
    #[sqlx(flatten)]
    pub(crate) fields: RoomFields,
    /// Number of the current version, from 1.
    pub(crate) version: i64,
    #[sqlx(flatten)]
    pub(crate) times: Times,
}

impl Room {
    /// `Room.etag` of the contract.
    pub(crate) fn etag(&self) -> String {
        etag(self.id.get(), self.version)
    }
}

/// The fields of a room that an update can change. `Room` of the contract defines each.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RoomFields {
    #[sqlx(try_from = "i32")]
    pub(crate) room_type_id: RoomTypeId,
    /// 1 to 20 characters, unique among the live rooms of the hotel.
    pub(crate) room_number: String,
    /// Floor above ground, -10 to 200.
    pub(crate) floor: i32,
}

/// New values for fields of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoomPatch {
    pub(crate) room_type_id: Option<RoomTypeId>,
    pub(crate) room_number: Option<String>,
    pub(crate) floor: Option<i32>,
}

impl RoomFields {
    /// These fields after `patch`.
    #[must_use]
    pub(crate) fn patched(mut self, patch: RoomPatch) -> Self {
        apply_patch!(patch => self; room_type_id, room_number, floor);
        self
    }
}
