//! Payments that arrive when check-in can no longer happen at the hotel, for example after a review that outlasted the
//! hold: they are refunded in full, whatever the status of the reservation says.

use jiff::Timestamp;
use staymesh_domain::{HotelTime, Money, PaymentId, ReservationId};
use staymesh_mesh::Reason;

use super::BookingService;
use crate::{error::ReservationError, lifecycle::Command, model::Reservation, writer::Applied};

impl BookingService {
    /// Applies the payment of a reservation. Idempotent by payment. Once check-in can no longer happen at the hotel, the
    /// payment is not accepted and must be refunded.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::AmountMismatch`], and when the database fails, or the hotel
    /// service does while its time zone decides.
    pub(crate) async fn confirm_payment(
        &self,
        id: ReservationId,
        payment_id: PaymentId,
        amount: Money,
        now: Timestamp,
    ) -> Result<Applied, ReservationError> {
        let booking = self.store.get(id).await?.ok_or(ReservationError::NotFound)?;
        let command = if self.is_too_late_to_check_in(&booking, now).await? {
            tracing::info!(reservation_id = %id, %payment_id, "payment after the end of check-in");
            Command::RefusePayment { payment_id, amount }
        } else {
            Command::ConfirmPayment { payment_id, amount }
        };
        self.on_payment(id, command, now).await
    }

    /// Whether check-in can no longer happen at the hotel: the business day of the check-in date has ended there. The hotel's
    /// calendar is read only if it decides.
    async fn is_too_late_to_check_in(&self, booking: &Reservation, now: Timestamp) -> Result<bool, ReservationError> {
        let check_in = booking.stay.check_in();
        let (first, last) = HotelTime::day_ends_anywhere(check_in)?;
        if now < first || now >= last {
            return Ok(now >= last);
        }
        match self.hotels.hotel_time(booking.id.hotel_id()).await {
            Ok(time) => Ok(now >= time.day_ends(check_in)?),
            // A hotel that was deleted takes no guests.
            Err(problem) if problem.reason() == Reason::HotelNotFound => Ok(true),
            Err(problem) => Err(problem.into()),
        }
    }
}

#[cfg(test)]
mod tests;
