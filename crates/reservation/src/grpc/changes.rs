//! Changes of what was agreed: requests, answers and the list of revisions.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{FieldError, FieldErrors, Money, Page, Party, RoomTypeId, parse_date, parse_request_id};
use staymesh_mesh::{Caller, auth::Role, proto_types};
use tonic::Status;

use super::{
    request::{expected_refund, refuse, reservation_id},
    response,
    rooms_request::{MAX_ROOMS_OF_GUESTS, MAX_ROOMS_OF_PARTNERS},
};
use crate::{
    error::ReservationError,
    model::Source,
    room_line::RoomLine,
    room_status::RoomStatus,
    rooms_change::{PlacedRoom, Reprice},
    service::{BookingService, ChangeForm, ChangeRequest, DatesChange, RoomChangeRequest, may_reprice},
    store::Revision,
};

/// Quotes a change. Who may not see the reservation learns nothing about its own request.
pub(super) async fn quote(
    bookings: &BookingService,
    caller: &Caller,
    message: proto::QuoteChangeRequest,
) -> Result<proto::ChangeQuote, Status> {
    let id = reservation_id(&message.reservation_id)?;
    let booking = bookings.get(caller, id).await?;
    let mut errors = FieldErrors::default();
    let request = change_request(&mut errors, &message, caller);
    let request = errors.complete(request).map_err(refuse)?;
    Ok(quoted(bookings.quote_change(caller, booking, &request, Timestamp::now()).await?)?)
}

/// Applies a quoted change.
pub(super) async fn apply(
    bookings: &BookingService,
    caller: &Caller,
    source: Option<Source>,
    message: proto::ApplyChangeRequest,
) -> Result<proto::Reservation, Status> {
    let mut errors = FieldErrors::default();
    let id = errors.value(message.reservation_id.parse());
    let request_id = errors.value(parse_request_id(&message.request_id));
    errors.holds(!message.change_token.is_empty(), "change_token", "is required");
    let (id, request_id) = errors.complete(id.zip(request_id)).map_err(refuse)?;
    let (token, now) = (&message.change_token, Timestamp::now());
    let booking = bookings.apply_change(caller, id, token, request_id, source, now).await?;
    Ok(response::reservation(booking)?)
}

/// Lists the revisions of a reservation.
pub(super) async fn revisions(
    bookings: &BookingService,
    caller: &Caller,
    message: &proto::ListReservationRevisionsRequest,
) -> Result<proto::ListReservationRevisionsResponse, Status> {
    let id = reservation_id(&message.reservation_id)?;
    let booking = bookings.get(caller, id).await?;
    let mut errors = FieldErrors::default();
    let page = Page::<i32>::collect(&mut errors, message.page_size, &message.page_token, &[&message.reservation_id]);
    let page = errors.complete(page).map_err(refuse)?;
    let found = bookings.revisions(id, page.after.unwrap_or_default(), page.size.limit()).await?;
    let rows: Vec<_> = found.into_iter().map(|revision| shown(revision, booking.create_time)).collect();
    let most = response::fitting(rows.iter());
    let (revisions, next_page_token) = page.cut_to(most, rows, |revision| revision.revision);
    Ok(proto::ListReservationRevisionsResponse { revisions, next_page_token })
}

/// Cancels rooms.
pub(super) async fn cancel_rooms(
    bookings: &BookingService,
    caller: &Caller,
    message: &proto::CancelRoomsRequest,
) -> Result<proto::Reservation, Status> {
    let mut errors = FieldErrors::default();
    let id = errors.value(message.reservation_id.parse());
    let rooms = errors.value(cancelled_rooms(&message.rooms));
    // Without rooms, all would be cancelled.
    errors.holds(!message.rooms.is_empty(), "rooms", "names no room");
    let refund = errors.value(expected_refund(message.expected_refund.as_ref()));
    let ((id, rooms), refund) = errors.complete(id.zip(rooms).zip(refund)).map_err(refuse)?;
    Ok(response::reservation(bookings.cancel_rooms(caller, id, rooms, refund, Timestamp::now()).await?)?)
}

/// Parses the positions of rooms to cancel.
///
/// # Errors
/// A violation of `rooms`.
pub(super) fn cancelled_rooms(positions: &[i32]) -> Result<BTreeSet<i32>, FieldError> {
    if positions.len() > MAX_ROOMS_OF_PARTNERS {
        return Err(FieldError::new("rooms", format!("must be at most {MAX_ROOMS_OF_PARTNERS} positions")));
    }
    Ok(positions.iter().copied().collect())
}

/// Parses a change. Every wrong field is named.
fn change_request(
    errors: &mut FieldErrors,
    message: &proto::QuoteChangeRequest,
    caller: &Caller,
) -> Option<ChangeRequest> {
    let most = MAX_ROOMS_OF_PARTNERS;
    let dates = dates(errors, "", &message.check_in, &message.check_out);
    errors.holds(message.rooms.len() <= most, "rooms", format!("must be at most {most} entries"));
    errors.holds(message.dropped_rooms.len() <= most, "dropped_rooms", format!("must be at most {most} entries"));
    let rooms: Vec<_> =
        message.rooms.iter().take(most).enumerate().map(|(at, room)| room_change(errors, at, room)).collect();
    let reprice = match proto::Reprice::try_from(message.reprice) {
        Ok(proto::Reprice::Unspecified) => Some(Reprice::Changed),
        Ok(proto::Reprice::All) if may_reprice(caller) => Some(Reprice::All),
        Ok(proto::Reprice::All) => {
            errors.value(Err(FieldError::new("reprice", "only hotel staff may reprice all rooms")))
        }
        Err(_) => errors.value(Err(FieldError::new("reprice", "is not a known value"))),
    };
    Some(ChangeRequest {
        dates: dates?,
        rooms: rooms.into_iter().collect::<Option<_>>()?,
        dropped: message.dropped_rooms.iter().take(most).copied().collect(),
        reprice: reprice?,
        most_rooms: if caller.role == Role::Guest { MAX_ROOMS_OF_GUESTS } else { most },
        by_staff: may_reprice(caller),
    })
}

