//! Booking requests that are ready to be sent: their offers are signed beforehand, as `PrepareReservation` would sign
//! them, so that signing is no part of a measurement.

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use staymesh_api::{
    rate::v1::{CancellationPolicy, NightPrice, StayPrice, TaxAmount},
    reservation::v1::{CreateReservationRequest, Guest},
};
use staymesh_domain::{HotelId, Money, MoneyError, Party, ReservationId, RoomTypeId, StayDates};
use staymesh_mesh::proto_types;
use staymesh_reservation::{
    RoomLine,
    offer_token::{Offer, OfferSigner},
    quote::{Night, Quote, TaxLine},
};
use uuid::Uuid;

use crate::Caller;

/// Guests of every booking.
const GUESTS: i32 = 2;
/// Nights of every stay.
pub const NIGHTS: i32 = 3;
/// Currency of every price, ISO 4217.
pub const CURRENCY: &str = "EUR";
/// Price of a stay with taxes, in minor units (cents).
pub const TOTAL_MINOR: i64 = SUBTOTAL_MINOR + TAX_MINOR;
/// Price of a stay without taxes, in minor units (cents).
const SUBTOTAL_MINOR: i64 = 3 * NIGHT_MINOR;
const _: () = assert!(NIGHTS == 3, "the subtotal is that of as many nights");
/// Price of a night, in minor units (cents).
const NIGHT_MINOR: i64 = 12_900;
/// Taxes of a stay, in minor units (cents).
const TAX_MINOR: i64 = 2_709;
/// Name of the tax.
const TAX_NAME: &str = "City tax";
/// Cancellation is free until this many hours before check-in.
const FREE_UNTIL_HOURS_BEFORE: i32 = 48;
/// Penalty of a later cancellation, in per cent of the total.
const LATE_PENALTY_PERCENT: i32 = 100;

/// A room type and the dates to book it for. One room, two guests.
#[derive(Clone, Copy, Debug)]
pub struct StayRequest {
    /// The hotel.
    pub hotel_id: i32,
    /// The room type.
    pub room_type_id: i32,
    /// Check-in and check-out.
    pub stay: StayDates,
}

/// A booking request and the caller it was signed for.
#[derive(Clone, Debug)]
pub struct BookingRequest {
    /// The id that the reservation will have.
    pub id: Uuid,
    /// The message.
    pub message: CreateReservationRequest,
    /// Index of the caller.
    pub caller: usize,
}

/// Prepares a booking of `stay_request` for the caller with index `caller`.
///
/// # Errors
/// When an id is out of range or the offer cannot be signed.
pub fn prepare(
    stay_request: StayRequest,
    caller: usize,
    callers: &[Caller],
    signer: &OfferSigner,
) -> Result<BookingRequest> {
    let now = Timestamp::now();
    let id = ReservationId::generate(HotelId::try_from(stay_request.hotel_id)?, now);
    let owner = callers[caller].subject.clone();
    let room_type_id = RoomTypeId::try_from(stay_request.room_type_id)?;
    let party = Party::new(GUESTS, Vec::new()).map_err(|_| anyhow!("the guests are no party"))?;
    let line = RoomLine { room_type_id, stay: stay_request.stay, party, quote: quote(stay_request.stay)? };
    let offer = Offer::new(id, owner, vec![line], now);
    let message = CreateReservationRequest {
        reservation_id: id.to_string(),
        offer_token: signer.sign(&offer)?,
        primary_guest: Some(Guest { full_name: "A Guest".into(), email: "guest@bench.example".into() }),
        payment_mode: 0,
    };
    Ok(BookingRequest { id: id.as_uuid(), message, caller })
}

/// The price of a stay as the API returns it.
///
/// # Errors
/// When the constants are no valid amounts, which they are.
pub fn price(room_type_id: i32, stay: StayDates) -> Result<StayPrice, MoneyError> {
    let money = |minor| euros(minor).map(|amount| Some(proto_types::money(amount)));
    Ok(StayPrice {
        room_type_id,
        nights: stay
            .nights()
            .map(|date| Ok(NightPrice { stay_date: date.to_string(), price: money(NIGHT_MINOR)? }))
            .collect::<Result<_, MoneyError>>()?,
        subtotal: money(SUBTOTAL_MINOR)?,
        taxes: vec![TaxAmount { display_name: TAX_NAME.into(), amount: money(TAX_MINOR)? }],
        total: money(TOTAL_MINOR)?,
        cancellation_policy: Some(CancellationPolicy {
            free_until_hours_before: Some(FREE_UNTIL_HOURS_BEFORE),
            late_penalty_percent: Some(LATE_PENALTY_PERCENT),
        }),
    })
}

fn quote(stay: StayDates) -> Result<Quote, MoneyError> {
    let price = euros(NIGHT_MINOR)?;
    Ok(Quote {
        nights: stay.nights().map(|date| Night { date, price }).collect(),
        subtotal: euros(SUBTOTAL_MINOR)?,
        taxes: vec![TaxLine { name: TAX_NAME.into(), amount: euros(TAX_MINOR)? }],
        total: euros(TOTAL_MINOR)?,
        free_until_hours_before: FREE_UNTIL_HOURS_BEFORE,
        late_penalty_percent: LATE_PENALTY_PERCENT,
    })
}

fn euros(minor: i64) -> Result<Money, MoneyError> {
    Money::from_minor(minor, CURRENCY.parse()?)
}
