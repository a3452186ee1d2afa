//! `ReservationService`: what guests, partners and hotel staff call.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::reservation::v1::{self as proto, reservation_service_server::ReservationService};
use staymesh_domain::{FieldError, Page, RoomCount, RoomTypeId};
use staymesh_mesh::{Caller, proto_types};
use tonic::{Request, Response, Status};

use super::{
    request::{self, hotel_id, refuse, reservation_id, room_type_id},
    response,
};
use crate::{
    error::ReservationError,
    service::{BookingRequest, BookingService, list_scope},
    store::{ListFilter, ListPosition},
};

/// Most room types that a request may name.
const MAX_ROOM_TYPES: usize = 100;

/// Handles `ReservationService`.
pub(crate) struct ReservationHandler(pub(crate) Arc<BookingService>);

#[tonic::async_trait]
impl ReservationService for ReservationHandler {
    async fn get_availability(
        &self,
        request: Request<proto::GetAvailabilityRequest>,
    ) -> Result<Response<proto::GetAvailabilityResponse>, Status> {
        let message = request.into_inner();
        let hotel_id = hotel_id(message.hotel_id)?;
        let stay = request::stay(&message.check_in, &message.check_out, Timestamp::now()).map_err(refuse)?;
        let rooms = RoomCount::try_from(message.rooms.unwrap_or(1)).map_err(|e| refuse(e.at("rooms")))?.get();
        if message.room_type_ids.len() > MAX_ROOM_TYPES {
            return Err(refuse(FieldError::new("room_type_ids", "must be at most 100")));
        }
        let room_type_ids = message
            .room_type_ids
            .iter()
            .enumerate()
            .map(|(at, id)| RoomTypeId::try_from(*id).map_err(|e| refuse(e.at(format!("room_type_ids[{at}]")))))
            .collect::<Result<Vec<_>, Status>>()?;
        let left = self.0.search(hotel_id, stay, &room_type_ids).await?;
        let room_types = left
            .into_iter()
            .map(|left| proto::RoomTypeAvailability {
                room_type_id: left.room_type_id.get(),
                available: left.rooms_left >= rooms,
                rooms_left: left.rooms_left,
            })
            .collect();
        Ok(Response::new(proto::GetAvailabilityResponse { room_types }))
    }

    async fn list_offers(
        &self,
        request: Request<proto::ListOffersRequest>,
    ) -> Result<Response<proto::ListOffersResponse>, Status> {
        let message = request.into_inner();
        let now = Timestamp::now();
        let (rooms, guests) = (message.rooms, message.guests);
        let stay = request::stay_request(message.hotel_id, &message.check_in, &message.check_out, rooms, guests, now)
            .map_err(refuse)?;
        let offers = self.0.offers(stay).await?;
        let offers = offers
            .into_iter()
            .map(|line| proto::Offer {
                room_type_id: line.room_type.room_type_id.get(),
                price: Some(response::price(line.room_type.room_type_id, line.quote)),
                display_name: line.room_type.display_name,
                max_occupancy: line.room_type.max_occupancy,
                rooms_left: line.rooms_left,
            })
            .collect();
        Ok(Response::new(proto::ListOffersResponse { offers }))
    }

    async fn prepare_reservation(
        &self,
        request: Request<proto::PrepareReservationRequest>,
    ) -> Result<Response<proto::PrepareReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        let now = Timestamp::now();
        let room_type_id = room_type_id(message.room_type_id)?;
        let (rooms, guests) = (message.rooms, message.guests);
        let stay = request::stay_request(message.hotel_id, &message.check_in, &message.check_out, rooms, guests, now)
            .map_err(refuse)?;
        let form = self.0.prepare(caller.subject, stay, room_type_id, now).await?;
        let expires = form.offer.expires().map_err(ReservationError::from)?;
        Ok(Response::new(proto::PrepareReservationResponse {
            reservation_id: form.offer.reservation_id.to_string(),
            offer_token: form.token,
            offer_expire_time: Some(proto_types::timestamp(expires)),
            price: Some(response::price(room_type_id, form.offer.quote)),
        }))
    }

    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::CreateReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let source = request::source(&request);
        let message = request.into_inner();
        if message.offer_token.is_empty() {
            return Err(refuse(FieldError::new("offer_token", "is required")));
        }
        let booking = BookingRequest {
            reservation_id: reservation_id(&message.reservation_id)?,
            payment_mode: request::payment_mode(message.payment_mode).map_err(refuse)?,
            guest: request::guest(message.primary_guest).map_err(refuse)?,
            offer_token: message.offer_token,
            source,
        };
        let booking = self.0.create(&caller, booking, Timestamp::now()).await?;
        let reservation = Some(response::reservation(booking, caller.role));
        Ok(Response::new(proto::CreateReservationResponse { reservation }))
    }

    async fn get_reservation(
        &self,
        request: Request<proto::GetReservationRequest>,
    ) -> Result<Response<proto::GetReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.get(&caller, id).await?;
        let reservation = Some(response::reservation(booking, caller.role));
        Ok(Response::new(proto::GetReservationResponse { reservation }))
    }

    async fn list_reservations(
        &self,
        request: Request<proto::ListReservationsRequest>,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        let (owner, scope) = list_scope(&caller, (message.hotel_id != 0).then_some(message.hotel_id))?;
        let hotel_id = scope.map(hotel_id).transpose()?;
        let status = request::status_filter(message.status).map_err(refuse)?;
        let bound = [
            owner.clone().unwrap_or_default(),
            hotel_id.map(|id| id.to_string()).unwrap_or_default(),
            message.status.to_string(),
        ];
        let page: Page<ListPosition> =
            Page::parse(message.page_size, &message.page_token, &bound.each_ref().map(String::as_str))
                .map_err(|e| refuse(FieldError::from(e)))?;
        let filter = ListFilter { owner, hotel_id, status };
        let rows = self.0.list(&filter, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, ListPosition::of);
        let reservations = rows.into_iter().map(|booking| response::reservation(booking, caller.role)).collect();
        Ok(Response::new(proto::ListReservationsResponse { reservations, next_page_token }))
    }

    async fn cancel_reservation(
        &self,
        request: Request<proto::CancelReservationRequest>,
    ) -> Result<Response<proto::CancelReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.cancel(&caller, id, Timestamp::now()).await?;
        let reservation = Some(response::reservation(booking, caller.role));
        Ok(Response::new(proto::CancelReservationResponse { reservation }))
    }
}
