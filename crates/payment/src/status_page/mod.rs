//! The page on which a guest sees where booking and payment stand.
//!
//! What is known is gathered here, [`moment`] says what it comes to, [`words`] what that means to a guest, and [`view`]
//! makes a page of it. Its address is a [`link`] that only we can make.

pub mod link;
pub mod moment;
mod view;
mod words;

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_domain::ReservationId;
use staymesh_psp::Psp;

pub use link::{LinkKey, StatusLinks};
pub use view::content_security_policy;

use crate::{error::PaymentError, hotels::Hotels, reservations::Reservations, service::Payments, store::payments};

/// Makes status pages.
pub struct StatusPages<R, P, H> {
    /// The payments, and the links to their pages.
    pub payments: Arc<Payments<R, P>>,
    /// What a stay is called.
    pub hotels: H,
}

impl<R: Reservations, P: Psp, H: Hotels> StatusPages<R, P, H> {
    /// The page of a booking, for whoever has its link.
    pub async fn show(&self, id: ReservationId, key: &str) -> Result<String, PaymentError> {
        if !self.payments.links.opens(id, key) {
            return Err(PaymentError::NotFound);
        }
        // That nobody answers has been logged; the page says it, too.
        let booking = self.payments.reservations.get(id).await.ok().flatten();
        // Looked at after the booking, which follows it: money that a booking was confirmed by is always seen.
        let payment = payments::leading(&self.payments.pool, id).await?.ok_or(PaymentError::NotFound)?;
        let place = match &booking {
            Some(booking) => self.hotels.place(id.hotel_id(), booking.room_type_id).await,
            None => None,
        };
        let now = Timestamp::now();
        let words = words::of(&moment::moment(&payment, booking.as_ref(), now), &payment, now);
        Ok(view::page(&words, &payment, booking.as_ref(), place.as_ref(), now).0)
    }
}
