//! `HotelService`: public reads of hotels, room types and rooms.

use std::sync::Arc;

use staymesh_api::hotel::v1::{
    GetHotelRequest, GetRoomRequest, GetRoomTypeRequest, Hotel, ListHotelsRequest, ListHotelsResponse,
    ListRoomTypesRequest, ListRoomTypesResponse, ListRoomsRequest, ListRoomsResponse, Room, RoomType,
    hotel_service_server::HotelService,
};
use tonic::{Request, Response, Status};

use super::request;
use crate::service::CatalogService;

/// Handlers of `HotelService`.
pub(crate) struct HotelHandler {
    catalog: Arc<CatalogService>,
}

impl HotelHandler {
    pub(crate) fn new(catalog: Arc<CatalogService>) -> Self {
        Self { catalog }
    }
}

#[tonic::async_trait]
impl HotelService for HotelHandler {
    async fn get_hotel(&self, request: Request<GetHotelRequest>) -> Result<Response<Hotel>, Status> {
        let hotel_id = request::id(request.into_inner().hotel_id)?;
        let hotel = self.catalog.get_hotel(hotel_id).await?;
        Ok(Response::new(hotel.into()))
    }

    async fn list_hotels(&self, request: Request<ListHotelsRequest>) -> Result<Response<ListHotelsResponse>, Status> {
        let (filter, page) = request::hotel_list(request.get_ref())?;
        let hotels = self.catalog.list_hotels(&filter, &page).await?;
        let (hotels, next_page_token) = page.cut(hotels, |hotel| hotel.id);
        let hotels = hotels.into_iter().map(Into::into).collect();
        Ok(Response::new(ListHotelsResponse { hotels, next_page_token }))
    }

    async fn get_room_type(&self, request: Request<GetRoomTypeRequest>) -> Result<Response<RoomType>, Status> {
        let request = request.into_inner();
        let (hotel_id, room_type_id) = request::ids(request.hotel_id, request.room_type_id)?;
        let room_type = self.catalog.get_room_type(hotel_id, room_type_id).await?;
        Ok(Response::new(room_type.into()))
    }

    async fn list_room_types(
        &self,
        request: Request<ListRoomTypesRequest>,
    ) -> Result<Response<ListRoomTypesResponse>, Status> {
        let request = request.into_inner();
        let (hotel_id, page) = request::room_type_list(&request)?;
        let room_types = self.catalog.list_room_types(hotel_id, request.min_occupancy, &page).await?;
        let (room_types, next_page_token) = page.cut(room_types, |room_type| room_type.id);
        let room_types = room_types.into_iter().map(Into::into).collect();
        Ok(Response::new(ListRoomTypesResponse { room_types, next_page_token }))
    }

    async fn get_room(&self, request: Request<GetRoomRequest>) -> Result<Response<Room>, Status> {
        let request = request.into_inner();
        let (hotel_id, room_id) = request::ids(request.hotel_id, request.room_id)?;
        let room = self.catalog.get_room(hotel_id, room_id).await?;
        Ok(Response::new(room.into()))
    }

    async fn list_rooms(&self, request: Request<ListRoomsRequest>) -> Result<Response<ListRoomsResponse>, Status> {
        let (hotel_id, room_type_id, page) = request::room_list(&request.into_inner())?;
        let rooms = self.catalog.list_rooms(hotel_id, room_type_id, &page).await?;
        let (rooms, next_page_token) = page.cut(rooms, |room| room.id);
        let rooms = rooms.into_iter().map(Into::into).collect();
        Ok(Response::new(ListRoomsResponse { rooms, next_page_token }))
    }
}
