//! Opening a payment page.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use staymesh_api::reservation::v1::{CancellationReason, PaymentMode, ReservationStatus};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_ledger::Split;
use staymesh_mesh::{Caller, Problem};
use staymesh_psp::{CheckoutOrder, CheckoutStatus, Psp, PspError};

use super::{Payments, apply};
use crate::{
    error::PaymentError,
    fault_points,
    model::{NewPayment, Payment, Status},
    reservations::{Booking, Reservations},
    store::{payment_events, payments},
};

/// A page that is open for less than this is no use to anybody.
const SHORTEST_PAGE: Duration = Duration::from_secs(10);

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// The open payment of a reservation, with its page. What is to be paid is saved first, then the order, then the
    /// provider is called, with the same key each time: so a crash or a lost answer is healed by the same request. A guest
    /// who is to be sent nowhere afterwards is sent to the status page.
    pub async fn create(
        &self,
        caller: &Caller,
        reservation_id: ReservationId,
        return_url: String,
    ) -> Result<Payment, PaymentError> {
        let booking = self.reservations.get(reservation_id).await?;
        let booking = booking.filter(|b| b.owner == caller.subject).ok_or(PaymentError::ReservationNotFound)?;
        let now = Timestamp::now();
        let (amount, expire_time) = payable(&booking, now, self.page_margin)?;
        // What does not add up is no price to pay.
        let split = Split::with_commission(amount, booking.taxes, self.commission_basis_points)
            .ok_or_else(|| Problem::internal(&"the taxes of the reservation are more than its price"))?;
        let new = NewPayment {
            payment_id: PaymentId::new(),
            reservation_id,
            owner: booking.owner,
            amount,
            split,
            check_out: booking.check_out,
            return_url: if return_url.is_empty() { self.links.after_payment(reservation_id) } else { return_url },
            expire_time,
            check_at: now + SignedDuration::try_from(self.check_after).unwrap_or(SignedDuration::MAX),
        };
        fault_points::TERMS_SAVED.before();
        payment_events::save(&self.pool, &new).await?;
        fault_points::TERMS_SAVED.after();
        fault_points::ORDER_SAVED.before();
        let payment = payments::open(&self.pool, &new).await?;
        fault_points::ORDER_SAVED.after();
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
        let checkout = match fault_points::PAGE_OPENED.around(self.psp.create_checkout(order)).await {
            Err(PspError::ReturnUrl) => {
                self.close_refused(payment.payment_id).await?;
                return Err(PspError::ReturnUrl.into());
            }
            checkout => checkout?,
        };
        fault_points::PAGE_SAVED.before();
        let saved = payments::save_checkout(&self.pool, payment.payment_id, &checkout.session, &checkout.url).await?;
        fault_points::PAGE_SAVED.after();
        let saved = match (saved.status, checkout.status) {
            (Status::Pending, CheckoutStatus::Open) => return Ok(saved),
            (Status::Pending, CheckoutStatus::InReview) => return self.learn(saved.payment_id, &checkout).await,
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

    /// Closes a payment whose return URL the provider refused. The return URL of a payment never changes, so this one
    /// could never be paid; the next request opens another.
    async fn close_refused(&self, id: PaymentId) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        if let Some(payment) = payments::lock(&mut transaction, id).await?.filter(|open| open.psp_session.is_none()) {
            apply(&mut transaction, &payment, CheckoutStatus::Expired).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// What is to be paid, and until when, if the reservation waits for it.
fn payable(booking: &Booking, now: Timestamp, margin: Duration) -> Result<(Money, Timestamp), PaymentError> {
    if booking.cancellation == CancellationReason::HoldExpired {
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
    let hold_end = booking.hold_expire_time.ok_or(PaymentError::NotPayable("the reservation holds no rooms"))?;
    let expire_time = page_end(booking.create_time, hold_end, now, margin).ok_or(PaymentError::HoldExpired)?;
    Ok((booking.total, expire_time))
}

/// When a page that opens now closes: so long before the end of the hold that the word of a payment at the last moment
/// comes while the rooms are held. None when nobody could pay on it in time. Of a short hold no step takes more than a
/// tenth.
fn page_end(hold_start: Timestamp, hold_end: Timestamp, now: Timestamp, margin: Duration) -> Option<Timestamp> {
    let tenth = Duration::try_from(hold_end.duration_since(hold_start)).unwrap_or_default() / 10;
    let end = hold_end.checked_sub(margin.min(tenth)).ok()?;
    let soonest = now.checked_add(SHORTEST_PAGE.min(tenth)).ok()?;
    // The provider reckons in whole seconds.
    (end.as_second() > soonest.as_second()).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn closes(hold: i64, passed: i64, margin: u64) -> Option<i64> {
        let start = NOW - SignedDuration::from_secs(passed);
        let end = page_end(start, start + SignedDuration::from_secs(hold), NOW, Duration::from_secs(margin));
        end.map(|end| end.duration_since(start).as_secs())
    }

    #[test]
    fn a_page_closes_before_the_hold_ends_and_none_opens_at_the_last_moment() {
        assert_eq!(closes(900, 0, 60), Some(840));
        assert_eq!(closes(900, 829, 60), Some(840));
        assert_eq!(closes(900, 830, 60), None);
        assert_eq!(closes(900, 0, 0), Some(900));
        assert_eq!(closes(900, 890, 0), None);
        // Short holds, as tests have them, stay payable.
        assert_eq!(closes(10, 0, 60), Some(9));
        assert_eq!(closes(10, 7, 60), Some(9));
        assert_eq!(closes(10, 8, 60), None);
        assert_eq!(closes(2, 0, 60), Some(1));
        assert_eq!(closes(900, 900, 60), None);
    }

    proptest! {
        #[test]
        fn whatever_the_times_a_page_closes_after_now_and_within_the_hold(
            [start, end, now] in prop::array::uniform3(Timestamp::MIN.as_second()..=Timestamp::MAX.as_second()),
            margin in any::<Duration>(),
        ) {
            let [start, end, now] = [start, end, now].map(|second| Timestamp::from_second(second).unwrap());
            if let Some(page) = page_end(start, end, now, margin) {
                prop_assert!(now < page && page <= end);
            }
        }
    }
}
