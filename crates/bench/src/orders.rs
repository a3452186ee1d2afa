//! Orders, ready to be sent: signing their offers must not be part of what is measured.

use anyhow::{Context, Result};
use jiff::Timestamp;
use staymesh_api::reservation::v1::{CreateReservationRequest, Guest};
use staymesh_domain::{HotelId, ReservationId};
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
    let offer = Offer::new(id, owner, want.room_type_id, want.stay, 1, 2, quote(want), now);
    let request = CreateReservationRequest {
        reservation_id: id.to_string(),
        offer_token: signer.sign(&offer)?,
        primary_guest: Some(Guest { full_name: "A Guest".into(), email: "guest@bench.example".into() }),
        payment_mode: 0,
    };
    Ok(Order { id: id.as_uuid(), request, caller })
}

fn quote(want: Want) -> Quote {
    let nights =
        want.stay.nights().map(|date| Night { date: date.to_string(), minor: NIGHT_MINOR }).collect::<Vec<_>>();
    let subtotal_minor = NIGHT_MINOR * i64::from(NIGHTS);
    Quote {
        currency: "EUR".into(),
        nights,
        subtotal_minor,
        taxes: vec![TaxLine { name: "City tax".into(), minor: TAX_MINOR }],
        total_minor: subtotal_minor + TAX_MINOR,
        free_until_hours_before: 48,
        late_penalty_percent: 100,
    }
}
