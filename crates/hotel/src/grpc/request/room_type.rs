//! Room types in requests.

use prost_types::FieldMask;
use staymesh_api::hotel::v1 as proto;
use staymesh_domain::FieldErrors;

use super::{mask::Mask, masked, required, validate::Validator};
use crate::model::{Bed, Change, RoomTypeFields, RoomTypePatch};

/// Paths that an update mask of a room type may name.
const CHANGEABLE: &[&str] = &["display_name", "description", "beds", "max_occupancy", "amenities", "photo_urls"];

/// A new room type.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn new_room_type(room_type: Option<proto::RoomType>) -> Result<RoomTypeFields, FieldErrors> {
    let mut room_type = required("room_type", room_type)?;
    let mut validator = Validator::new("room_type", &Mask::ALL);
    validate(&mut validator, &mut room_type);
    validator.finish(Some(()))?;
    Ok(RoomTypeFields {
        display_name: room_type.display_name,
        description: room_type.description,
        beds: beds(&room_type.beds),
        max_occupancy: room_type.max_occupancy,
        amenities: room_type.amenities,
        photo_urls: room_type.photo_urls,
    })
}

/// An update of a room type.
///
/// # Errors
/// `update_mask`, or every invalid field that the mask covers.
pub(in crate::grpc) fn room_type_change(
    room_type: Option<proto::RoomType>,
    mask: Option<&FieldMask>,
) -> Result<Change<RoomTypePatch>, FieldErrors> {
    let (mut room_type, mask) = masked("room_type", room_type, mask, CHANGEABLE)?;
    let mut validator = Validator::new("room_type", &mask);
    validate(&mut validator, &mut room_type);
    validator.finish(Some(()))?;
    let patch = RoomTypePatch {
        display_name: mask.pick("display_name", room_type.display_name),
        description: mask.pick("description", room_type.description),
        beds: mask.pick("beds", beds(&room_type.beds)),
        max_occupancy: mask.pick("max_occupancy", room_type.max_occupancy),
        amenities: mask.pick("amenities", room_type.amenities),
        photo_urls: mask.pick("photo_urls", room_type.photo_urls),
    };
    Ok(Change { patch, etag: room_type.etag })
}

fn beds(beds: &[proto::Bed]) -> Vec<Bed> {
    beds.iter().map(|bed| Bed { kind: bed.kind, count: bed.count }).collect()
}

fn validate(validator: &mut Validator<'_>, room_type: &mut proto::RoomType) {
    validator.line("display_name", &mut room_type.display_name, 1, 200);
    validator.prose("description", &mut room_type.description, 5_000);
    validator.require(!room_type.beds.is_empty(), "beds", "is required; 1 to 10 entries");
    validator.list("beds", &mut room_type.beds, 10, |validator, path, bed| {
        let known = bed.kind != 0 && proto::BedKind::try_from(bed.kind).is_ok();
        validator.require(known, &format!("{path}.kind"), "must be a kind of bed");
        validator.range(&format!("{path}.count"), bed.count, 1, 10);
    });
    validator.range("max_occupancy", room_type.max_occupancy, 1, 20);
    validator.amenities(&mut room_type.amenities);
    validator.photo_urls(&mut room_type.photo_urls);
}