/// Parses the change of one room, the `at`th of the request.
fn room_change(errors: &mut FieldErrors, at: usize, room: &proto::RoomChange) -> Option<RoomChangeRequest> {
    let at = format!("rooms[{at}]");
    let known = room.position >= 0;
    errors.holds(known, format!("{at}.position"), "must not be negative");
    let room_type_id = match room.room_type_id {
        0 => Some(None),
        id => {
            let id = RoomTypeId::try_from(id).map_err(|error| error.at(format!("{at}.room_type_id")));
            errors.value(id).map(Some)
        }
    };
    let party = if room.adults == 0 {
        let field = format!("{at}.child_ages");
        errors.holds(room.child_ages.is_empty(), field, "must come with adults");
        Some(None)
    } else {
        let party = Party::new(room.adults, room.child_ages.clone());
        party.map_err(|wrong| errors.extend_under(&at, wrong)).ok().map(Some)
    };
    let dates = dates(errors, &format!("{at}."), &room.check_in, &room.check_out);
    let position = (room.position > 0).then_some(room.position);
    let moves = match room.from_date.as_str() {
        "" => Some(None),
        text => {
            let date = parse_date(text).map_err(|error| FieldError::new(format!("{at}.from_date"), error.to_string()));
            errors.value(date).map(Some)
        }
    };
    let booked = position.is_some() || room.from_date.is_empty();
    errors.holds(booked, format!("{at}.from_date"), "is for a room of the reservation");
    Some(RoomChangeRequest { position, room_type_id: room_type_id?, party: party?, dates: dates?, moves: moves? })
}

/// Parses two dates, each of which may be absent; their fields begin with `at`.
fn dates(errors: &mut FieldErrors, at: &str, check_in: &str, check_out: &str) -> Option<DatesChange> {
    let mut date = |field: &str, text: &str| -> Option<Option<Date>> {
        if text.is_empty() {
            return Some(None);
        }
        let date = parse_date(text).map_err(|error| FieldError::new(format!("{at}{field}"), error.to_string()));
        errors.value(date).map(Some)
    };
    let (check_in, check_out) = (date("check_in", check_in), date("check_out", check_out));
    Some(DatesChange { check_in: check_in?, check_out: check_out? })
}

/// A quoted change.
fn quoted(form: ChangeForm) -> Result<proto::ChangeQuote, ReservationError> {
    let ChangeForm { booking, quoted, after, sum, token } = form;
    let change = quoted.change;
    let zero = Money::zero(change.balance.currency());
    let (due, refund) =
        if change.balance.is_negative() { (zero, zero.checked_sub(change.balance)?) } else { (change.balance, zero) };
    let lines: Vec<_> = after.iter().map(|room| room.line.clone()).collect();
    let room = |placed: &PlacedRoom| response::room(placed.placed(), booking.create_time, RoomStatus::Live);
    Ok(proto::ChangeQuote {
        reservation_id: booking.id.to_string(),
        base_revision: quoted.revision,
        change_token: token,
        token_expire_time: Some(proto_types::timestamp(quoted.expires)),
        rooms: after.iter().map(room).collect(),
        price_before: Some(response::price_together(&booking.lines, &booking.quote)),
        price: Some(response::price_together(&lines, &sum.quote)),
        penalty: Some(proto_types::money(change.penalty)),
        due: Some(proto_types::money(due)),
        refund: Some(proto_types::money(refund)),
    })
}

/// A revision of a reservation made at `booked`.
fn shown(revision: Revision, booked: Timestamp) -> proto::ReservationRevision {
    proto::ReservationRevision {
        revision: revision.revision,
        create_time: Some(proto_types::timestamp(revision.create_time)),
        actor: revision.actor,
        reason: match revision.reason.as_str() {
            "created" => proto::RevisionReason::Created,
            "changed" => proto::RevisionReason::Changed,
            "rooms_cancelled" => proto::RevisionReason::RoomsCancelled,
            "change_dropped" => proto::RevisionReason::ChangeDropped,
            "left_early" => proto::RevisionReason::LeftEarly,
            _ => proto::RevisionReason::Unspecified,
        }
        .into(),
        rooms: revision.lines.iter().map(|line| agreed(line, booked)).collect(),
        total: Some(proto_types::money(revision.total)),
        retained: Some(proto_types::money(revision.retained)),
    }
}

/// A room as agreed: a revision knows neither its position nor its status.
fn agreed(line: &RoomLine, booked: Timestamp) -> proto::ReservationRoom {
    let status = proto::ReservationRoomStatus::Unspecified.into();
    proto::ReservationRoom { status, ..response::room((0, line), booked, RoomStatus::Live) }
}
