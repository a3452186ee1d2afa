//! `FrontDeskService`: arrivals and departures.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use staymesh_api::reservation::v1::{self as proto, front_desk_service_server::FrontDeskService};
use staymesh_domain::{FieldErrors, HotelId, Page, ReservationId, format_date, parse_date, parse_request_id};
use staymesh_mesh::Caller;
use tonic::{Request, Response, Status};

use super::{
    request::{date, expected_refund, refuse, reservation_id, waiver},
    response,
};
use crate::{
    room_step::RoomStep,
    service::{BookingService, DepartureRequest},
    store::{DeskList, DeskPosition},
};

/// Most rooms that a request may name: no reservation has more.
const MAX_ROOMS: usize = 50;

/// Handles `FrontDeskService`.
pub(crate) struct FrontDeskHandler(pub(crate) Arc<BookingService>);

/// A request for a list of a date.
struct ListOfDate<'a> {
    hotel_id: i32,
    date: &'a str,
    page_size: i32,
    page_token: &'a str,
}

/// A page of a list of a date.
struct RoomsOfDate {
    rooms: Vec<proto::DeskRoom>,
    next_page_token: String,
    date: String,
}

impl FrontDeskHandler {
    async fn rooms(&self, caller: &Caller, list: DeskList, request: ListOfDate<'_>) -> Result<RoomsOfDate, Status> {
        caller.require_hotel_field(request.hotel_id)?;
        let now = Timestamp::now();
        let mut errors = FieldErrors::default();
        let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
        let date = date(&mut errors, request.date);
        let bound = [format!("{list:?}"), request.hotel_id.to_string(), request.date.to_owned()];
        let bound = bound.each_ref().map(String::as_str);
        let page = Page::<(Date, DeskPosition)>::collect(&mut errors, request.page_size, request.page_token, &bound);
        let is_of_a_list = |page: &Page<(Date, DeskPosition)>| {
            page.after.as_ref().is_none_or(|(date, _)| parse_date(&format_date(*date)).is_ok())
        };
        errors.holds(page.as_ref().is_none_or(is_of_a_list), "page_token", "is not one of this list");
        let (hotel_id, page) = errors.complete(hotel_id.zip(page)).map_err(refuse)?;
        // A list that began today stays the list of that day.
        let date = match date.or(page.after.map(|(date, _)| date)) {
            Some(date) => date,
            None => self.0.hotel_today(hotel_id, now).await?,
        };
        let after = page.after.map(|(_, position)| position);
        let rooms = self.0.desk_rooms(list, hotel_id, date, after, page.size.limit()).await?;
        let (rooms, next_page_token) = page.cut(rooms, |room| (date, DeskPosition::of(room)));
        let rooms = rooms.into_iter().map(response::desk_room).collect();
        Ok(RoomsOfDate { rooms, next_page_token, date: date.to_string() })
    }

    async fn step(
        &self,
        caller: &Caller,
        step: RoomStep,
        id: &str,
        (positions, etag): (&[i32], &str),
    ) -> Result<proto::Reservation, Status> {
        let id = reservation_id(id)?;
        let mut errors = FieldErrors::default();
        errors.holds(positions.len() <= MAX_ROOMS, "positions", format!("must be at most {MAX_ROOMS}"));
        errors.into_result().map_err(refuse)?;
        let booking = self.0.step_rooms(caller, id, step, (positions, etag), Timestamp::now()).await?;
        Ok(response::reservation(booking)?)
    }
}

/// Parses the departure of guests who leave early.
///
/// # Errors
/// Every invalid field.
fn departure(message: &proto::DepartEarlyRequest) -> Result<(ReservationId, DepartureRequest), FieldErrors> {
    let mut errors = FieldErrors::default();
    let id = errors.value(message.reservation_id.parse::<ReservationId>());
    let positions = &message.positions;
    errors.holds(positions.len() <= MAX_ROOMS, "positions", format!("must be at most {MAX_ROOMS}"));
    let waiver = waiver(&mut errors, message.waive.as_ref());
    let expected_refund = errors.value(expected_refund(message.expected_refund.as_ref()));
    let request_id = errors.value(parse_request_id(&message.request_id));
    let ((id, request_id), expected_refund) = errors.complete(id.zip(request_id).zip(expected_refund))?;
    let positions = positions.iter().copied().collect();
    Ok((id, DepartureRequest { positions, waiver, expected_refund, request_id }))
}

