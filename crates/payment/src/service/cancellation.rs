//! Settling the payments of a reservation that has ended: closes their checkout pages and refunds what the policy grants.

use sqlx::PgConnection;
use staymesh_domain::{Money, ReservationId};
use staymesh_psp::{CheckoutStatus, Psp};
use uuid::Uuid;

use super::{Payments, checkout, refunds};
use crate::{
    error::PaymentError,
    fault_points,
    model::{Payment, RefundReason, RefundRequest, Settlement, Standing, Status, kept_back, newest_first},
    store::{cancellations, payment_notes, payments, refunds as refund_rows},
};

impl<P: Psp> Payments<P> {
    /// Closes the checkout pages of the reservation. Of its paid payments, newest first, refunds what is left of the
    /// settlement's refund: it is what the guest gets back of all of them, so earlier refunds count toward it, except
    /// goodwill and what changes gave back. Idempotent by reservation. Returns the latest payment; `None` if the
    /// reservation never had one, for example because a partner collects.
    ///
    /// If nothing is refunded, the payments stay as they are, and earlier refunds are reported to the reservation service.
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
        for payment in payments::of_reservation(&self.pool, reservation_id).await? {
            refunds::require_currency(settlement.refund, &payment, "refund")?;
            if payment.status == Status::Pending {
                self.close(payment).await?;
            }
        }
        let mut transaction = self.pool.begin().await?;
        let standings = refunds::standings(&mut transaction, reservation_id).await?;
        if standings.iter().any(|standing| standing.payment.status.has_money()) {
            if !settlement.hold_expired {
                cancellations::save(&mut transaction, reservation_id, settlement.refund).await?;
                give_back(&mut transaction, &standings, settlement.refund).await?;
            }
            for standing in standings.iter().filter(|standing| standing.payment.status.has_money()) {
                refunds::reservation_ended(&mut transaction, standing.payment.payment_id).await?;
            }
        }
        fault_points::REFUND_REQUESTED.around(transaction.commit()).await?;
        self.wake.wake();
        let settled = payments::of_reservation(&self.pool, reservation_id).await?;
        Ok(settled.into_iter().next_back())
    }

    /// Ends a pending payment, at the provider first: only the provider knows whether it has been paid.
    pub(super) async fn close(&self, payment: Payment) -> Result<Payment, PaymentError> {
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
}

/// Requests of the locked payments of a reservation, newest first, what is left to give back of `due`, its end's refund in
/// all. Idempotent: what was requested before counts.
pub(super) async fn give_back(
    connection: &mut PgConnection,
    standings: &[Standing],
    due: Money,
) -> Result<(), PaymentError> {
    let paying: Vec<&Standing> = standings.iter().filter(|standing| standing.pays()).collect();
    let refundable = paying.iter().map(|standing| standing.payment.refundable()).collect::<Result<Vec<_>, _>>()?;
    let shares = newest_first(kept_back(due, standings)?, &refundable)?;
    let given = paying.iter().zip(&shares).map(|(standing, share)| standing.counted.checked_add(*share));
    let given = given.collect::<Result<Vec<_>, _>>()?;
    let all = Money::sum(due.currency(), given.iter().copied())?;
    for ((standing, share), given) in paying.into_iter().zip(&shares).zip(given) {
        // What the others leave of it: the release before limits the refunds of each payment by this.
        let rest = due.checked_sub(all.checked_sub(given)?)?;
        note_refund_due(connection, &standing.payment, rest).await?;
        if share.minor() > 0 {
            request_share(connection, &standing.payment, *share).await?;
        }
    }
    Ok(())
}

async fn note_refund_due(connection: &mut PgConnection, payment: &Payment, due: Money) -> Result<(), PaymentError> {
    let due = match due.minor() {
        minor if minor < 0 => Money::zero(due.currency()),
        minor if minor > payment.amount.minor() => payment.amount,
        _ => due,
    };
    Ok(payment_notes::note_refund_due(connection, payment.payment_id, due).await?)
}

async fn request_share(connection: &mut PgConnection, payment: &Payment, share: Money) -> Result<(), PaymentError> {
    let (id, reason) = (payment.payment_id.as_uuid(), RefundReason::Cancellation);
    // The release before makes one such refund of a payment, by its id. Later ones follow when another payment of the
    // reservation turns out to be refused.
    let first = refund_rows::find_by_request(connection, reason, id).await?.is_none();
    let request_id = if first { id } else { Uuid::now_v7() };
    let request = RefundRequest { reason, request_id, amount: Some(share), goodwill: false };
    refunds::request(connection, payment, &request, share).await
}
