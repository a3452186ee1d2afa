//! Parses request messages into domain values. Every invalid field is reported, not only the first.

use jiff::{SignedDuration, Timestamp, civil::Date};
use staymesh_api::{reservation::v1 as proto, r#type::v1::Money};
use staymesh_domain::{
    Email, FieldError, FieldErrors, HotelId, IdError, Page, Parties, Party, ReservationId, RoomTypeId, StayDates, Text,
    parse_date,
};
use staymesh_mesh::{Problem, auth::Role, proto_types};
use tonic::{Request, Status as GrpcStatus};

use super::room_guests::room_guests;
use crate::{
    lifecycle::{ByHotel, Waiver},
    model::{Guest, PaymentMode, Source, Status},
    service::{BookingRequest, StayRequest},
};

/// Metadata with the address of the caller, set by the edge. The edge removes it from incoming requests.
const SOURCE_HEADER: &str = "x-staymesh-source";
/// Most room types that a request may name.
const MAX_ROOM_TYPES: usize = 100;
/// Longest hold: a day.
const MAX_HOLD_MINUTES: i32 = 24 * 60;
/// Most offer tokens of one check.
const MAX_OFFER_TOKENS: usize = 20;

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

/// Parses hotel, dates and occupancies.
pub(super) fn stay_request(
    errors: &mut FieldErrors,
    hotel_id: i32,
    dates: (&str, &str),
    occupancies: &[String],
    now: Timestamp,
) -> Option<StayRequest> {
    let hotel_id = errors.value(HotelId::try_from(hotel_id));
    let stay = stay(errors, dates, now);
    let parties = parties(errors, occupancies);
    Some(StayRequest { hotel_id: hotel_id?, stay: stay?, parties: parties? })
}

/// Parses who sleeps in each room, such as `2-9,4`; by default one adult in one room.
fn parties(errors: &mut FieldErrors, occupancies: &[String]) -> Option<Parties> {
    let alone = ["1".to_owned()];
    let occupancies = if occupancies.is_empty() { &alone[..] } else { occupancies };
    let parse = |(room, occupancy): (usize, &String)| {
        let party = occupancy.parse::<Party>();
        errors.value(party.map_err(|error| FieldError::new(format!("occupancies[{room}]"), error.to_string())))
    };
    // One more than there may be, so that too many are noticed and a million are not parsed.
    let read: Vec<_> = occupancies.iter().enumerate().take(Parties::MAX + 1).map(parse).collect();
    let parties = read.into_iter().collect::<Option<Vec<_>>>()?;
    errors.value(Parties::new(parties).map_err(|error| error.at("occupancies")))
}

/// Parses the page of a search: everything else in it is a filter.
pub(super) fn offer_page(errors: &mut FieldErrors, search: &proto::ListOffersRequest) -> Option<Page<(i64, i32)>> {
    let proto::ListOffersRequest { hotel_id, check_in, check_out, occupancies, page_size, page_token } = search;
    let filters = format!("{hotel_id} {occupancies:?}");
    Page::collect(errors, *page_size, page_token, &[&filters, check_in, check_out])
}

/// Parses the dates of a stay, check-in and check-out, that can be booked at `now` at some hotel.
pub(super) fn stay(errors: &mut FieldErrors, dates: (&str, &str), now: Timestamp) -> Option<StayDates> {
    let stay = StayDates::collect(errors, dates.0, dates.1)?;
    errors.value(stay.require_bookable_anywhere(now))?;
    Some(stay)
}

/// Parses the room types that a search is restricted to.
pub(super) fn room_type_ids(errors: &mut FieldErrors, ids: &[i32]) -> Vec<RoomTypeId> {
    errors.holds(ids.len() <= MAX_ROOM_TYPES, "room_type_ids", format!("must be at most {MAX_ROOM_TYPES}"));
    let ids = ids.iter().enumerate().take(MAX_ROOM_TYPES);
    ids.filter_map(|(at, id)| errors.value(RoomTypeId::try_from(*id).map_err(|e| e.at(format!("room_type_ids[{at}]")))))
        .collect()
}

/// Parses a booking.
///
/// # Errors
/// Every invalid field.
pub(super) fn booking(
    message: proto::CreateReservationRequest,
    role: Role,
    source: Option<Source>,
) -> Result<BookingRequest, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.holds(!message.offer_token.is_empty(), "offer_token", "is required");
    let reservation_id = errors.value(message.reservation_id.parse::<ReservationId>());
    let payment_mode = errors.value(payment_mode(message.payment_mode));
    let guest = guest(&mut errors, message.primary_guest, role);
    let client_reference = client_reference(&mut errors, message.client_reference.as_deref());
    let room_guests = room_guests(&mut errors, &message.room_guests);
    let hold = message.hold_minutes.map(|minutes| hold(&mut errors, minutes, payment_mode));
    let rooms = guest.zip(room_guests);
    let ((reservation_id, payment_mode), (guest, room_guests)) =
        errors.complete(reservation_id.zip(payment_mode).zip(rooms))?;
    let offer_token = message.offer_token;
    Ok(BookingRequest { reservation_id, offer_token, guest, payment_mode, client_reference, hold, room_guests, source })
}

