//! The rules of offering and booking, against what other services say.

mod booking;
mod inventory;
mod neighbours;
mod offers;

use std::time::Duration;

use staymesh_store::outbox::Wake;

use crate::{offer_token::OfferSigner, store::Store, writer::Writer};

pub(crate) use booking::{Order, list_scope};
pub(crate) use neighbours::{HotelClient, Hotels, RateClient, Rates, RoomTypeInfo};
pub(crate) use offers::Wish;

/// The rules, with what they need.
pub(crate) struct Service {
    pub(crate) store: Store,
    /// Takes new bookings.
    pub(crate) writer: Writer,
    pub(crate) hotels: Box<dyn Hotels>,
    pub(crate) rates: Box<dyn Rates>,
    pub(crate) offers: OfferSigner,
    /// How long an unpaid booking holds its rooms.
    pub(crate) hold: Duration,
    /// Rings the relay.
    pub(crate) wake: Wake,
}
