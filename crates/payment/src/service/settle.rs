//! What becomes of the payment when its reservation has ended.

use staymesh_domain::{Money, ReservationId};
use staymesh_psp::{CheckoutStatus, Psp};

use super::{Payments, apply, refund};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, RefundReason, Status},
    reservations::Reservations,
    store::payments,
};

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// Closes the page of a payment that nobody has made, and pays back from one that was made: what the policy gives,
    /// but never more than is left. When that is nothing the payment stays as it is, and the reservation service hears
    /// of what went back before. None when there never was a payment, as for a partner who collects.
    ///
    /// Money that comes on the page all the same, in the moment before it closes, is told to the reservation service
    /// as any other; that asks for it to go back.
    pub async fn settle_cancellation(
        &self,
        reservation_id: ReservationId,
        refund: Money,
    ) -> Result<Option<Payment>, PaymentError> {
        let mut settled = None;
        for payment in payments::of_reservation(&self.pool, reservation_id).await? {
            let minor = refund::minor_of(refund, &payment, "refund")?;
            let payment = if payment.status == Status::Pending { self.close(payment).await? } else { payment };
            settled = Some(if payment.status.has_money() { self.pay_back(&payment, minor).await? } else { payment });
        }
        Ok(settled)
    }

    /// Ends an open payment at the provider first, for only the provider knows whether it has been paid by now.
    async fn close(&self, payment: Payment) -> Result<Payment, PaymentError> {
        if let Some(session) = payment.psp_session.clone() {
            fault_points::PAGE_CLOSED.before();
            let checkout = self.psp.expire_checkout(session).await?;
            fault_points::PAGE_CLOSED.after();
            return self.learn(payment.payment_id, &checkout).await;
        }
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, payment.payment_id).await?.ok_or(PaymentError::NotFound)?;
        if locked.psp_session.is_some() {
            // It has got its page since: the caller's repeat closes that.
            return Err(PaymentError::PspUnavailable);
        }
        // Nobody has the address of a page, if there is one at all.
        apply(&mut transaction, &locked, CheckoutStatus::Expired).await?;
        let closed = payments::find(&mut *transaction, payment.payment_id).await?.ok_or(PaymentError::NotFound)?;
        transaction.commit().await?;
        Ok(closed)
    }

    async fn pay_back(&self, payment: &Payment, minor: i64) -> Result<Payment, PaymentError> {
        let id = payment.payment_id;
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, id).await?.ok_or(PaymentError::NotFound)?;
        let made = crate::store::refunds::find_by_request(&mut transaction, RefundReason::Cancellation, id.as_uuid());
        let amount = minor.min(locked.left_minor());
        if made.await?.is_none() && amount > 0 {
            // One cancellation for each payment, so its id makes the request.
            refund::request(&mut transaction, &locked, RefundReason::Cancellation, id.as_uuid(), Some(amount)).await?;
        }
        let payment = refund::reservation_ended(&mut transaction, id).await?;
        fault_points::REFUND_REQUESTED.before();
        transaction.commit().await?;
        fault_points::REFUND_REQUESTED.after();
        self.wake.wake();
        Ok(payment)
    }
}
