//! Filters and pages of list requests. A page token is valid only with the filters it was issued for.

use staymesh_api::hotel::v1::{ListHotelsRequest, ListRoomTypesRequest, ListRoomsRequest};
use staymesh_domain::{FieldError, HotelId, Page, PageError, RoomId, RoomTypeId, is_country};
use staymesh_mesh::Problem;

use super::id;
use crate::model::HotelFilter;

/// Which hotels, and which page of them.
///
/// # Errors
/// `INVALID_FIELD` naming `city`, `country_code`, `min_star_rating`, `page_size` or `page_token`.
pub(in crate::grpc) fn hotel_list(request: ListHotelsRequest) -> Result<(HotelFilter, Page<HotelId>), Problem> {
    if request.city.chars().take(101).count() > 100 || request.city.chars().any(char::is_control) {
        return Err(Problem::field("city", "must be at most 100 characters, without control characters"));
    }
    if !request.country_code.is_empty() && !is_country(&request.country_code) {
        return Err(Problem::field(
            "country_code",
            "must be an assigned code of ISO 3166-1 in two capital letters, such as PT or GB",
        ));
    }
    let stars = request.min_star_rating;
    if !(0..=5).contains(&stars) {
        return Err(Problem::field("min_star_rating", format!("must be from 0 to 5, not {stars}")));
    }
    let filters = ["hotels", &request.city.to_lowercase(), &request.country_code, &stars.to_string()];
    let page = Page::parse(request.page_size, &request.page_token, &filters).map_err(problem)?;
    let non_empty = |text: String| (!text.is_empty()).then_some(text);
    let (city, country_code) = (non_empty(request.city), non_empty(request.country_code));
    Ok((HotelFilter { city, country_code, min_star_rating: stars }, page))
}

/// Of which hotel, and which page.
///
/// # Errors
/// `INVALID_FIELD` naming `hotel_id`, `min_occupancy`, `page_size` or `page_token`.
pub(in crate::grpc) fn room_type_list(request: &ListRoomTypesRequest) -> Result<(HotelId, Page<RoomTypeId>), Problem> {
    let hotel_id = id::<HotelId>(request.hotel_id)?;
    let guests = request.min_occupancy;
    if guests < 0 {
        return Err(Problem::field("min_occupancy", format!("must not be negative, as {guests} is")));
    }
    let filters = ["room_types", &hotel_id.to_string(), &guests.to_string()];
    Ok((hotel_id, Page::parse(request.page_size, &request.page_token, &filters).map_err(problem)?))
}

/// Of which hotel, of which room type (0 in the request means all), and which page.
///
/// # Errors
/// `INVALID_FIELD` naming `hotel_id`, `room_type_id`, `page_size` or `page_token`.
pub(in crate::grpc) fn room_list(
    request: &ListRoomsRequest,
) -> Result<(HotelId, Option<RoomTypeId>, Page<RoomId>), Problem> {
    let hotel_id = id::<HotelId>(request.hotel_id)?;
    let room_type_id = match request.room_type_id {
        0 => None,
        value => Some(id::<RoomTypeId>(value)?),
    };
    let filters = ["rooms", &hotel_id.to_string(), &request.room_type_id.to_string()];
    let page = Page::parse(request.page_size, &request.page_token, &filters).map_err(problem)?;
    Ok((hotel_id, room_type_id, page))
}

fn problem(error: PageError) -> Problem {
    FieldError::from(error).into()
}
