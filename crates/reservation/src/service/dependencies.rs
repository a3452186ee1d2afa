//! The reservation rules as a value: what they are made of. Their methods are in the other files of this folder.

use std::{sync::Arc, time::Duration};

use staymesh_store::outbox::Wake;
use tokio::sync::Semaphore;

use super::unpaid::UnpaidLimits;
use crate::{
    LongHolds,
    clients::{HotelClient, PaymentClient, RateClient},
    offer_token::OfferSigner,
    store::Store,
    writer::Writer,
};

/// Pick-ups of group blocks that are written at once: each may wait for the lock of its block with a connection of the pool
/// that reads share.
const CONCURRENT_PICK_UPS: usize = 4;

/// The reservation rules.
pub struct BookingService {
    pub(super) store: Store,
    pub(super) writer: Writer,
    pub(super) hotels: Box<dyn HotelClient>,
    pub(super) rates: Box<dyn RateClient>,
    pub(super) payments: Arc<dyn PaymentClient>,
    pub(super) offers: OfferSigner,
    pub(super) hold: Duration,
    pub(super) unpaid: UnpaidLimits,
    pub(super) long_holds: LongHolds,
    pub(super) wake: Wake,
    pub(super) pick_ups: Semaphore,
}

/// What [`BookingService`] is made of.
pub struct Dependencies {
    /// Reservations and inventory, for reads.
    pub store: Store,
    /// The booking writer, for everything that is written.
    pub writer: Writer,
    /// The hotel service.
    pub hotels: Box<dyn HotelClient>,
    /// The rate service.
    pub rates: Box<dyn RateClient>,
    /// The payment service, which decides the sales of partners who collect.
    pub payments: Arc<dyn PaymentClient>,
    /// Signs and verifies offer tokens.
    pub offers: OfferSigner,
    /// How long an unpaid reservation holds its rooms.
    pub hold: Duration,
    /// The limits of unpaid holds.
    pub unpaid: UnpaidLimits,
    /// The partners that may hold rooms for longer.
    pub long_holds: LongHolds,
    /// Wakes the outbox relay.
    pub wake: Wake,
}

impl BookingService {
    /// The rules over these dependencies.
    pub fn new(dependencies: Dependencies) -> Self {
        let Dependencies { store, writer, hotels, rates, payments, offers, hold, unpaid, long_holds, wake } =
            dependencies;
        let pick_ups = Semaphore::new(CONCURRENT_PICK_UPS);
        Self { store, writer, hotels, rates, payments, offers, hold, unpaid, long_holds, wake, pick_ups }
    }
}
