//! Opening a payment page.

use jiff::{SignedDuration, Timestamp};
use staymesh_api::reservation::v1::{PaymentMode, ReservationStatus};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_mesh::Caller;

use super::Payments;
use crate::{
    error::PaymentError,
    model::{CheckoutStatus, NewPayment, Payment, Status},
    psp::{CheckoutOrder, Psp},
    reservations::{Booking, Reservations},
    store::payments,
};

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// The open payment of a reservation, with its page. The order is saved before the provider is called, and called
    /// with the same key each time, so that a crash or a lost answer is healed by the same request.
    pub async fn create(
        &self,
        caller: &Caller,
        reservation_id: ReservationId,
        return_url: String,
    ) -> Result<Payment, PaymentError> {
        let booking = self.reservations.get(reservation_id).await?;
        let booking = booking.filter(|b| b.owner == caller.subject).ok_or(PaymentError::ReservationNotFound)?;
        let now = Timestamp::now();
        let (amount, expire_time) = payable(&booking, now)?;
        let new = NewPayment {
            payment_id: PaymentId::new(),
            reservation_id,
            owner: booking.owner,
            amount,
            return_url,
            expire_time,
            check_at: now + SignedDuration::try_from(self.check_after).unwrap_or(SignedDuration::MAX),
        };
        let payment = payments::open(&self.pool, &new).await?;
        match payment.status {
            Status::Pending if payment.checkout_url.is_some() => Ok(payment),
            Status::Pending => self.open_page(payment).await,
            _ => Err(PaymentError::NotPayable("the payment of this reservation has been made or refused")),
        }
    }

    async fn open_page(&self, payment: Payment) -> Result<Payment, PaymentError> {
        let order = CheckoutOrder {
            payment_id: payment.payment_id,
            amount: payment.amount,
            description: format!("Reservation {}", payment.reservation_id),
            return_url: payment.return_url,
            expire_time: payment.expire_time,
        };
        let checkout = self.psp.create_checkout(order).await?;
        let saved = payments::save_checkout(&self.pool, payment.payment_id, &checkout.session, &checkout.url).await?;
        let saved = match (saved.status, checkout.status) {
            (Status::Pending, CheckoutStatus::Open) => return Ok(saved),
            // It ended at the provider since an earlier attempt.
            (Status::Pending, _) => self.learn(saved.payment_id, &checkout).await?,
            // It ended here while the provider was called: nobody has got the address of the page, and nobody shall.
            _ => {
                if let Err(error) = self.psp.expire_checkout(checkout.session).await {
                    tracing::warn!(payment_id = %saved.payment_id, error.cause = %error, "a page without guest stays open");
                }
                saved
            }
        };
        match saved.status {
            Status::Expired if saved.expire_time <= Timestamp::now() => Err(PaymentError::HoldExpired),
            _ => Err(PaymentError::NotPayable("the payment of this reservation has ended")),
        }
    }
}

/// What is to be paid, and until when, if the reservation waits for it.
fn payable(booking: &Booking, now: Timestamp) -> Result<(Money, Timestamp), PaymentError> {
    if booking.hold_expired {
        return Err(PaymentError::HoldExpired);
    }
    if booking.payment_mode == PaymentMode::PartnerCollects {
        return Err(PaymentError::NotPayable("the partner collects the money for this reservation"));
    }
    if booking.status != ReservationStatus::PendingPayment {
        return Err(PaymentError::NotPayable("the reservation does not wait for a payment"));
    }
    if booking.total.minor() <= 0 {
        return Err(PaymentError::NotPayable("there is nothing to be paid"));
    }
    // One that waits without an end is not one this service knows how to take money for.
    let expire_time = booking.hold_expire_time.ok_or(PaymentError::NotPayable("the reservation holds no rooms"))?;
    // The provider reckons in whole seconds.
    if expire_time.as_second() <= now.as_second() {
        return Err(PaymentError::HoldExpired);
    }
    Ok((booking.total, expire_time))
}
