//! `ReservationService`: what guests and partners call.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::reservation::v1::{self as proto, reservation_service_server::ReservationService};
use staymesh_domain::{FieldError, HotelId, Page, ReservationId, RoomCount, RoomTypeId};
use staymesh_mesh::{Caller, Problem, proto_types};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert;
use crate::{
    error::ReservationError,
    service::{Order, Service, list_scope},
    store::ListFilter,
};

/// Most room types that can be asked for by id.
const MAX_ROOM_TYPES: usize = 100;

pub(crate) struct Reservations(pub(crate) Arc<Service>);

fn refuse(error: impl Into<Problem>) -> Status {
    error.into().into()
}

#[tonic::async_trait]
impl ReservationService for Reservations {
    async fn get_availability(
        &self,
        request: Request<proto::GetAvailabilityRequest>,
    ) -> Result<Response<proto::GetAvailabilityResponse>, Status> {
        let asked = request.into_inner();
        let hotel_id = HotelId::try_from(asked.hotel_id).map_err(|e| refuse(FieldError::from(e)))?;
        let stay = convert::stay(&asked.check_in, &asked.check_out, Timestamp::now()).map_err(refuse)?;
        let rooms = RoomCount::try_from(asked.rooms.unwrap_or(1)).map_err(|e| refuse(e.at("rooms")))?.get();
        if asked.room_type_ids.len() > MAX_ROOM_TYPES {
            return Err(refuse(FieldError::new("room_type_ids", "must be at most 100")));
        }
        for (at, id) in asked.room_type_ids.iter().enumerate() {
            RoomTypeId::try_from(*id).map_err(|e| refuse(e.at(format!("room_type_ids[{at}]"))))?;
        }
        let left = self.0.search(hotel_id, stay, &asked.room_type_ids).await?;
        let room_types = left
            .into_iter()
            .map(|left| proto::RoomTypeAvailability {
                room_type_id: left.room_type_id,
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
        let asked = request.into_inner();
        let now = Timestamp::now();
        let wish = convert::wish(asked.hotel_id, &asked.check_in, &asked.check_out, asked.rooms, asked.guests, now)
            .map_err(refuse)?;
        let offers = self.0.offers(wish).await?;
        let offers = offers
            .into_iter()
            .map(|line| {
                Ok(proto::Offer {
                    room_type_id: line.room_type.room_type_id,
                    display_name: line.room_type.display_name,
                    max_occupancy: line.room_type.max_occupancy,
                    rooms_left: line.rooms_left,
                    price: Some(line.quote.to_proto(line.room_type.room_type_id)?),
                })
            })
            .collect::<Result<_, ReservationError>>()?;
        Ok(Response::new(proto::ListOffersResponse { offers }))
    }

    async fn prepare_reservation(
        &self,
        request: Request<proto::PrepareReservationRequest>,
    ) -> Result<Response<proto::PrepareReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let asked = request.into_inner();
        let now = Timestamp::now();
        let room_type_id = RoomTypeId::try_from(asked.room_type_id).map_err(|e| refuse(FieldError::from(e)))?;
        let wish = convert::wish(asked.hotel_id, &asked.check_in, &asked.check_out, asked.rooms, asked.guests, now)
            .map_err(refuse)?;
        let form = self.0.prepare(caller.subject, wish, room_type_id, now).await?;
        let price = form.offer.quote.to_proto(room_type_id.get()).map_err(ReservationError::from)?;
        Ok(Response::new(proto::PrepareReservationResponse {
            reservation_id: form.offer.reservation_id.to_string(),
            offer_token: form.token,
            offer_expire_time: Some(proto_types::timestamp(form.offer.expires())),
            price: Some(price),
        }))
    }

    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::CreateReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let asked = request.into_inner();
        if asked.offer_token.is_empty() {
            return Err(refuse(FieldError::new("offer_token", "is required")));
        }
        let order = Order {
            reservation_id: parse_id(&asked.reservation_id)?,
            payment_mode: convert::payment_mode(asked.payment_mode).map_err(refuse)?,
            guest: convert::guest(asked.primary_guest).map_err(refuse)?,
            offer_token: asked.offer_token,
        };
        let booking = self.0.create(&caller, order, Timestamp::now()).await?;
        let reservation = Some(convert::reservation(booking, caller.role)?);
        Ok(Response::new(proto::CreateReservationResponse { reservation }))
    }

    async fn get_reservation(
        &self,
        request: Request<proto::GetReservationRequest>,
    ) -> Result<Response<proto::GetReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let id = parse_id(&request.into_inner().reservation_id)?;
        let booking = self.0.get(&caller, id).await?;
        let reservation = Some(convert::reservation(booking, caller.role)?);
        Ok(Response::new(proto::GetReservationResponse { reservation }))
    }

    async fn list_reservations(
        &self,
        request: Request<proto::ListReservationsRequest>,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        let caller = Caller::required(&request)?;
        let asked = request.into_inner();
        let hotel_id = (asked.hotel_id != 0).then_some(asked.hotel_id);
        let (owner, hotel_id) = list_scope(&caller, hotel_id)?;
        if let Some(id) = hotel_id {
            HotelId::try_from(id).map_err(|e| refuse(FieldError::from(e)))?;
        }
        let status = convert::status_filter(asked.status).map_err(refuse)?;
        let bound = [
            owner.clone().unwrap_or_default(),
            hotel_id.map(|id| id.to_string()).unwrap_or_default(),
            asked.status.to_string(),
        ];
        let page: Page<Uuid> = Page::parse(asked.page_size, &asked.page_token, &bound.each_ref().map(String::as_str))
            .map_err(|e| refuse(FieldError::from(e)))?;
        let filter = ListFilter { owner, hotel_id, status };
        let rows = self.0.list(&filter, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |booking| booking.id.as_uuid());
        let reservations = rows
            .into_iter()
            .map(|booking| convert::reservation(booking, caller.role))
            .collect::<Result<_, ReservationError>>()?;
        Ok(Response::new(proto::ListReservationsResponse { reservations, next_page_token }))
    }

    async fn cancel_reservation(
        &self,
        request: Request<proto::CancelReservationRequest>,
    ) -> Result<Response<proto::CancelReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let id = parse_id(&request.into_inner().reservation_id)?;
        let booking = self.0.cancel(&caller, id, Timestamp::now()).await?;
        let reservation = Some(convert::reservation(booking, caller.role)?);
        Ok(Response::new(proto::CancelReservationResponse { reservation }))
    }
}

pub(super) fn parse_id(text: &str) -> Result<ReservationId, Status> {
    text.parse().map_err(|error: staymesh_domain::IdError| refuse(FieldError::from(error)))
}
