//! The hotel cancels a reservation, because it has no room for the guests.

use jiff::Timestamp;
use staymesh_domain::{FieldError, Money, ReservationId};
use staymesh_mesh::Caller;

use super::BookingService;
use crate::{
    error::ReservationError,
    lifecycle::{ByHotel, Command},
    model::{Reservation, Status},
};

impl BookingService {
    /// Cancels a reservation of the caller's hotel and keeps nothing of it, until the business day of the check-out date ends.
    /// Idempotent; a repeat is compared with the whole of `why`.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::CheckedIn`], [`ReservationError::CancelTermsChanged`] if another refund
    /// is expected, a violation of `by_hotel.relocated_to` if that is at the same hotel, and
    /// [`ReservationError::IllegalTransition`] if it is too late or the reservation ended otherwise.
    pub(crate) async fn cancel_by_hotel(
        &self,
        caller: &Caller,
        id: ReservationId,
        why: ByHotel,
        expected_refund: Option<Money>,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        let booking = self.get(caller, id).await?;
        if why.relocated_to.is_some_and(|other| other.hotel_id() == id.hotel_id()) {
            return Err(FieldError::new("by_hotel.relocated_to", "must be at another hotel").into());
        }
        let illegal = |from| ReservationError::IllegalTransition { from, to: Status::Cancelled };
        if booking.status == Status::Paid && self.hotel_today(id.hotel_id(), now).await? > booking.stay.check_out() {
            return Err(illegal(booking.status));
        }
        let command = Command::CancelByHotel(why.clone(), expected_refund);
        let applied = self.change(id, command, now).await?;
        if applied.wake {
            tracing::info!(reservation_id = %id, by = caller.subject, "cancelled by the hotel");
        } else if self.store.cancelled_by_hotel(id).await?.as_ref() != Some(&why) {
            return Err(illegal(applied.reservation.status));
        }
        Ok(applied.reservation)
    }
}
