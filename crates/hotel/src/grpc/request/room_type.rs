//! Room types in requests.

use prost_types::FieldMask;
use staymesh_api::hotel::v1 as proto;
use staymesh_domain::{FieldErrors, Occupancy};

use super::{mask::Mask, masked, required, validate::Validator};
use crate::model::{Bed, Change, RoomTypeFields, RoomTypePatch};

/// Paths that an update mask of a room type may name.
const CHANGEABLE: &[&str] = &[
    "display_name",
    "description",
    "beds",
    "base_occupancy",
    "max_occupancy",
    "max_adults",
    "max_children",
    "max_infants",
    "max_extra_beds",
    "amenities",
    "photo_urls",
];

/// A new room type.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn new_room_type(room_type: Option<proto::RoomType>) -> Result<RoomTypeFields, FieldErrors> {
    let mut room_type = required("room_type", room_type)?;
    let mut validator = Validator::new("room_type", &Mask::ALL);
    validate(&mut validator, &mut room_type);
    let occupancy = occupancy(&room_type);
    validator.all(occupancy.validated().map_err(|error| error.0));
    validator.finish(Some(()))?;
    Ok(RoomTypeFields {
        display_name: room_type.display_name,
        description: room_type.description,
        beds: beds(&room_type.beds),
        base_occupancy: occupancy.base,
        max_occupancy: occupancy.max_occupancy,
        max_adults: occupancy.max_adults,
        max_children: occupancy.max_children,
        max_infants: occupancy.max_infants,
        max_extra_beds: occupancy.max_extra_beds,
        amenities: room_type.amenities,
        photo_urls: room_type.photo_urls,
    })
}

/// An update of a room type. A mask may name some of the numbers of its occupancy, which are then only checked one by
/// one: the service validates them together after the patch ([`Occupancy::validated`]).
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
    let occupancy = occupancy(&room_type);
    if mask == Mask::ALL {
        validator.all(occupancy.validated().map_err(|error| error.0));
    } else {
        validate_each(&mut validator, &room_type);
    }
    validator.finish(Some(()))?;
    let patch = RoomTypePatch {
        display_name: mask.pick("display_name", room_type.display_name),
        description: mask.pick("description", room_type.description),
        beds: mask.pick("beds", beds(&room_type.beds)),
        base_occupancy: mask.pick("base_occupancy", occupancy.base),
        max_occupancy: mask.pick("max_occupancy", occupancy.max_occupancy),
        max_adults: mask.pick("max_adults", occupancy.max_adults),
        max_children: mask.pick("max_children", occupancy.max_children),
        max_infants: mask.pick("max_infants", occupancy.max_infants),
        max_extra_beds: mask.pick("max_extra_beds", occupancy.max_extra_beds),
        amenities: mask.pick("amenities", room_type.amenities),
        photo_urls: mask.pick("photo_urls", room_type.photo_urls),
    };
    Ok(Change { patch, etag: room_type.etag })
}

fn beds(beds: &[proto::Bed]) -> Vec<Bed> {
    beds.iter().map(|bed| Bed { kind: bed.kind, count: bed.count }).collect()
}

/// The occupancy, with the defaults of a room type that is sent whole. The default that follows from an
/// invalid number is valid, so that validation names the invalid one alone.
fn occupancy(room_type: &proto::RoomType) -> Occupancy {
    let places = room_type.max_occupancy.clamp(1, Occupancy::MAX);
    let max_adults = room_type.max_adults.unwrap_or(places);
    Occupancy {
        base: room_type.base_occupancy.unwrap_or(max_adults.clamp(1, places)),
        max_occupancy: room_type.max_occupancy,
        max_adults,
        max_children: room_type.max_children,
        max_infants: room_type.max_infants,
        max_extra_beds: room_type.max_extra_beds,
    }
}

/// Validates each number of the occupancy without the others.
fn validate_each(validator: &mut Validator<'_>, room_type: &proto::RoomType) {
    let places = [
        ("base_occupancy", room_type.base_occupancy),
        ("max_occupancy", Some(room_type.max_occupancy)),
        ("max_adults", room_type.max_adults),
    ];
    for (path, number) in places {
        validator.require(number.is_some(), path, "is required when the mask names it");
        if let Some(number) = number {
            validator.range(path, number, 1, Occupancy::MAX);
        }
    }
    validator.range("max_children", room_type.max_children, 0, Occupancy::MAX);
    validator.range("max_infants", room_type.max_infants, 0, Occupancy::MAX);
    validator.range("max_extra_beds", room_type.max_extra_beds, 0, Occupancy::MAX);
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
    validator.amenities(&mut room_type.amenities);
    validator.photo_urls(&mut room_type.photo_urls);
}
