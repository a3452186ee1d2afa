//! Refunds: requested by an administrator, a cancellation or a payment that arrived too late; completed by the provider.

use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, PaymentId, ReservationId};
use staymesh_ledger as ledger;
use staymesh_psp::Psp;
use staymesh_store::{ResultExt, idempotency};
use uuid::Uuid;

use super::{
    Payments,
    events::{self, RefundPayload},
};
use crate::{
    error::PaymentError,
    fault_points,
    model::{
        Notice, Payment, Refund, RefundReason, RefundRefusal, RefundRequest, ReservationStatus, Standing,
        left_by_policy, shares_of_change,
    },
    store::{audit, cancellations, payment_notes, payments, refunds},
};

impl<P: Psp> Payments<P> {
    /// Requests a refund of `amount`, or of all that is refundable. Idempotent by `request_id`.
    ///
    /// Once the reservation has ended, its policy is the limit of all refunds without `goodwill`: the penalty is what
    /// stays in all. A refund with `goodwill` is on top of that, up to what was paid.
    ///
    /// Without `goodwill` the reservation is read, unless its end is settled here: the end of a no-show is settled when its
    /// report is final, and until then its policy is not known here.
    ///
    /// # Errors
    /// - [`PaymentError::NotFound`]: no such payment.
    /// - [`PaymentError::Field`]: the amount is not positive, or in another currency than the payment.
    /// - [`PaymentError::RefundExceedsPayment`]: the amount exceeds what is refundable, or nothing is.
    /// - [`PaymentError::RefundExceedsPolicy`]: the same for what the policy of the ended reservation gives back.
    /// - [`PaymentError::SettlementPending`]: the reservation has ended, and what its policy gives back is not settled yet.
    /// - [`PaymentError::RequestIdReused`]: the request id was used for another payment, amount or kind of refund.
    /// - [`PaymentError::ReservationNotFound`]: there is no reservation to read.
    /// - [`PaymentError::Dependency`], [`PaymentError::Store`]: the reservation service or the database failed.
    pub async fn refund(
        &self,
        id: PaymentId,
        amount: Option<Money>,
        goodwill: bool,
        request_id: Uuid,
    ) -> Result<Payment, PaymentError> {
        let found = payments::find(&self.pool, id).await?.ok_or(PaymentError::NotFound)?;
        if let Some(amount) = amount {
            require_currency(amount, &found, "amount")?;
            if amount.minor() <= 0 {
                return Err(FieldError::new("amount.amount", "must be more than zero").into());
            }
        }
        if !goodwill {
            self.require_known_policy(&found, request_id).await?;
        }
        let mut transaction = self.pool.begin().await?;
        // All payments of the reservation: its policy is the limit of their refunds together.
        let standings = standings(&mut transaction, found.reservation_id).await?;
        let payment = standings.iter().map(|standing| &standing.payment).find(|payment| payment.payment_id == id);
        let payment = payment.ok_or(PaymentError::NotFound)?;
        let wanted = RefundRequest { reason: RefundReason::Requested, request_id, amount, goodwill };
        let limit =
            if goodwill { payment.refundable()? } else { policy_left(&mut transaction, payment, &standings).await? };
        let watched = audit::PAYMENT.before(&mut transaction, &id).await?;
        request(&mut transaction, payment, &wanted, limit).await?;
        watched.record(&mut transaction).await?;
        let payment = payments::find(&mut *transaction, id).await?.ok_or(PaymentError::NotFound)?;
        fault_points::REFUND_ORDERED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(payment)
    }

    /// Requires that the reservation of a payment stands, or that its end is settled here. The repeat of a request that made
    /// a refund passes.
    async fn require_known_policy(&self, payment: &Payment, request_id: Uuid) -> Result<(), PaymentError> {
        let id = payment.reservation_id;
        let mut connection = self.pool.acquire().await?;
        let settled = payment.refund_due.is_some() || cancellations::refund(&mut connection, id).await?.is_some();
        if settled || refunds::find_by_request(&mut connection, RefundReason::Requested, request_id).await?.is_some() {
            return Ok(());
        }
        drop(connection);
        // A reservation that ends after this is settled with the refund, which counts toward what its policy gives back.
        let booking = self.reservations.get(id).await?.ok_or(PaymentError::ReservationNotFound)?;
        if booking.status == ReservationStatus::Cancelled { Err(PaymentError::SettlementPending) } else { Ok(()) }
    }

