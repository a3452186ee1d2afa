//! `HotelService`: what everybody may read.

use sqlx::PgPool;
use staymesh_api::hotel::v1::{
    GetHotelRequest, GetHotelResponse, GetRoomRequest, GetRoomResponse, GetRoomTypeRequest, GetRoomTypeResponse,
    ListHotelsRequest, ListHotelsResponse, ListRoomTypesRequest, ListRoomTypesResponse, ListRoomsRequest,
    ListRoomsResponse, hotel_service_server::HotelService,
};
use staymesh_domain::{FieldError, Page};
use staymesh_mesh::Problem;
use tonic::{Request, Response, Status};

use super::{id, read::is_country_code};
use crate::store::{self, hotel::Filter};

/// Reads hotels, room types and rooms.
pub struct Reads {
    pool: PgPool,
}

impl Reads {
    /// Reads from this database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[tonic::async_trait]
impl HotelService for Reads {
    async fn get_hotel(&self, request: Request<GetHotelRequest>) -> Result<Response<GetHotelResponse>, Status> {
        let hotel_id = id("hotel_id", request.into_inner().hotel_id).map_err(Problem::from)?;
        let hotel = store::hotel::get(&self.pool, hotel_id).await?;
        Ok(Response::new(GetHotelResponse { hotel: Some(hotel.into()) }))
    }

    async fn list_hotels(&self, request: Request<ListHotelsRequest>) -> Result<Response<ListHotelsResponse>, Status> {
        let (filter, page) = hotels_wanted(request.into_inner()).map_err(Problem::from)?;
        let hotels = store::hotel::list(&self.pool, &filter, &page).await?;
        let (hotels, next_page_token) = page.cut(hotels, |hotel| hotel.hotel_id);
        let hotels = hotels.into_iter().map(Into::into).collect();
        Ok(Response::new(ListHotelsResponse { hotels, next_page_token }))
    }

    async fn get_room_type(
        &self,
        request: Request<GetRoomTypeRequest>,
    ) -> Result<Response<GetRoomTypeResponse>, Status> {
        let request = request.into_inner();
        let hotel_id = id("hotel_id", request.hotel_id).map_err(Problem::from)?;
        let room_type_id = id("room_type_id", request.room_type_id).map_err(Problem::from)?;
        let room_type = store::room_type::get(&self.pool, hotel_id, room_type_id).await?;
        Ok(Response::new(GetRoomTypeResponse { room_type: Some(room_type.into()) }))
    }

    async fn list_room_types(
        &self,
        request: Request<ListRoomTypesRequest>,
    ) -> Result<Response<ListRoomTypesResponse>, Status> {
        let request = request.into_inner();
        let (hotel_id, page) = room_types_wanted(&request).map_err(Problem::from)?;
        let room_types = store::room_type::list(&self.pool, hotel_id, request.min_occupancy, &page).await?;
        if room_types.is_empty() {
            store::hotel::require(&self.pool, hotel_id).await?;
        }
        let (room_types, next_page_token) = page.cut(room_types, |room_type| room_type.room_type_id);
        let room_types = room_types.into_iter().map(Into::into).collect();
        Ok(Response::new(ListRoomTypesResponse { room_types, next_page_token }))
    }

    async fn get_room(&self, request: Request<GetRoomRequest>) -> Result<Response<GetRoomResponse>, Status> {
        let request = request.into_inner();
        let hotel_id = id("hotel_id", request.hotel_id).map_err(Problem::from)?;
        let room_id = id("room_id", request.room_id).map_err(Problem::from)?;
        let room = store::room::get(&self.pool, hotel_id, room_id).await?;
        Ok(Response::new(GetRoomResponse { room: Some(room.into()) }))
    }

    async fn list_rooms(&self, request: Request<ListRoomsRequest>) -> Result<Response<ListRoomsResponse>, Status> {
        let request = request.into_inner();
        let (hotel_id, room_type_id, page) = rooms_wanted(&request).map_err(Problem::from)?;
        let rooms = store::room::list(&self.pool, hotel_id, room_type_id, &page).await?;
        if rooms.is_empty() {
            store::hotel::require(&self.pool, hotel_id).await?;
        }
        let (rooms, next_page_token) = page.cut(rooms, |room| room.room_id);
        let rooms = rooms.into_iter().map(Into::into).collect();
        Ok(Response::new(ListRoomsResponse { rooms, next_page_token }))
    }
}

fn hotels_wanted(request: ListHotelsRequest) -> Result<(Filter, Page<i32>), FieldError> {
    let given = |text: String| (!text.is_empty()).then_some(text);
    if request.city.chars().take(101).count() > 100 || request.city.chars().any(char::is_control) {
        return Err(FieldError::new("city", "must be at most 100 characters, without control characters"));
    }
    if !request.country_code.is_empty() && !is_country_code(&request.country_code) {
        return Err(FieldError::new("country_code", "must be two capital letters of ISO 3166-1, such as PT"));
    }
    let stars = request.min_star_rating;
    if !(0..=5).contains(&stars) {
        return Err(FieldError::new("min_star_rating", format!("must be from 0 to 5, not {stars}")));
    }
    let filters = ["hotels", &request.city.to_lowercase(), &request.country_code, &stars.to_string()];
    let page = Page::parse(request.page_size, &request.page_token, &filters)?;
    let (city, country_code) = (given(request.city), given(request.country_code));
    Ok((Filter { city, country_code, min_star_rating: stars }, page))
}

fn room_types_wanted(request: &ListRoomTypesRequest) -> Result<(i32, Page<i32>), FieldError> {
    let hotel_id = id("hotel_id", request.hotel_id)?;
    let guests = request.min_occupancy;
    if guests < 0 {
        return Err(FieldError::new("min_occupancy", format!("must not be negative, as {guests} is")));
    }
    let filters = ["room_types", &hotel_id.to_string(), &guests.to_string()];
    Ok((hotel_id, Page::parse(request.page_size, &request.page_token, &filters)?))
}

fn rooms_wanted(request: &ListRoomsRequest) -> Result<(i32, Option<i32>, Page<i32>), FieldError> {
    let hotel_id = id("hotel_id", request.hotel_id)?;
    let room_type_id = match request.room_type_id {
        0 => None,
        given => Some(id("room_type_id", given)?),
    };
    let filters = ["rooms", &hotel_id.to_string(), &request.room_type_id.to_string()];
    Ok((hotel_id, room_type_id, Page::parse(request.page_size, &request.page_token, &filters)?))
}
