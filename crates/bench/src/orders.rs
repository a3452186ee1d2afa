//! Orders, ready to be sent: signing their offers must not be part of what is measured.

use anyhow::{Context, Result};
use jiff::Timestamp;
use staymesh_api::reservation::v1::{CreateReservationRequest, Guest};
use staymesh_domain::{GuestCount, HotelId, Money, ReservationId, RoomCount, RoomTypeId};
use staymesh_reservation::{
    OfferKeys,
    offer_token::{Offer, OfferSigner},
    quote::{Night, Quote, TaxLine},
};
use uuid::Uuid;

use crate::{
    callers::Caller,
    world::{Load, NIGHTS, Want, World},
};

const NIGHT_MINOR: i64 = 12_900;
const TAX_MINOR: i64 = 2_709;

/// A request to book, and who sends it.
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) request: CreateReservationRequest,
    /// Its place among the callers.
    pub(crate) caller: usize,
}

/// Prepares so many orders, each as `PrepareReservation` would, on every core.
pub(crate) fn prepare(
    world: World,
    load: Load,
    count: usize,
    callers: &[Caller],
    keys: &OfferKeys,
) -> Result<Vec<Order>> {
    let workers = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let signer = OfferSigner::new(keys);
                    (worker..count)
                        .step_by(workers)
                        .map(|at| order(world.want(load)?, at % callers.len(), callers, &signer))
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        let mut orders = Vec::with_capacity(count);
        for share in shares {
            orders.extend(share.join().ok().context("a worker panicked")??);
        }
        Ok(orders)
    })
}

/// One order, as `PrepareReservation` would prepare it.
pub(crate) fn order(want: Want, caller: usize, callers: &[Caller], signer: &OfferSigner) -> Result<Order> {
    let now = Timestamp::now();
    let id = ReservationId::generate(HotelId::try_from(want.hotel_id)?, now);
    let owner = callers[caller].subject.clone();
    let room_type_id = RoomTypeId::try_from(want.room_type_id)?;
    let guests = GuestCount::try_from(2)?;
    let offer = Offer::new(id, owner, room_type_id, want.stay, RoomCount::ONE, guests, quote(want)?, now);
    let request = CreateReservationRequest {
        reservation_id: id.to_string(),
        offer_token: signer.sign(&offer)?,
        primary_guest: Some(Guest { full_name: "A Guest".into(), email: "guest@bench.example".into() }),
        payment_mode: 0,
    };
    Ok(Order { id: id.as_uuid(), request, caller })
}

fn quote(want: Want) -> Result<Quote> {
    let euro = "EUR".parse()?;
    let price = Money::from_minor(NIGHT_MINOR, euro)?;
    let subtotal = Money::from_minor(NIGHT_MINOR * i64::from(NIGHTS), euro)?;
    let tax = Money::from_minor(TAX_MINOR, euro)?;
    Ok(Quote {
        nights: want.stay.nights().map(|date| Night { date, price }).collect(),
        subtotal,
        taxes: vec![TaxLine { name: "City tax".into(), amount: tax }],
        total: subtotal.checked_add(tax)?,
        free_until_hours_before: 48,
        late_penalty_percent: 100,
    })
}