    /// Marks a refund as succeeded, as the provider's response says. Its event may have been faster.
    pub(crate) async fn refund_succeeded(&self, refund: &Refund, psp_refund: &str) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        payments::lock(&mut transaction, refund.payment_id).await?.ok_or(PaymentError::NotFound)?;
        succeed(&mut transaction, refund, psp_refund).await?;
        fault_points::REFUND_SAVED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(())
    }
}

/// Requires that an amount is in the payment's currency; names the field if not.
pub(super) fn require_currency(amount: Money, payment: &Payment, field: &str) -> Result<(), FieldError> {
    let currency = payment.amount.currency();
    if amount.currency() == currency {
        return Ok(());
    }
    Err(FieldError::new(format!("{field}.currency_code"), format!("must be {currency}")))
}

/// The payments of a reservation with what their refunds were for, newest first, locked until the end of the transaction.
pub(super) async fn standings(connection: &mut PgConnection, id: ReservationId) -> Result<Vec<Standing>, PaymentError> {
    let payments = payments::lock_all(connection, id).await?;
    let ids: Vec<PaymentId> = payments.iter().map(|payment| payment.payment_id).collect();
    let refunds = refunds::standings(connection, &ids).await?;
    let standing = |payment: Payment| {
        let of = refunds.iter().find(|(id, ..)| *id == payment.payment_id.as_uuid());
        let (counted, refused) = of.map_or((0, false), |(_, counted, refused)| (*counted, *refused));
        Ok(Standing { counted: Money::from_minor(counted, payment.amount.currency())?, payment, refused })
    };
    payments.into_iter().map(standing).collect()
}

/// Requests a refund from a payment that is locked, of the provider or of the desk that took it, or finds the refund that the same request made. At most `limit`, and
/// all of it without an amount.
///
/// Idempotent by reason and request id; a repeat with other content is refused. The constraint
/// `payment_order_refunds_within_payment` guards the sum of all refunds.
pub(super) async fn request(
    connection: &mut PgConnection,
    payment: &Payment,
    wanted: &RefundRequest,
    limit: Money,
) -> Result<(), PaymentError> {
    let (reason, request_id) = (wanted.reason, wanted.request_id);
    if let Some(made) = refunds::find_by_request(connection, reason, request_id).await? {
        return Ok(idempotency::require_same((), wanted.made(&made, payment.payment_id))?);
    }
    let amount = payment.refund_amount(wanted, limit).map_err(|refusal| match refusal {
        RefundRefusal::ExceedsPayment => PaymentError::RefundExceedsPayment,
        RefundRefusal::ExceedsPolicy => PaymentError::RefundExceedsPolicy,
    })?;
    let inserted = refunds::insert(connection, payment.payment_id, wanted, amount).await;
    let refund_id = inserted.on_constraints(|name| match name {
        // The second one refuses a refund of a payment that has not been paid.
        "payment_order_refunds_within_payment" | "payment_order_legal_transition" => {
            Some(PaymentError::RefundExceedsPayment)
        }
        "refund_request_key" => Some(PaymentError::RequestIdReused),
        _ => None,
    })?;
    let shares = payment.sold().refund(payment.refund_requested, amount);
    let shares = shares.ok_or(PaymentError::RefundExceedsPayment)?;
    ledger::post(connection, &shares.refund_owed(refund_id)).await?;
    if !payment.method.at_desk() {
        let payload = RefundPayload { refund_id };
        events::enqueue(connection, payment.payment_id, events::REFUND, &payload).await?;
    }
    tracing::info!(payment_id = %payment.payment_id, %refund_id, reason = reason.as_str(), goodwill = wanted.goodwill, "refund requested");
    Ok(())
}

/// Requests the refund of all that is left of a locked payment that the reservation service does not accept, and notes
/// that it expects no more of it. What changes gave back of it is given back by the payments that pay for the reservation: a
/// change may have been settled while this one was taken for one of them. Idempotent: nothing is left after an earlier call,
/// or if an administrator refunded it.
pub(super) async fn refuse(connection: &mut PgConnection, payment: &Payment) -> Result<(), PaymentError> {
    let id = payment.payment_id;
    let is_first = payment_notes::note_refusal(connection, id).await?;
    if let Some(wanted) = payment.send_back()? {
        request(connection, payment, &wanted, payment.refundable()?).await?;
    }
    if is_first {
        for (revision, minor) in refunds::of_changes(connection, id).await? {
            let standings = standings(connection, payment.reservation_id).await?;
            let refund = Money::from_minor(minor, payment.amount.currency())?;
            give_back_of_change(connection, &standings, revision, refund).await?;
        }
    }
    reservation_ended(connection, id).await.map(drop)
}