/// Parses how long rooms are held.
fn hold(errors: &mut FieldErrors, minutes: i32, mode: Option<PaymentMode>) -> SignedDuration {
    errors.range("hold_minutes", minutes, 1, MAX_HOLD_MINUTES);
    let held = mode != Some(PaymentMode::PartnerCollects);
    errors.holds(held, "hold_minutes", "is for rooms that are not sold yet: hold them, then resume the hold");
    SignedDuration::from_mins(minutes.into())
}

/// Parses the caller's own reference of a reservation.
pub(super) fn client_reference(errors: &mut FieldErrors, reference: Option<&str>) -> Option<String> {
    let reference = Text::line(reference?, 3..=64).map_err(|error| error.at("client_reference"));
    errors.value(reference).map(Text::into_string)
}

/// Checks the number of the offer tokens of a request.
///
/// # Errors
/// A violation of `offer_tokens`.
pub(super) fn offer_tokens(tokens: Vec<String>) -> Result<Vec<String>, FieldError> {
    if (1..=MAX_OFFER_TOKENS).contains(&tokens.len()) {
        return Ok(tokens);
    }
    Err(FieldError::new("offer_tokens", format!("must be 1 to {MAX_OFFER_TOKENS}")))
}

/// Parses the refund that the caller of a cancellation expects; `None` cancels whatever is refunded.
///
/// # Errors
/// A violation of a part of `expected_refund`.
pub(super) fn expected_refund(refund: Option<&Money>) -> Result<Option<staymesh_domain::Money>, FieldError> {
    refund.map(|refund| proto_types::money_from(Some(refund), "expected_refund")).transpose()
}

/// Parses what staff keep instead of the terms; `None` if that is not asked for.
pub(super) fn waiver(errors: &mut FieldErrors, waiver: Option<&proto::Waiver>) -> Option<Waiver> {
    let waiver = waiver?;
    let keep = errors.value(proto_types::money_from(waiver.keep.as_ref(), "waive.keep"));
    let negative = keep.is_some_and(staymesh_domain::Money::is_negative);
    errors.holds(!negative, "waive.keep.amount", "must not be negative");
    let reason = errors.value(Text::line(&waiver.reason, 1..=200).map_err(|error| error.at("waive.reason")));
    Some(Waiver { keep: keep?, reason: reason?.into_string() })
}

