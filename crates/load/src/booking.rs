//! Booking requests that are ready to be sent: their offers are signed beforehand, as `PrepareReservation` would sign
//! them, so that signing is no part of a measurement.

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use staymesh_api::{
    rate::v1::{NightPrice, StayPrice, TaxAmount},
    reservation::v1::{CreateReservationRequest, Guest},
};
use staymesh_domain::{
    Anchor, CancellationPolicy, CancellationTerms, HotelId, HotelTime, Money, MoneyError, Party, Penalty,
    ReservationId, RoomCount, RoomTypeId, Stay, StayDates, Tier, Until,
};
use staymesh_mesh::{cancellation_types::cancellation_terms, proto_types};
use staymesh_reservation::{
    RoomLine, RoomStatus,
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
/// Cancellation is free until this many hours before the day of arrival; later, the whole price is kept.
const FREE_UNTIL_HOURS_BEFORE: i32 = 48;

/// A room type and the dates to book it for. Two guests a room.
#[derive(Clone, Copy, Debug)]
pub struct StayRequest {
    /// The hotel.
    pub hotel_id: i32,
    /// The room type.
    pub room_type_id: i32,
    /// Check-in and check-out.
    pub stay: StayDates,
    /// Rooms of one booking, 1 to 50.
    pub rooms: usize,
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
    let quote = quote(stay_request.stay)?;
    let line = RoomLine { room_type_id, stay: stay_request.stay, party, quote, status: RoomStatus::Live };
    let offer = Offer::new(id, owner, vec![line; stay_request.rooms], now);
    let message = CreateReservationRequest {
        reservation_id: id.to_string(),
        offer_token: signer.sign(&offer)?,
        primary_guest: Some(Guest { full_name: "A Guest".into(), email: "guest@bench.example".into() }),
        ..CreateReservationRequest::default()
    };
    Ok(BookingRequest { id: id.as_uuid(), message, caller })
}

/// The price of a stay as the API returns it.
///
/// # Errors
/// When the constants are no valid amounts, which they are, or the dates are at the end of the calendar.
pub fn price(room_type_id: i32, stay: StayDates) -> Result<StayPrice> {
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
        cancellation_terms: Some(cancellation_terms(&terms(stay)?)),
    })
}

fn quote(stay: StayDates) -> Result<Quote> {
    let price = euros(NIGHT_MINOR)?;
    let nights = stay.nights().map(|date| Night { date, price }).collect();
    let taxes = vec![TaxLine { name: TAX_NAME.into(), amount: euros(TAX_MINOR)? }];
    Ok(Quote::new(nights, euros(SUBTOTAL_MINOR)?, taxes, euros(TOTAL_MINOR)?, terms(stay)?))
}

/// The terms of a stay at a hotel in Greenwich, offered long before.
fn terms(stay: StayDates) -> Result<CancellationTerms> {
    let free = Until::HoursBefore { hours: FREE_UNTIL_HOURS_BEFORE, anchor: Anchor::StartOfDay };
    let policy = CancellationPolicy::of_tiers(vec![
        Tier { until: free, penalty: Penalty::None },
        Tier { until: Until::Always, penalty: Penalty::Full },
    ]);
    let time = HotelTime::new("Etc/UTC", HotelTime::DEFAULT_CHECK_IN_TIME, HotelTime::DEFAULT_DAY_ROLLOVER)?;
    let (total, zero) = (euros(TOTAL_MINOR)?, euros(0)?);
    let of = Stay { dates: stay, time: &time, rooms: RoomCount::ONE, nights: &[total], zero };
    Ok(policy.resolve(&of, Timestamp::UNIX_EPOCH)?)
}

fn euros(minor: i64) -> Result<Money, MoneyError> {
    Money::from_minor(minor, CURRENCY.parse()?)
}
