//! `HotelAdminService`: what staff and administrators change.

use std::sync::Arc;

use prost::Message;
use prost_types::FieldMask;
use staymesh_api::hotel::v1::{
    CreateHotelRequest, CreateHotelResponse, CreateRoomRequest, CreateRoomResponse, CreateRoomTypeRequest,
    CreateRoomTypeResponse, DeleteHotelRequest, DeleteHotelResponse, DeleteRoomRequest, DeleteRoomResponse,
    DeleteRoomTypeRequest, DeleteRoomTypeResponse, UpdateHotelRequest, UpdateHotelResponse, UpdateRoomRequest,
    UpdateRoomResponse, UpdateRoomTypeRequest, UpdateRoomTypeResponse, hotel_admin_service_server::HotelAdminService,
};
use staymesh_domain::parse_optional_request_id;
use staymesh_mesh::{Caller, Problem};
use tonic::{Request, Response, Status};

use super::{id, read, required};
use crate::{
    inventory::Inventory,
    mask::Mask,
    model::{Change, HotelFields, RoomFields, RoomTypeFields},
    service::Hotels,
    store::request::RequestKey,
};

/// Changes hotels, room types and rooms.
pub struct Admin<I> {
    hotels: Arc<Hotels<I>>,
}

impl<I: Inventory> Admin<I> {
    /// Changes these hotels.
    pub fn new(hotels: Arc<Hotels<I>>) -> Self {
        Self { hotels }
    }
}

/// The key of a request that may come again, if its caller said so. `content` is the request without its id.
fn key(caller: &Caller, id: &str, method: &str, content: &impl Message) -> Result<Option<RequestKey>, Problem> {
    let id = parse_optional_request_id(id)?;
    Ok(id.map(|id| RequestKey::new(&caller.subject, id, method, &content.encode_to_vec())))
}