/// Requests `refund` for the change that made `revision` of the locked payments of its reservation, newest first; returns
/// what they give: less if less is left.
pub(super) async fn give_back_of_change(
    connection: &mut PgConnection,
    standings: &[Standing],
    revision: i32,
    refund: Money,
) -> Result<Money, PaymentError> {
    let shares = shares_of_change(standings, revision, refund)?;
    let given = Money::sum(refund.currency(), shares.iter().map(|(_, share)| *share))?;
    if given != refund {
        tracing::warn!(revision, "a change gives back more than is left of what was paid");
    }
    let reason = RefundReason::Change { revision };
    for (standing, share) in shares.into_iter().filter(|(_, share)| share.minor() > 0) {
        // A settlement is unique, and so is a refusal: their refunds need no key that a repeat would find.
        let wanted = RefundRequest { reason, request_id: Uuid::now_v7(), amount: Some(share), goodwill: false };
        request(connection, &standing.payment, &wanted, share).await?;
    }
    Ok(given)
}

/// What a locked payment may give back without goodwill: what is refundable, and if the reservation has ended, at most
/// what is left of what its end gives back of all of its payments.
async fn policy_left(
    connection: &mut PgConnection,
    payment: &Payment,
    standings: &[Standing],
) -> Result<Money, PaymentError> {
    let end = cancellations::refund(connection, payment.reservation_id).await?;
    let limit = left_by_policy(payment, standings, end)?;
    let (None, Some(due)) = (end, payment.refund_due) else { return Ok(limit) };
    // An earlier release settled its end.
    let given = refunds::sum_without_goodwill(connection, payment.payment_id).await?;
    let left = due.checked_sub(Money::from_minor(given, due.currency())?)?;
    let left = if left.minor() > limit.minor() { limit } else { left };
    Ok(if left.is_negative() { Money::zero(left.currency()) } else { left })
}

/// Notes that the reservation of a payment that is locked has ended, and returns the payment. Refunds that succeeded
/// before are reported to the reservation service now; pending ones when they succeed.
pub(super) async fn reservation_ended(connection: &mut PgConnection, id: PaymentId) -> Result<Payment, PaymentError> {
    payment_notes::note_end(connection, id).await?;
    report_if_complete(connection, id).await
}

/// Marks a refund as succeeded and posts it, once; `false` for a repeat. The payment is locked.
pub(super) async fn succeed(
    connection: &mut PgConnection,
    refund: &Refund,
    psp_refund: &str,
) -> Result<bool, PaymentError> {
    if !refunds::succeed(connection, refund.payment_id, refund.refund_id, psp_refund).await? {
        return Ok(false);
    }
    paid_back(connection, refund).await?;
    Ok(true)
}

/// Posts and reports a refund that has just succeeded. The payment is locked.
pub(super) async fn paid_back(connection: &mut PgConnection, refund: &Refund) -> Result<(), PaymentError> {
    let payment = report_if_complete(connection, refund.payment_id).await?;
    let paid = payment.sold().refund_paid(refund.refund_id, refund.amount);
    ledger::post(connection, &paid).await?;
    tracing::info!(payment_id = %refund.payment_id, refund_id = %refund.refund_id, "refund succeeded");
    Ok(())
}

/// Reports the refunded amount to the reservation service once all requested refunds have succeeded and the reservation
/// has ended. While refunds are pending, a partial sum would look like the final one; while the reservation stands, a
/// refund by an administrator does not cancel it.
async fn report_if_complete(connection: &mut PgConnection, id: PaymentId) -> Result<Payment, PaymentError> {
    let payment = payments::find(&mut *connection, id).await?.ok_or(PaymentError::NotFound)?;
    if payment.reports_refunds() {
        events::enqueue(connection, id, events::kind_of(Notice::Refunded), &events::Empty {}).await?;
    }
    Ok(payment)
}
