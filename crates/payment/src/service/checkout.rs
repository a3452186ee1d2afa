//! Applying the provider's report of a checkout to its payment: the same transaction changes the status, posts to the
//! ledger and enqueues the notification of the reservation service.

use sqlx::PgConnection;
use staymesh_domain::PaymentId;
use staymesh_ledger as ledger;
use staymesh_psp::{Checkout, CheckoutStatus, Psp};

use super::{Payments, events};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, Status},
    store::{payment_notes, payments},
};

impl<P: Psp> Payments<P> {
    /// Applies a checkout that was read from the provider, and returns the payment. A duplicate changes nothing. A
    /// checkout that was paid with another amount changes nothing and is logged as an error.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`] if there is no such payment; [`PaymentError::Store`] if the database fails.
    pub(crate) async fn apply_checkout(&self, id: PaymentId, checkout: &Checkout) -> Result<Payment, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let payment = payments::lock(&mut transaction, id).await?.ok_or(PaymentError::NotFound)?;
        if checkout.status == CheckoutStatus::Paid && checkout.amount != payment.amount {
            tracing::error!(payment_id = %id, "the provider took another amount than ordered; the payment is not changed");
            return Ok(payment);
        }
        if !apply(&mut transaction, &payment, checkout.status).await? {
            return Ok(payment);
        }
        let payment = payments::find(&mut *transaction, id).await?.ok_or(PaymentError::NotFound)?;
        fault_points::STATUS_LEARNED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(payment)
    }
}

/// Applies the provider's report to a payment that is locked; `false` if it is a duplicate or older than the payment's
/// status.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    payment: &Payment,
    report: CheckoutStatus,
) -> Result<bool, PaymentError> {
    let id = payment.payment_id;
    if report == CheckoutStatus::InReview && payment.status == Status::Pending {
        return Ok(payment_notes::note_review(connection, id).await?);
    }
    let Some(next) = payment.status.after_checkout(report) else {
        return Ok(false);
    };
    payments::set_status(connection, id, next).await?;
    if next == Status::Paid {
        let sold = payment.sold();
        ledger::post_all(connection, &[sold.sale(id), sold.charge(id)]).await?;
    }
    // An expired payment is not reported: the reservation's hold expires by itself.
    let kind = match next {
        Status::Paid => Some(events::PAID),
        Status::Failed => Some(events::FAILED),
        _ => None,
    };
    if let Some(kind) = kind {
        events::enqueue(connection, id, kind, &events::Empty {}).await?;
    }
    tracing::info!(payment_id = %id, from = payment.status.as_str(), to = next.as_str(), "payment status changed");
    Ok(true)
}
