//! Paying back.

use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, PaymentId};
use staymesh_ledger::{self as ledger, postings};
use staymesh_mesh::{Problem, telemetry};
use staymesh_psp::Psp;
use staymesh_store::{ResultExt, outbox};
use uuid::Uuid;

use super::{Payments, RefundPayload, kind};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, Refund, RefundReason, Status},
    reservations::Reservations,
    store::{payments, refunds},
};

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// Pays back what an administrator asks for, or all that is left. The same request id again changes nothing.
    pub async fn refund(
        &self,
        id: PaymentId,
        amount: Option<Money>,
        request_id: Uuid,
    ) -> Result<Payment, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let payment = payments::lock(&mut transaction, id).await?.ok_or(PaymentError::NotFound)?;
        let minor = amount.map(|amount| minor_of(amount, &payment, "amount")).transpose()?;
        if minor.is_some_and(|minor| minor <= 0) {
            return Err(FieldError::new("amount.amount", "must be more than zero").into());
        }
        request(&mut transaction, &payment, RefundReason::Requested, request_id, minor).await?;
        let payment = payments::find(&mut *transaction, id).await?.ok_or(PaymentError::NotFound)?;
        fault_points::REFUND_ORDERED.before();
        transaction.commit().await?;
        fault_points::REFUND_ORDERED.after();
        self.wake.wake();
        Ok(payment)
    }

    /// The provider has paid back, as its answer or its event says, whichever comes first.
    pub(crate) async fn refund_succeeded(&self, refund: &Refund, psp_refund: &str) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        payments::lock(&mut transaction, refund.payment_id).await?.ok_or(PaymentError::NotFound)?;
        succeed(&mut transaction, refund, psp_refund).await?;
        fault_points::REFUND_SAVED.before();
        transaction.commit().await?;
        fault_points::REFUND_SAVED.after();
        self.wake.wake();
        Ok(())
    }
}

/// The amount in the payment's own currency.
pub(super) fn minor_of(amount: Money, payment: &Payment, field: &str) -> Result<i64, FieldError> {
    if amount.currency() == payment.amount.currency() {
        return Ok(amount.minor());
    }
    Err(FieldError::new(format!("{field}.currency_code"), format!("must be {}", payment.amount.currency())))
}

/// Asks for a refund from a payment that is locked, or finds the one this request made before. All that is left when
/// no amount is given. The database sees to it that there is never more than was paid.
pub(super) async fn request(
    connection: &mut PgConnection,
    payment: &Payment,
    reason: RefundReason,
    request_id: Uuid,
    minor: Option<i64>,
) -> Result<(), PaymentError> {
    if let Some(made) = refunds::find_by_request(connection, reason, request_id).await? {
        let same = made.payment_id == payment.payment_id && minor.is_none_or(|minor| minor == made.amount_minor);
        return if same { Ok(()) } else { Err(PaymentError::RequestIdReused) };
    }
    let amount_minor = minor.unwrap_or(payment.left_minor());
    if amount_minor <= 0 {
        return Err(PaymentError::RefundExceedsPayment);
    }
    let refund =
        Refund { refund_id: Uuid::now_v7(), payment_id: payment.payment_id, reason, amount_minor, succeeded: false };
    refunds::insert(connection, &refund, request_id).await.on_constraints(|name| match name {
        // The latter refuses a refund from a payment that has no money.
        "payment_order_refunds_within_payment" | "payment_order_legal_transition" => {
            Some(PaymentError::RefundExceedsPayment)
        }
        "refund_request_key" => Some(PaymentError::RequestIdReused),
        _ => None,
    })?;
    let amount =
        Money::from_minor(amount_minor, payment.amount.currency()).map_err(|error| Problem::internal(&error))?;
    let back = payment.sold().refund(payment.refund_requested, amount);
    let back = back.ok_or(PaymentError::RefundExceedsPayment)?;
    ledger::post(connection, &back.refund_owed(refund.refund_id)).await?;
    let payload = RefundPayload { refund_id: refund.refund_id };
    outbox::enqueue(
        connection,
        payment.payment_id.as_uuid(),
        kind::REFUND,
        &payload,
        telemetry::trace_parent().as_deref(),
    )
    .await?;
    tracing::info!(payment_id = %payment.payment_id, refund_id = %refund.refund_id, reason = reason.as_str(), "refund asked for");
    Ok(())
}

/// The reservation of a payment that is locked has ended. What went back before, without anything being cancelled, is
/// told of now; the rest when it arrives. Yields the payment as it is.
pub(super) async fn reservation_ended(connection: &mut PgConnection, id: PaymentId) -> Result<Payment, PaymentError> {
    payments::note_end(connection, id).await?;
    tell_if_complete(connection, id).await
}

/// Marks a refund as done, once, and tells of it with the last that is on its way. The payment is locked. Whether it
/// was news.
pub(super) async fn succeed(
    connection: &mut PgConnection,
    refund: &Refund,
    psp_refund: &str,
) -> Result<bool, PaymentError> {
    if !refunds::succeed(connection, refund.payment_id, refund.refund_id, psp_refund).await? {
        return Ok(false);
    }
    let payment = tell_if_complete(connection, refund.payment_id).await?;
    let amount = Money::from_minor(refund.amount_minor, payment.amount.currency());
    let amount = amount.map_err(|error| Problem::internal(&error))?;
    let paid = postings::refund_paid(refund.refund_id, payment.reservation_id, amount);
    ledger::post(connection, &paid).await?;
    tracing::info!(payment_id = %refund.payment_id, refund_id = %refund.refund_id, "refund arrived");
    Ok(true)
}

/// Lets the reservation service know how much has gone back: not while more is on its way, for a part would look like
/// all; nor while the reservation stands, for then an administrator has paid back and nothing is cancelled by that.
async fn tell_if_complete(connection: &mut PgConnection, id: PaymentId) -> Result<Payment, PaymentError> {
    let payment = payments::find(&mut *connection, id).await?.ok_or(PaymentError::NotFound)?;
    if payment.status == Status::Refunded && payment.reservation_ended {
        let (nothing, trace_parent) = (serde_json::json!({}), telemetry::trace_parent());
        outbox::enqueue(connection, id.as_uuid(), kind::REFUNDED, &nothing, trace_parent.as_deref()).await?;
    }
    Ok(payment)
}
