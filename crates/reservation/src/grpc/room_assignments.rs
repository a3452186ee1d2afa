//! Rooms of the hotel for guests.

use jiff::{Timestamp, civil::Date};
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{FieldErrors, HotelId, Page, ReservationId, RoomId, format_date};
use staymesh_mesh::Caller;
use tonic::Status;

use super::{
    front_desk::FrontDeskHandler,
    request::{date, date_at, refuse, reservation_id},
};
use crate::{service::RoomOrder, store::Assignment};

impl FrontDeskHandler {
    pub(super) async fn assign(
        &self,
        caller: &Caller,
        request: proto::AssignRoomRequest,
    ) -> Result<proto::RoomAssignment, Status> {
        let id = reservation_id(&request.reservation_id)?;
        let mut errors = FieldErrors::default();
        errors.range("position", request.position, 1, i32::from(i16::MAX));
        let room_id = errors.value(RoomId::try_from(request.room_id));
        let from = date_at(&mut errors, "from_date", &request.from_date);
        let room_id = errors.complete(room_id).map_err(refuse)?;
        let order = RoomOrder { of: (id, request.position), room_id, upgrade: request.upgrade, from };
        let assigned = self.0.assign_room(caller, &order, Timestamp::now()).await?;
        Ok(room_assignment(assigned))
    }

    pub(super) async fn unassign(
        &self,
        caller: &Caller,
        request: proto::UnassignRoomRequest,
    ) -> Result<proto::ListRoomAssignmentsResponse, Status> {
        let id = reservation_id(&request.reservation_id)?;
        let mut errors = FieldErrors::default();
        errors.range("position", request.position, 1, i32::from(i16::MAX));
        errors.into_result().map_err(refuse)?;
        let left = self.0.unassign_room(caller, (id, request.position), Timestamp::now()).await?;
        let room_assignments = left.into_iter().map(room_assignment).collect();
        Ok(proto::ListRoomAssignmentsResponse { room_assignments, next_page_token: String::new() })
    }

    pub(super) async fn assignments(
        &self,
        caller: &Caller,
        request: proto::ListRoomAssignmentsRequest,
    ) -> Result<proto::ListRoomAssignmentsResponse, Status> {
        let id = reservation_id(&request.reservation_id)?;
        let mut errors = FieldErrors::default();
        let bound = ["assignments", &*request.reservation_id];
        let page = Page::<(i32, Date)>::collect(&mut errors, request.page_size, &request.page_token, &bound);
        let page = errors.complete(page).map_err(refuse)?;
        let mut rows = self.0.assignments(caller, id).await?;
        // At most a room for each night of 50 rooms: read as one, shown in pages.
        rows.retain(|row| page.after.is_none_or(|after| (row.position, row.from) > after));
        let (rows, next_page_token) = page.cut(rows, |row| (row.position, row.from));
        let room_assignments = rows.into_iter().map(room_assignment).collect();
        Ok(proto::ListRoomAssignmentsResponse { room_assignments, next_page_token })
    }

    pub(super) async fn auto_assign(
        &self,
        caller: &Caller,
        request: proto::AutoAssignRoomsRequest,
    ) -> Result<proto::AutoAssignRoomsResponse, Status> {
        caller.require_hotel_field(request.hotel_id)?;
        let mut errors = FieldErrors::default();
        let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
        let date = date(&mut errors, &request.date);
        let hotel_id = errors.complete(hotel_id).map_err(refuse)?;
        let today = self.0.hotel_today(hotel_id, Timestamp::now()).await?;
        let date = date.unwrap_or(today);
        let mut errors = FieldErrors::default();
        errors.holds(date >= today, "date", "must not be in the past at the hotel");
        errors.into_result().map_err(refuse)?;
        let done = self.0.auto_assign(hotel_id, date).await?;
        let unassigned =
            |(id, position): (ReservationId, i32)| proto::UnassignedRoom { reservation_id: id.to_string(), position };
        Ok(proto::AutoAssignRoomsResponse {
            room_assignments: done.assigned.into_iter().map(room_assignment).collect(),
            unassigned: done.without.into_iter().map(unassigned).collect(),
        })
    }
}

/// A room of the hotel for guests of a reservation.
pub(super) fn room_assignment(assignment: Assignment) -> proto::RoomAssignment {
    proto::RoomAssignment {
        reservation_id: assignment.reservation_id.to_string(),
        position: assignment.position,
        room_id: assignment.room_id.get(),
        room_number: assignment.room_number,
        room_type_id: assignment.room_type_id.get(),
        from_date: format_date(assignment.from),
        until_date: format_date(assignment.until),
    }
}
