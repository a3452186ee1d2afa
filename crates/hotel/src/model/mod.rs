//! Hotels, room types and rooms: the rows of the catalog, and the patches that change them.

mod hotel;
mod patch;
mod room;
mod room_type;
mod version;

pub(crate) use hotel::{Hotel, HotelFields, HotelFilter, HotelPatch, Location};
pub(crate) use patch::Change;
pub(crate) use room::{Room, RoomFields, RoomPatch};
pub(crate) use room_type::{Bed, RoomType, RoomTypeFields, RoomTypePatch};
pub(crate) use version::RowState;
