//! Filters and pages of list requests. A page token is valid only with the filters it was issued for.

use staymesh_api::hotel::v1::{ListHotelsRequest, ListRoomTypesRequest, ListRoomsRequest};
use staymesh_domain::{FieldErrors, HotelId, Page, RoomId, RoomTypeId, Text, is_country};
use staymesh_mesh::Problem;

use crate::model::HotelFilter;

/// Which hotels, and which page of them.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field of `city`, `country_code`, `min_star_rating`, `page_size` and `page_token`.
pub(in crate::grpc) fn hotel_list(request: &ListHotelsRequest) -> Result<(HotelFilter, Page<HotelId>), Problem> {
    let mut errors = FieldErrors::default();
    let city = errors.value(Text::line(&request.city, 0..=100).map_err(|error| error.at("city")));
    let country = request.country_code.as_str();
    errors.holds(
        country.is_empty() || is_country(country),
        "country_code",
        "must be an assigned code of ISO 3166-1 in two capital letters, such as PT or GB",
    );
    let stars = request.min_star_rating;
    errors.range("min_star_rating", stars, 0, 5);
    let key = city.as_ref().map(Text::key).unwrap_or_default();
    let filters = ["hotels", &key, country, &stars.to_string()];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    let (city, page) = errors.complete(city.zip(page))?;
    let non_empty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (city, country_code) = (non_empty(city.as_str()), non_empty(country));
    Ok((HotelFilter { city, country_code, min_star_rating: stars }, page))
}

/// Of which hotel, and which page.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field of `hotel_id`, `min_occupancy`, `page_size` and `page_token`.
pub(in crate::grpc) fn room_type_list(request: &ListRoomTypesRequest) -> Result<(HotelId, Page<RoomTypeId>), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
    let guests = request.min_occupancy;
    errors.holds(guests >= 0, "min_occupancy", format!("must not be negative, as {guests} is"));
    let filters = ["room_types", &request.hotel_id.to_string(), &guests.to_string()];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    Ok(errors.complete(hotel_id.zip(page))?)
}

/// Of which hotel, of which room type (0 in the request means all), and which page.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field of `hotel_id`, `room_type_id`, `page_size` and `page_token`.
pub(in crate::grpc) fn room_list(
    request: &ListRoomsRequest,
) -> Result<(HotelId, Option<RoomTypeId>, Page<RoomId>), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
    let room_type_id = match request.room_type_id {
        0 => None,
        value => errors.value(RoomTypeId::try_from(value)),
    };
    let filters = ["rooms", &request.hotel_id.to_string(), &request.room_type_id.to_string()];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    let (hotel_id, page) = errors.complete(hotel_id.zip(page))?;
    Ok((hotel_id, room_type_id, page))
}
