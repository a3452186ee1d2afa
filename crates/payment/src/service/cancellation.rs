//! Settling the payment of a reservation that has ended: closes its checkout page and refunds what the policy grants.

use staymesh_domain::ReservationId;
use staymesh_psp::{CheckoutStatus, Psp};

use super::{Payments, checkout, refunds};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, RefundReason, Settlement, Status},
    store::{payments, refunds as refund_rows},
};

impl<P: Psp> Payments<P> {
    /// Closes the checkout page of an unpaid payment. Of a paid one, refunds what is left of the settlement's refund: it
    /// is what the guest gets back in all, so earlier refunds count toward it, except goodwill. Idempotent by payment.
    /// `None` if the reservation never had a payment, for example because a partner collects.
    ///
    /// If nothing is refunded, the payment stays as it is, and earlier refunds are reported to the reservation service.
    /// If a guest pays in the moment before the page closes, the reservation service is notified as of any payment, and
    /// answers that it must be refunded.
    ///
    /// # Errors
    /// [`PaymentError::Field`] if the refund is in another currency; [`PaymentError::PspUnavailable`] if the provider does
    /// not answer or the page is being opened, retry; [`PaymentError::Store`] if the database fails.
    pub async fn settle_cancellation(
        &self,
        reservation_id: ReservationId,
        settlement: Settlement,
    ) -> Result<Option<Payment>, PaymentError> {
        let mut settled = None;
        for payment in payments::of_reservation(&self.pool, reservation_id).await? {
            refunds::require_currency(settlement.refund, &payment, "refund")?;
            let payment = if payment.status == Status::Pending { self.close(payment).await? } else { payment };
            let paid = payment.status.has_money();
            settled = Some(if paid { self.refund_cancelled(&payment, settlement).await? } else { payment });
        }
        Ok(settled)
    }

    /// Ends a pending payment, at the provider first: only the provider knows whether it has been paid.
    async fn close(&self, payment: Payment) -> Result<Payment, PaymentError> {
        if let Some(session) = payment.psp_session.clone() {
            let checkout = fault_points::PAGE_CLOSED.around(self.psp.expire_checkout(session)).await?;
            return self.apply_checkout(payment.payment_id, &checkout).await;
        }
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, payment.payment_id).await?.ok_or(PaymentError::NotFound)?;
        if locked.psp_session.is_some() {
            // The page was opened concurrently; the caller's retry closes it.
            return Err(PaymentError::PspUnavailable);
        }
        // If the provider opened a page, its URL was never returned.
        checkout::apply(&mut transaction, &locked, CheckoutStatus::Expired).await?;
        let closed = payments::find(&mut *transaction, payment.payment_id).await?.ok_or(PaymentError::NotFound)?;
        transaction.commit().await?;
        Ok(closed)
    }

    async fn refund_cancelled(&self, payment: &Payment, settlement: Settlement) -> Result<Payment, PaymentError> {
        let id = payment.payment_id;
        let mut transaction = self.pool.begin().await?;
        let locked = payments::lock(&mut transaction, id).await?.ok_or(PaymentError::NotFound)?;
        let given = refunds::given(&mut transaction, &locked).await?;
        let made = refund_rows::find_by_request(&mut transaction, RefundReason::Cancellation, id.as_uuid()).await?;
        let settled = locked.settle(settlement, given, made.is_some())?;
        if let Some(due) = settled.refund_due {
            payments::note_refund_due(&mut transaction, id, due).await?;
        }
        if let Some(request) = settled.refund {
            refunds::request(&mut transaction, &locked, &request).await?;
        }
        let payment = refunds::reservation_ended(&mut transaction, id).await?;
        fault_points::REFUND_REQUESTED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(payment)
    }
}
