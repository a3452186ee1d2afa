//! The status page: an HTML page on which a guest reads the state of booking and payment.
//!
//! [`StatusPages::render`] reads the payments, the reservation and the display names; [`stage`] reduces them to one value, [`change`] the latest
//! change,
//! `texts` turns it into the guest's language, and `view` into HTML. Links to the page are made and verified by
//! [`StatusLinks`](crate::status_links::StatusLinks).

pub mod change;
pub mod stage;
mod texts;
mod view;

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_domain::{Language, ReservationId};
use staymesh_psp::Psp;

use self::{texts::Words, view::View};
pub use view::content_security_policy;

use crate::{clients::hotels::HotelClient, error::PaymentError, service::Payments, store::payments};

/// Renders status pages.
pub struct StatusPages<P> {
    /// Payments, the reservation service and the links.
    pub payments: Arc<Payments<P>>,
    /// Source of the display names.
    pub hotels: Arc<dyn HotelClient>,
}

impl<P: Psp> StatusPages<P> {
    /// The HTML of a reservation's status page, with times in the zone of the hotel.
    ///
    /// If the reservation service does not answer, the page shows the payment alone.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`] if `key` does not match the reservation or it has no payment; [`PaymentError::Store`]
    /// if the database fails.
    pub async fn render(&self, id: ReservationId, key: &str, language: Language) -> Result<String, PaymentError> {
        if !self.payments.links.verify(id, key) {
            return Err(PaymentError::NotFound);
        }
        // The client logs its failures.
        let booking = self.payments.reservations.get(id).await.ok().flatten();
        // Read after the reservation: a reservation that is paid then always comes with its paid payment.
        let payment = payments::leading(&self.payments.pool, id).await?.ok_or(PaymentError::NotFound)?;
        let all = payments::of_reservation(&self.payments.pool, id).await?;
        let names = match &booking {
            Some(booking) => {
                let types = booking.rooms.iter().map(|(room_type, _)| *room_type).collect();
                self.hotels.stay_names(id.hotel_id(), types).await
            }
            None => None,
        };
        let now = Timestamp::now();
        let change = change::change_stage(&all, booking.as_ref(), now);
        let payment = change::with_changes(payment, &all)?;
        let stage = stage::stage(&payment, booking.as_ref(), now)?;
        let words = &Words::new(language, names.as_ref().and_then(|names| names.time_zone.clone()));
        let text = &texts::text_of(&stage, &payment, change, words, now);
        let change = change.map(|(payment, _)| payment);
        let (payment, booking, names) = (&payment, booking.as_ref(), names.as_ref());
        Ok(View { text, payment, change, booking, names, words, key, now }.page().0)
    }
}