/// Answers a request for a list of a date.
macro_rules! list_of_date {
    ($self:ident, $request:ident, $list:expr, $answer:ident) => {{
        let caller = Caller::required(&$request)?;
        let message = $request.into_inner();
        let request = ListOfDate {
            hotel_id: message.hotel_id,
            date: &message.date,
            page_size: message.page_size,
            page_token: &message.page_token,
        };
        let RoomsOfDate { rooms, next_page_token, date } = $self.rooms(&caller, $list, request).await?;
        Ok(Response::new(proto::$answer { rooms, next_page_token, date }))
    }};
}

/// Answers a request for a step of rooms.
macro_rules! step_of_rooms {
    ($self:ident, $request:ident, $step:expr) => {{
        let caller = Caller::required(&$request)?;
        let message = $request.into_inner();
        let rooms = (message.positions.as_slice(), message.etag.as_str());
        Ok(Response::new($self.step(&caller, $step, &message.reservation_id, rooms).await?))
    }};
}

#[tonic::async_trait]
impl FrontDeskService for FrontDeskHandler {
    async fn list_arrivals(
        &self,
        request: Request<proto::ListArrivalsRequest>,
    ) -> Result<Response<proto::ListArrivalsResponse>, Status> {
        list_of_date!(self, request, DeskList::Arrivals, ListArrivalsResponse)
    }

    async fn list_in_house(
        &self,
        request: Request<proto::ListInHouseRequest>,
    ) -> Result<Response<proto::ListInHouseResponse>, Status> {
        list_of_date!(self, request, DeskList::InHouse, ListInHouseResponse)
    }

    async fn list_departures(
        &self,
        request: Request<proto::ListDeparturesRequest>,
    ) -> Result<Response<proto::ListDeparturesResponse>, Status> {
        list_of_date!(self, request, DeskList::Departures, ListDeparturesResponse)
    }

    async fn check_in(&self, request: Request<proto::CheckInRequest>) -> Result<Response<proto::Reservation>, Status> {
        step_of_rooms!(self, request, RoomStep::CheckIn)
    }

    async fn undo_check_in(
        &self,
        request: Request<proto::UndoCheckInRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        step_of_rooms!(self, request, RoomStep::UndoCheckIn)
    }

    async fn check_out(
        &self,
        request: Request<proto::CheckOutRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        step_of_rooms!(self, request, RoomStep::CheckOut)
    }

    async fn depart_early(
        &self,
        request: Request<proto::DepartEarlyRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let (id, request) = departure(&request.into_inner()).map_err(refuse)?;
        let booking = self.0.depart_early(&caller, id, request, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn find_reservations(
        &self,
        request: Request<proto::FindReservationsRequest>,
    ) -> Result<Response<proto::FindReservationsResponse>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.find(&caller, request.into_inner()).await?))
    }

    async fn assign_room(
        &self,
        request: Request<proto::AssignRoomRequest>,
    ) -> Result<Response<proto::RoomAssignment>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.assign(&caller, request.into_inner()).await?))
    }

    async fn unassign_room(
        &self,
        request: Request<proto::UnassignRoomRequest>,
    ) -> Result<Response<proto::ListRoomAssignmentsResponse>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.unassign(&caller, request.into_inner()).await?))
    }

    async fn list_room_assignments(
        &self,
        request: Request<proto::ListRoomAssignmentsRequest>,
    ) -> Result<Response<proto::ListRoomAssignmentsResponse>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.assignments(&caller, request.into_inner()).await?))
    }

    async fn auto_assign_rooms(
        &self,
        request: Request<proto::AutoAssignRoomsRequest>,
    ) -> Result<Response<proto::AutoAssignRoomsResponse>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.auto_assign(&caller, request.into_inner()).await?))
    }

    async fn create_reservation_note(
        &self,
        request: Request<proto::CreateReservationNoteRequest>,
    ) -> Result<Response<proto::ReservationNote>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.create_note(&caller, request.into_inner()).await?))
    }

    async fn list_reservation_notes(
        &self,
        request: Request<proto::ListReservationNotesRequest>,
    ) -> Result<Response<proto::ListReservationNotesResponse>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(self.notes(&caller, request.into_inner()).await?))
    }
}