fn mask(mask: Option<&FieldMask>, changeable: &[&'static str]) -> Result<Mask, Problem> {
    Ok(Mask::parse(mask, changeable)?)
}

/// The caller, who must work for the hotel. This comes before anything else is looked at.
fn staff_of<T>(request: &Request<T>, hotel_id: i32) -> Result<Caller, Problem> {
    let caller = Caller::required(request)?;
    caller.require_hotel(hotel_id)?;
    id("hotel_id", hotel_id)?;
    Ok(caller)
}

#[tonic::async_trait]
impl<I: Inventory> HotelAdminService for Admin<I> {
    async fn create_hotel(
        &self,
        request: Request<CreateHotelRequest>,
    ) -> Result<Response<CreateHotelResponse>, Status> {
        let caller = Caller::required(&request)?;
        let mut request = request.into_inner();
        let request_id = std::mem::take(&mut request.request_id);
        let key = key(&caller, &request_id, "CreateHotel", &request)?;
        let (fields, currency_code) = read::new_hotel(required("hotel", request.hotel)?)?;
        let hotel = self.hotels.create_hotel(&fields, &currency_code, key).await?;
        Ok(Response::new(CreateHotelResponse { hotel: Some(hotel) }))
    }

    async fn update_hotel(
        &self,
        request: Request<UpdateHotelRequest>,
    ) -> Result<Response<UpdateHotelResponse>, Status> {
        staff_of(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let mask = mask(request.update_mask.as_ref(), HotelFields::CHANGEABLE)?;
        let hotel = required("hotel", request.hotel)?;
        let (etag, currency_code) = (hotel.etag.clone(), hotel.currency_code.clone());
        // A mask cannot name the currency; without one the hotel comes whole, and its currency must be the one it has.
        let currency_code = (mask == Mask::ALL && !currency_code.is_empty()).then_some(currency_code);
        let fields = read::hotel(hotel, &mask)?;
        let change = Change { fields, mask, etag };
        let hotel = self.hotels.update_hotel(request.hotel_id, change, currency_code.as_deref()).await?;
        Ok(Response::new(UpdateHotelResponse { hotel: Some(hotel.into()) }))
    }

    async fn delete_hotel(
        &self,
        request: Request<DeleteHotelRequest>,
    ) -> Result<Response<DeleteHotelResponse>, Status> {
        staff_of(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        self.hotels.delete_hotel(request.hotel_id, &request.etag).await?;
        Ok(Response::new(DeleteHotelResponse {}))
    }

    async fn create_room_type(
        &self,
        request: Request<CreateRoomTypeRequest>,
    ) -> Result<Response<CreateRoomTypeResponse>, Status> {
        let caller = staff_of(&request, request.get_ref().hotel_id)?;
        let mut request = request.into_inner();
        let request_id = std::mem::take(&mut request.request_id);
        let key = key(&caller, &request_id, "CreateRoomType", &request)?;
        let fields = read::room_type(required("room_type", request.room_type)?, &Mask::ALL)?;
        let room_type = self.hotels.create_room_type(request.hotel_id, &fields, key).await?;
        Ok(Response::new(CreateRoomTypeResponse { room_type: Some(room_type) }))
    }

    async fn update_room_type(
        &self,
        request: Request<UpdateRoomTypeRequest>,
    ) -> Result<Response<UpdateRoomTypeResponse>, Status> {
        staff_of(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let room_type_id = id("room_type_id", request.room_type_id).map_err(Problem::from)?;
        let mask = mask(request.update_mask.as_ref(), RoomTypeFields::CHANGEABLE)?;
        let room_type = required("room_type", request.room_type)?;
        let etag = room_type.etag.clone();
        let fields = read::room_type(room_type, &mask)?;
        let change = Change { fields, mask, etag };
        let room_type = self.hotels.update_room_type(request.hotel_id, room_type_id, change).await?;
        Ok(Response::new(UpdateRoomTypeResponse { room_type: Some(room_type.into()) }))
    }

    async fn delete_room_type(
        &self,
        request: Request<DeleteRoomTypeRequest>,
    ) -> Result<Response<DeleteRoomTypeResponse>, Status> {
        staff_of(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let room_type_id = id("room_type_id", request.room_type_id).map_err(Problem::from)?;
        self.hotels.delete_room_type(request.hotel_id, room_type_id, &request.etag).await?;
        Ok(Response::new(DeleteRoomTypeResponse {}))
    }

    async fn create_room(&self, request: Request<CreateRoomRequest>) -> Result<Response<CreateRoomResponse>, Status> {
        let caller = staff_of(&request, request.get_ref().hotel_id)?;
        let mut request = request.into_inner();
        let request_id = std::mem::take(&mut request.request_id);
        let key = key(&caller, &request_id, "CreateRoom", &request)?;
        let fields = read::room(required("room", request.room)?, &Mask::ALL)?;
        let room = self.hotels.create_room(request.hotel_id, &fields, key).await?;
        Ok(Response::new(CreateRoomResponse { room: Some(room) }))
    }

    async fn update_room(&self, request: Request<UpdateRoomRequest>) -> Result<Response<UpdateRoomResponse>, Status> {
        staff_of(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let room_id = id("room_id", request.room_id).map_err(Problem::from)?;
        let mask = mask(request.update_mask.as_ref(), RoomFields::CHANGEABLE)?;
        let room = required("room", request.room)?;
        let etag = room.etag.clone();
        let fields = read::room(room, &mask)?;
        let change = Change { fields, mask, etag };
        let room = self.hotels.update_room(request.hotel_id, room_id, change).await?;
        Ok(Response::new(UpdateRoomResponse { room: Some(room.into()) }))
    }

    async fn delete_room(&self, request: Request<DeleteRoomRequest>) -> Result<Response<DeleteRoomResponse>, Status> {
        staff_of(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let room_id = id("room_id", request.room_id).map_err(Problem::from)?;
        self.hotels.delete_room(request.hotel_id, room_id, &request.etag).await?;
        Ok(Response::new(DeleteRoomResponse {}))
    }
}
