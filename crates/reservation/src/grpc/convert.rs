//! Between the contract and the domain.

use jiff::Timestamp;
use staymesh_api::{options::v1::Role, reservation::v1 as proto};
use staymesh_domain::{FieldError, GuestCount, HotelId, RoomCount, StayDates};
use staymesh_mesh::proto_types;

use crate::{
    error::ReservationError,
    model::{CancellationReason, Guest, PaymentMode, Reservation, Status},
    service::Wish,
};

/// Reads hotel, dates, rooms and guests; reports every wrong one, first come first.
pub(super) fn wish(
    hotel_id: i32,
    check_in: &str,
    check_out: &str,
    rooms: Option<i32>,
    guests: Option<i32>,
    now: Timestamp,
) -> Result<Wish, FieldError> {
    let hotel_id = HotelId::try_from(hotel_id)?;
    let stay = stay(check_in, check_out, now)?;
    let rooms = RoomCount::try_from(rooms.unwrap_or(1)).map_err(|e| e.at("rooms"))?;
    let guests = GuestCount::try_from(guests.unwrap_or(rooms.get())).map_err(|e| e.at("guests"))?;
    if guests.get() < rooms.get() {
        return Err(FieldError::new("guests", "must be at least one for each room"));
    }
    Ok(Wish { hotel_id, stay, rooms, guests })
}

/// Reads dates that can be booked.
pub(super) fn stay(check_in: &str, check_out: &str, now: Timestamp) -> Result<StayDates, FieldError> {
    let stay = StayDates::parse(check_in, check_out)?;
    stay.require_bookable(now)?;
    Ok(stay)
}

pub(super) fn guest(guest: Option<proto::Guest>) -> Result<Guest, FieldError> {
    let guest = guest.ok_or_else(|| FieldError::new("primary_guest", "is required"))?;
    let full_name = guest.full_name.trim().to_owned();
    if full_name.is_empty() || full_name.chars().count() > 200 || full_name.chars().any(char::is_control) {
        return Err(FieldError::new("primary_guest.full_name", "must be 1 to 200 characters"));
    }
    let email = guest.email.trim().to_owned();
    let looks_like_one = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    if !looks_like_one || email.chars().count() > 254 || email.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(FieldError::new("primary_guest.email", "must be an e-mail address of at most 254 characters"));
    }
    Ok(Guest { full_name, email })
}

pub(super) fn payment_mode(mode: i32) -> Result<PaymentMode, FieldError> {
    match proto::PaymentMode::try_from(mode) {
        Ok(proto::PaymentMode::Unspecified | proto::PaymentMode::GuestPays) => Ok(PaymentMode::GuestPays),
        Ok(proto::PaymentMode::PartnerCollects) => Ok(PaymentMode::PartnerCollects),
        Err(_) => Err(FieldError::new("payment_mode", "is not a known value")),
    }
}

pub(super) fn status_filter(status: i32) -> Result<Option<Status>, FieldError> {
    use proto::ReservationStatus as P;
    match P::try_from(status) {
        Ok(P::Unspecified) => Ok(None),
        Ok(P::PendingPayment) => Ok(Some(Status::PendingPayment)),
        Ok(P::Paid) => Ok(Some(Status::Paid)),
        Ok(P::Refunded) => Ok(Some(Status::Refunded)),
        Ok(P::Cancelled) => Ok(Some(Status::Cancelled)),
        Ok(P::Rejected) => Ok(Some(Status::Rejected)),
        Err(_) => Err(FieldError::new("status", "is not a known value")),
    }
}

/// A booking for the wire. Who owns it is for other services alone.
pub(super) fn reservation(booking: Reservation, reader: Role) -> Result<proto::Reservation, ReservationError> {
    let price = booking.quote.to_proto(booking.room_type_id.get())?;
    let pending = booking.status == Status::PendingPayment;
    Ok(proto::Reservation {
        reservation_id: booking.id.to_string(),
        hotel_id: booking.id.hotel_id().get(),
        room_type_id: booking.room_type_id.get(),
        check_in: booking.stay.check_in().to_string(),
        check_out: booking.stay.check_out().to_string(),
        rooms: booking.rooms.get(),
        guests: booking.guests.get(),
        primary_guest: Some(proto::Guest { full_name: booking.guest.full_name, email: booking.guest.email }),
        status: status(booking.status).into(),
        cancellation_reason: cancellation_reason(booking.cancellation_reason).into(),
        payment_mode: match booking.payment_mode {
            PaymentMode::GuestPays => proto::PaymentMode::GuestPays,
            PaymentMode::PartnerCollects => proto::PaymentMode::PartnerCollects,
        }
        .into(),
        price: Some(price),
        hold_expire_time: booking.hold_expire_time.filter(|_| pending).map(proto_types::timestamp),
        create_time: Some(proto_types::timestamp(booking.create_time)),
        update_time: Some(proto_types::timestamp(booking.update_time)),
        owner: if reader == Role::Service { booking.owner } else { String::new() },
    })
}

fn status(status: Status) -> proto::ReservationStatus {
    match status {
        Status::PendingPayment => proto::ReservationStatus::PendingPayment,
        Status::Paid => proto::ReservationStatus::Paid,
        Status::Refunded => proto::ReservationStatus::Refunded,
        Status::Cancelled => proto::ReservationStatus::Cancelled,
        Status::Rejected => proto::ReservationStatus::Rejected,
    }
}

fn cancellation_reason(reason: Option<CancellationReason>) -> proto::CancellationReason {
    match reason {
        None => proto::CancellationReason::Unspecified,
        Some(CancellationReason::Requested) => proto::CancellationReason::Requested,
        Some(CancellationReason::HoldExpired) => proto::CancellationReason::HoldExpired,
        Some(CancellationReason::NoShow) => proto::CancellationReason::NoShow,
    }
}