/// Parses why the hotel cancels; `None` if it does not.
pub(super) fn by_hotel(errors: &mut FieldErrors, message: &proto::CancelReservationRequest) -> Option<ByHotel> {
    let why = message.by_hotel.as_ref()?;
    errors.holds(message.waive.is_none(), "waive", "must not be set with by_hotel");
    let reason = errors.value(Text::line(&why.reason, 1..=200).map_err(|error| error.at("by_hotel.reason")));
    let other = Some(&why.relocated_to).filter(|id| !id.is_empty()).map(|id| id.parse::<ReservationId>());
    let invalid = |_| FieldError::new("by_hotel.relocated_to", "must be the id of a reservation");
    let relocated_to = errors.value(other.transpose().map_err(invalid));
    Some(ByHotel { reason: reason?.into_string(), relocated_to: relocated_to? })
}

/// Validates the guest that a reservation is made for. A guest whom staff book for need not have an e-mail address.
fn guest(errors: &mut FieldErrors, guest: Option<proto::Guest>, role: Role) -> Option<Guest> {
    let guest = errors.value(guest.ok_or_else(|| FieldError::new("primary_guest", "is required")))?;
    let name = Text::line(&guest.full_name, 1..=200).map_err(|error| error.at("primary_guest.full_name"));
    let name = errors.value(name);
    if guest.email.is_empty() && matches!(role, Role::Staff | Role::Admin) {
        return Some(Guest { full_name: name?.into_string(), email: String::new() });
    }
    let email = errors.value(Email::parse(&guest.email).map_err(|error| error.at("primary_guest.email")));
    Some(Guest { full_name: name?.into_string(), email: email?.as_written().to_owned() })
}

/// Parses who collects the money; the guest pays by default.
pub(super) fn payment_mode(mode: i32) -> Result<PaymentMode, FieldError> {
    match proto::PaymentMode::try_from(mode) {
        Ok(proto::PaymentMode::Unspecified | proto::PaymentMode::GuestPays) => Ok(PaymentMode::GuestPays),
        Ok(proto::PaymentMode::PartnerCollects) => Ok(PaymentMode::PartnerCollects),
        Err(_) => Err(FieldError::new("payment_mode", "is not a known value")),
    }
}

/// Parses a date that may be left out.
pub(super) fn date(errors: &mut FieldErrors, text: &str) -> Option<Date> {
    date_at(errors, "date", text)
}

/// As [`date`], of this field.
pub(super) fn date_at(errors: &mut FieldErrors, field: &str, text: &str) -> Option<Date> {
    if text.is_empty() {
        return None;
    }
    errors.value(parse_date(text).map_err(|error| FieldError::new(field, error.to_string())))
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

    fn read(occupancies: &[&str]) -> (Option<String>, Vec<String>) {
        let mut errors = FieldErrors::default();
        let occupancies: Vec<_> = occupancies.iter().map(ToString::to_string).collect();
        let parties = parties(&mut errors, &occupancies);
        let shown =
            parties.map(|parties| parties.as_slice().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        (shown, errors.into_iter().map(|error| error.field).collect())
    }

    #[test]
    fn occupancies_are_one_party_for_each_room_and_one_adult_by_default() {
        assert_eq!(read(&[]), (Some("1".to_owned()), vec![]));
        assert_eq!(read(&["2-9,4", "1", "2-0"]), (Some("2-9,4 1 2-0".to_owned()), vec![]));
        assert_eq!(read(&["1"; Parties::MAX]).1, [""; 0]);
    }

    #[test]
    fn every_wrong_occupancy_is_named() {
        assert_eq!(read(&["2", "two", "0", "2-18"]).1, ["occupancies[1]", "occupancies[2]", "occupancies[3]"]);
        assert_eq!(read(&["1"; Parties::MAX + 1]).1, ["occupancies"]);
        assert_eq!(read(&["5"; 41]).1, ["occupancies"], "205 guests");
    }

    #[test]
    fn source_is_the_address_that_the_edge_names() {
        let mut request = Request::new(());
        assert_eq!(source(&request), None, "a call from inside the mesh");
        request.metadata_mut().insert("x-staymesh-source", tonic::metadata::MetadataValue::from_static("192.0.2.7"));
        assert_eq!(source(&request).as_ref().map(Source::as_str), Some("192.0.2.7"));
    }
}
