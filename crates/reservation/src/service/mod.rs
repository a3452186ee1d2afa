//! The rules of offering and booking, against what other services say.

mod booking;
mod inventory;
mod neighbours;
mod offers;
mod unpaid;

use std::time::Duration;

use staymesh_store::outbox::Wake;

use crate::{
    error::ReservationError,
    model::NewReservation,
    offer_token::OfferSigner,
    store::{Applied, ChangeOrder, Created, Store},
};

pub(crate) use booking::{Order, list_scope};
pub(crate) use neighbours::{HotelClient, RateClient};
pub use neighbours::{Hotels, Rates, RoomTypeInfo};
pub(crate) use offers::Wish;
pub(crate) use unpaid::Unpaid;
pub use unpaid::UnpaidRooms;

/// The rules, with what they need.
pub struct Service {
    /// Bookings and inventory.
    pub store: Store,
    /// Makes bookings and changes them.
    pub bookings: Box<dyn Bookings>,
    /// The hotel service.
    pub hotels: Box<dyn Hotels>,
    /// The rate service.
    pub rates: Box<dyn Rates>,
    /// Signs and verifies offers.
    pub offers: OfferSigner,
    /// How long an unpaid booking holds its rooms.
    pub hold: Duration,
    /// How many rooms an account may hold unpaid.
    pub unpaid: UnpaidRooms,
    /// Rings the relay.
    pub wake: Wake,
}

/// Makes bookings and changes them: [`crate::Writer`], or what it is compared with.
#[tonic::async_trait]
pub trait Bookings: Send + Sync {
    /// Books, or tells why not. A repeat gets what became of the first.
    ///
    /// # Errors
    /// As [`Store::admit`] for this booking, and OVERLOADED when it is not even begun.
    async fn book(&self, order: NewReservation) -> Result<Created, ReservationError>;

    /// Changes a booking, or tells why not. A repeat changes nothing.
    ///
    /// # Errors
    /// As [`Store::apply`], and OVERLOADED when it is not even begun.
    async fn change(&self, order: ChangeOrder) -> Result<Applied, ReservationError>;
}
