//! Hotels in requests.

use prost_types::FieldMask;
use staymesh_api::hotel::v1 as proto;
use staymesh_domain::{
    AgeBand, AgeBands, ChildRules, Currency, FieldErrors, HotelTime, format_local_time, is_country, parse_local_time,
};

use super::{
    mask::Mask,
    masked, required,
    validate::{Validator, is_time_zone},
};
use crate::model::{Change, HotelFields, HotelPatch, Location};

/// Paths that an update mask of a hotel may name.
const CHANGEABLE: &[&str] = &[
    "display_name",
    "description",
    "address",
    "address.street",
    "address.city",
    "address.postal_code",
    "address.country_code",
    "location",
    "time_zone",
    "check_in_time",
    "day_rollover",
    "star_rating",
    "amenities",
    "photo_urls",
    "age_bands",
    "min_child_age",
    "room_required_at_check_in",
];

/// A new hotel and its currency.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn new_hotel(hotel: Option<proto::Hotel>) -> Result<(HotelFields, Currency), FieldErrors> {
    let mut hotel = required("hotel", hotel)?;
    let mut validator = Validator::new("hotel", &Mask::ALL);
    validate(&mut validator, &mut hotel);
    let currency = validator.value("currency_code", hotel.currency_code.parse::<Currency>());
    let currency = validator.finish(currency)?;
    let location = location(&hotel);
    let address = hotel.address.unwrap_or_default();
    let fields = HotelFields {
        display_name: hotel.display_name,
        description: hotel.description,
        street: address.street,
        city: address.city,
        postal_code: address.postal_code,
        country_code: address.country_code,
        location,
        time_zone: hotel.time_zone,
        check_in_time: hotel.check_in_time,
        day_rollover: hotel.day_rollover,
        star_rating: hotel.star_rating,
        amenities: hotel.amenities,
        photo_urls: hotel.photo_urls,
        age_bands: age_bands(hotel.age_bands),
        min_child_age: hotel.min_child_age,
        room_required_at_check_in: hotel.room_required_at_check_in,
    };
    Ok((fields, currency))
}

/// An update of a hotel, and the currency the caller believes it has. A mask cannot name the currency; without a mask the
/// hotel is sent whole, and its currency, unless empty, must be the current one.
///
/// # Errors
/// `update_mask`, or every invalid field that the mask covers.
pub(in crate::grpc) fn hotel_change(
    hotel: Option<proto::Hotel>,
    mask: Option<&FieldMask>,
) -> Result<(Change<HotelPatch>, Option<String>), FieldErrors> {
    let (mut hotel, mask) = masked("hotel", hotel, mask, CHANGEABLE)?;
    let mut validator = Validator::new("hotel", &mask);
    validate(&mut validator, &mut hotel);
    validator.finish(Some(()))?;
    let location = location(&hotel);
    let address = hotel.address.unwrap_or_default();
    let patch = HotelPatch {
        display_name: mask.pick("display_name", hotel.display_name),
        description: mask.pick("description", hotel.description),
        street: mask.pick("address.street", address.street),
        city: mask.pick("address.city", address.city),
        postal_code: mask.pick("address.postal_code", address.postal_code),
        country_code: mask.pick("address.country_code", address.country_code),
        location: mask.pick("location", location),
        time_zone: mask.pick("time_zone", hotel.time_zone),
        check_in_time: mask.pick("check_in_time", hotel.check_in_time),
        day_rollover: mask.pick("day_rollover", hotel.day_rollover),
        star_rating: mask.pick("star_rating", hotel.star_rating),
        amenities: mask.pick("amenities", hotel.amenities),
        photo_urls: mask.pick("photo_urls", hotel.photo_urls),
        age_bands: mask.pick("age_bands", age_bands(hotel.age_bands)),
        min_child_age: mask.pick("min_child_age", hotel.min_child_age),
        room_required_at_check_in: mask.pick("room_required_at_check_in", hotel.room_required_at_check_in),
    };
    let currency_code = (mask == Mask::ALL && !hotel.currency_code.is_empty()).then_some(hotel.currency_code);
    Ok((Change { patch, etag: hotel.etag }, currency_code))
}

fn location(hotel: &proto::Hotel) -> Location {
    Location {
        latitude: hotel.location.map(|point| point.latitude),
        longitude: hotel.location.map(|point| point.longitude),
    }
}

fn age_bands(bands: Vec<proto::AgeBand>) -> Vec<AgeBand> {
    let band = |band: proto::AgeBand| AgeBand { code: band.code, min_age: band.min_age, max_age: band.max_age };
    bands.into_iter().map(band).collect()
}

fn validate(validator: &mut Validator<'_>, hotel: &mut proto::Hotel) {
    validator.line("display_name", &mut hotel.display_name, 1, 200);
    validator.prose("description", &mut hotel.description, 5_000);
    validator.require(hotel.address.is_some(), "address", "is required");
    let address = hotel.address.get_or_insert_default();
    validator.line("address.street", &mut address.street, 0, 200);
    validator.line("address.city", &mut address.city, 1, 100);
    validator.line("address.postal_code", &mut address.postal_code, 0, 20);
    let country = is_country(&address.country_code);
    validator.require(
        country,
        "address.country_code",
        "must be an assigned code of ISO 3166-1 in two capital letters, such as PT or GB",
    );
    if let Some(point) = &hotel.location {
        // No range contains NaN.
        let (latitude, longitude) = (point.latitude, point.longitude);
        validator.require((-90.0..=90.0).contains(&latitude), "location.latitude", "must be from -90 to 90");
        validator.require((-180.0..=180.0).contains(&longitude), "location.longitude", "must be from -180 to 180");
    }
    let zone = is_time_zone(&hotel.time_zone);
    validator.require(zone, "time_zone", "must be an IANA time zone such as Europe/Lisbon");
    validate_times(validator, hotel);
    validator.range("star_rating", hotel.star_rating, 0, 5);
    validator.amenities(&mut hotel.amenities);
    validator.photo_urls(&mut hotel.photo_urls);
    validator.all(AgeBands::new(age_bands(hotel.age_bands.clone())));
    validator.range("min_child_age", hotel.min_child_age, 0, ChildRules::ADULTS_ONLY);
}

/// The times of the hotel's day; one that is not sent becomes its default.
fn validate_times(validator: &mut Validator<'_>, hotel: &mut proto::Hotel) {
    if hotel.check_in_time.is_empty() {
        hotel.check_in_time = format_local_time(HotelTime::DEFAULT_CHECK_IN_TIME);
    }
    if hotel.day_rollover.is_empty() {
        hotel.day_rollover = format_local_time(HotelTime::DEFAULT_DAY_ROLLOVER);
    }
    validator.value("check_in_time", parse_local_time(&hotel.check_in_time));
    let early = parse_local_time(&hotel.day_rollover).is_ok_and(|time| time <= HotelTime::LATEST_DAY_ROLLOVER);
    validator.require(early, "day_rollover", "must be a time from 00:00 to 06:00, such as 04:00");
}
