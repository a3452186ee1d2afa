//! Rooms in requests.

use prost_types::FieldMask;
use staymesh_api::hotel::v1 as proto;
use staymesh_domain::{FieldErrors, RoomTypeId};

use super::{mask::Mask, masked, required, validate::Validator};
use crate::model::{Change, RoomFields, RoomPatch};

/// Paths that an update mask of a room may name.
const CHANGEABLE: &[&str] = &["room_type_id", "room_number", "floor"];

/// A new room.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn new_room(room: Option<proto::Room>) -> Result<RoomFields, FieldErrors> {
    let mut room = required("room", room)?;
    let mut validator = Validator::new("room", &Mask::ALL);
    let room_type_id = validate(&mut validator, &mut room);
    let room_type_id = validator.finish(room_type_id)?;
    Ok(RoomFields { room_type_id, room_number: room.room_number, floor: room.floor })
}

/// An update of a room.
///
/// # Errors
/// `update_mask`, or every invalid field that the mask covers.
pub(in crate::grpc) fn room_change(
    room: Option<proto::Room>,
    mask: Option<&FieldMask>,
) -> Result<Change<RoomPatch>, FieldErrors> {
    let (mut room, mask) = masked("room", room, mask, CHANGEABLE)?;
    let mut validator = Validator::new("room", &mask);
    let room_type_id = validate(&mut validator, &mut room);
    validator.finish(Some(()))?;
    let patch = RoomPatch {
        room_type_id: mask.pick("room_type_id", room_type_id).flatten(),
        room_number: mask.pick("room_number", room.room_number),
        floor: mask.pick("floor", room.floor),
    };
    Ok(Change { patch, etag: room.etag })
}

/// Returns the room type id if it is valid.
fn validate(validator: &mut Validator<'_>, room: &mut proto::Room) -> Option<RoomTypeId> {
    let room_type_id = validator.value("room_type_id", RoomTypeId::try_from(room.room_type_id));
    validator.line("room_number", &mut room.room_number, 1, 20);
    validator.range("floor", room.floor, -10, 200);
    room_type_id
}
