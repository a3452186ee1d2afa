//! `HotelAdminService`: writes by hotel staff and administrators.

use std::sync::Arc;

use staymesh_api::hotel::v1::{
    self as proto, CreateHotelRequest, CreateRoomRequest, CreateRoomTypeRequest, DeleteHotelRequest,
    DeleteHotelResponse, DeleteRoomRequest, DeleteRoomResponse, DeleteRoomTypeRequest, DeleteRoomTypeResponse,
    UpdateHotelRequest, UpdateRoomRequest, UpdateRoomTypeRequest, hotel_admin_service_server::HotelAdminService,
};
use staymesh_mesh::{Caller, Problem, audit, audit_query};
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::service::{CatalogService, Create};

/// Handlers of `HotelAdminService`.
pub(crate) struct HotelAdminHandler {
    catalog: Arc<CatalogService>,
}

impl HotelAdminHandler {
    pub(crate) fn new(catalog: Arc<CatalogService>) -> Self {
        Self { catalog }
    }
}

/// The caller, if authorized for the hotel. Called first, so that fields are validated for authorized callers only.
fn require_staff<T>(request: &Request<T>, hotel_id: i32) -> Result<Caller, Problem> {
    let caller = Caller::required(request)?;
    caller.require_hotel_field(hotel_id)?;
    Ok(caller)
}

#[tonic::async_trait]
impl HotelAdminService for HotelAdminHandler {
    async fn create_hotel(&self, request: Request<CreateHotelRequest>) -> Result<Response<proto::Hotel>, Status> {
        let caller = Caller::required(&request)?;
        let mut request = request.into_inner();
        let request_id = std::mem::take(&mut request.request_id);
        let fields = request::new_hotel(request.hotel.clone());
        let (key, (fields, currency)) = request::create(&caller, &request_id, ("CreateHotel", &request), fields)?;
        let create = Create { key, encode: response::encode::<_, proto::Hotel> };
        let hotel = self.catalog.create_hotel(&fields, currency, create).await?;
        Ok(Response::new(response::created(hotel)?))
    }

    async fn update_hotel(&self, request: Request<UpdateHotelRequest>) -> Result<Response<proto::Hotel>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let change = request::hotel_change(request.hotel, request.update_mask.as_ref());
        let (hotel_id, (change, currency_code)) = request::of(request.hotel_id, change).map_err(Problem::from)?;
        let hotel = self.catalog.update_hotel(hotel_id, change, currency_code.as_deref()).await?;
        Ok(Response::new(hotel.into()))
    }

    async fn delete_hotel(
        &self,
        request: Request<DeleteHotelRequest>,
    ) -> Result<Response<DeleteHotelResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let hotel_id = request::id(request.get_ref().hotel_id)?;
        self.catalog.delete_hotel(hotel_id, &request.get_ref().etag).await?;
        Ok(Response::new(DeleteHotelResponse {}))
    }

    async fn create_room_type(
        &self,
        request: Request<CreateRoomTypeRequest>,
    ) -> Result<Response<proto::RoomType>, Status> {
        let caller = require_staff(&request, request.get_ref().hotel_id)?;
        let mut request = request.into_inner();
        let request_id = std::mem::take(&mut request.request_id);
        let fields = request::of(request.hotel_id, request::new_room_type(request.room_type.clone()));
        let (key, (hotel_id, fields)) = request::create(&caller, &request_id, ("CreateRoomType", &request), fields)?;
        let create = Create { key, encode: response::encode::<_, proto::RoomType> };
        let room_type = self.catalog.create_room_type(hotel_id, &fields, create).await?;
        Ok(Response::new(response::created(room_type)?))
    }

    async fn update_room_type(
        &self,
        request: Request<UpdateRoomTypeRequest>,
    ) -> Result<Response<proto::RoomType>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let change = request::of(
            request.room_type_id,
            request::room_type_change(request.room_type, request.update_mask.as_ref()),
        );
        let (hotel_id, (room_type_id, change)) = request::of(request.hotel_id, change).map_err(Problem::from)?;
        let room_type = self.catalog.update_room_type(hotel_id, room_type_id, change).await?;
        Ok(Response::new(room_type.into()))
    }

    async fn delete_room_type(
        &self,
        request: Request<DeleteRoomTypeRequest>,
    ) -> Result<Response<DeleteRoomTypeResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let (hotel_id, room_type_id) = request::ids(request.hotel_id, request.room_type_id)?;
        self.catalog.delete_room_type(hotel_id, room_type_id, &request.etag).await?;
        Ok(Response::new(DeleteRoomTypeResponse {}))
    }

    async fn create_room(&self, request: Request<CreateRoomRequest>) -> Result<Response<proto::Room>, Status> {
        let caller = require_staff(&request, request.get_ref().hotel_id)?;
        let mut request = request.into_inner();
        let request_id = std::mem::take(&mut request.request_id);
        let fields = request::of(request.hotel_id, request::new_room(request.room.clone()));
        let (key, (hotel_id, fields)) = request::create(&caller, &request_id, ("CreateRoom", &request), fields)?;
        let create = Create { key, encode: response::encode::<_, proto::Room> };
        let room = self.catalog.create_room(hotel_id, &fields, create).await?;
        Ok(Response::new(response::created(room)?))
    }

    async fn update_room(&self, request: Request<UpdateRoomRequest>) -> Result<Response<proto::Room>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let change = request::of(request.room_id, request::room_change(request.room, request.update_mask.as_ref()));
        let (hotel_id, (room_id, change)) = request::of(request.hotel_id, change).map_err(Problem::from)?;
        let room = self.catalog.update_room(hotel_id, room_id, change).await?;
        Ok(Response::new(room.into()))
    }

    async fn delete_room(&self, request: Request<DeleteRoomRequest>) -> Result<Response<DeleteRoomResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let (hotel_id, room_id) = request::ids(request.hotel_id, request.room_id)?;
        self.catalog.delete_room(hotel_id, room_id, &request.etag).await?;
        Ok(Response::new(DeleteRoomResponse {}))
    }

    async fn list_audit_records(
        &self,
        request: Request<proto::ListAuditRecordsRequest>,
    ) -> Result<Response<proto::ListAuditRecordsResponse>, Status> {
        let query = audit_query!(request.into_inner());
        let (audit_records, next_page_token) = audit::list(self.catalog.pool(), query).await?;
        Ok(Response::new(proto::ListAuditRecordsResponse { audit_records, next_page_token }))
    }
}
