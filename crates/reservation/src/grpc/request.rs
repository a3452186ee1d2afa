//! Parses request messages into domain values. Errors name the field.

use jiff::Timestamp;
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{
    Email, FieldError, GuestCount, HotelId, IdError, PaymentId, ReservationId, RoomCount, RoomTypeId, StayDates,
};
use staymesh_mesh::Problem;
use tonic::{Request, Status as GrpcStatus};

use crate::{
    model::{Guest, PaymentMode, Source, Status},
    service::StayRequest,
};

/// Metadata with the address of the caller, set by the edge. The edge removes it from incoming requests.
const SOURCE_HEADER: &str = "x-staymesh-source";

/// Where a request comes from, as the edge saw it; `None` for calls from inside the mesh.
pub(super) fn source<T>(request: &Request<T>) -> Option<Source> {
    let address = request.metadata().get(SOURCE_HEADER)?.to_str().ok()?;
    address.parse().ok().map(Source::of)
}

/// An error as the status that callers see.
pub(super) fn refuse(error: impl Into<Problem>) -> GrpcStatus {
    error.into().into()
}

/// Parses a reservation id.
pub(super) fn reservation_id(text: &str) -> Result<ReservationId, GrpcStatus> {
    text.parse().map_err(|error: IdError| refuse(FieldError::from(error)))
}

/// Parses a payment id.
pub(super) fn payment_id(text: &str) -> Result<PaymentId, GrpcStatus> {
    text.parse().map_err(|error: IdError| refuse(FieldError::from(error)))
}

/// Validates a hotel id.
pub(super) fn hotel_id(id: i32) -> Result<HotelId, GrpcStatus> {
    HotelId::try_from(id).map_err(|error| refuse(FieldError::from(error)))
}

/// Validates a room type id.
pub(super) fn room_type_id(id: i32) -> Result<RoomTypeId, GrpcStatus> {
    RoomTypeId::try_from(id).map_err(|error| refuse(FieldError::from(error)))
}

/// Parses hotel, dates, rooms (default 1) and guests (default one per room); reports the first invalid field.
pub(super) fn stay_request(
    hotel_id: i32,
    check_in: &str,
    check_out: &str,
    rooms: Option<i32>,
    guests: Option<i32>,
    now: Timestamp,
) -> Result<StayRequest, FieldError> {
    let hotel_id = HotelId::try_from(hotel_id)?;
    let stay = stay(check_in, check_out, now)?;
    let rooms = RoomCount::try_from(rooms.unwrap_or(1)).map_err(|e| e.at("rooms"))?;
    let guests = GuestCount::try_from(guests.unwrap_or(rooms.get())).map_err(|e| e.at("guests"))?;
    if guests.get() < rooms.get() {
        return Err(FieldError::new("guests", "must be at least one for each room"));
    }
    Ok(StayRequest { hotel_id, stay, rooms, guests })
}

/// Parses the dates of a stay that can be booked at `now`.
pub(super) fn stay(check_in: &str, check_out: &str, now: Timestamp) -> Result<StayDates, FieldError> {
    let stay = StayDates::parse(check_in, check_out)?;
    stay.require_bookable(now)?;
    Ok(stay)
}

/// Validates the guest that a reservation is made for.
pub(super) fn guest(guest: Option<proto::Guest>) -> Result<Guest, FieldError> {
    let guest = guest.ok_or_else(|| FieldError::new("primary_guest", "is required"))?;
    let full_name = guest.full_name.trim().to_owned();
    if full_name.is_empty() || full_name.chars().count() > 200 || full_name.chars().any(char::is_control) {
        return Err(FieldError::new("primary_guest.full_name", "must be 1 to 200 characters"));
    }
    let email = Email::contact(&guest.email).map_err(|error| error.at("primary_guest.email"))?;
    Ok(Guest { full_name, email: email.into_string() })
}

/// Parses who collects the money; the guest pays by default.
pub(super) fn payment_mode(mode: i32) -> Result<PaymentMode, FieldError> {
    match proto::PaymentMode::try_from(mode) {
        Ok(proto::PaymentMode::Unspecified | proto::PaymentMode::GuestPays) => Ok(PaymentMode::GuestPays),
        Ok(proto::PaymentMode::PartnerCollects) => Ok(PaymentMode::PartnerCollects),
        Err(_) => Err(FieldError::new("payment_mode", "is not a known value")),
    }
}

/// Parses the status that a list is restricted to; `None` lists all.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_the_address_that_the_edge_names() {
        let mut request = Request::new(());
        assert_eq!(source(&request), None, "a call from inside the mesh");
        request.metadata_mut().insert("x-staymesh-source", tonic::metadata::MetadataValue::from_static("192.0.2.7"));
        assert_eq!(source(&request).as_ref().map(Source::as_str), Some("192.0.2.7"));
    }
}
