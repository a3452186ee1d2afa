//! Settling the money of a change of a reservation, once per revision: its refund is requested of the payments that pay for
//! the reservation, newest first; the payment of a dropped change goes back; a partner sale gets its new terms.

use jiff::civil::Date;
use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, ReservationId};
use staymesh_psp::Psp;
use staymesh_store::idempotency;

use super::{Payments, amendments, refunds};
use crate::{
    error::PaymentError,
    fault_points,
    model::{ChangeSettlement, PartnerSale, Payment, Standing, Status},
    store::{change_settlements, partner_sales, payments},
};

impl<P: Psp> Payments<P> {
    /// Settles a change that was applied or dropped, and returns the payments of the reservation, newest first, and its
    /// partner sale. Idempotent by reservation and revision; a repeat is compared with the whole request.
    ///
    /// Of an applied change, requests the refund: together at most what was paid and is not requested yet. Of a dropped
    /// one, closes the checkout page and refunds what was paid for it; money that arrives later is reported as any payment
    /// and refunded when the reservation service does not accept it.
    ///
    /// # Errors
    /// [`PaymentError::RequestIdReused`] if the change was settled with other content; [`PaymentError::Field`] if the refund
    /// is in another currency; [`PaymentError::PspUnavailable`] if the page cannot be closed, retry; and those of the
    /// reservation service and the database.
    pub async fn settle_change(
        &self,
        id: ReservationId,
        change: &ChangeSettlement,
    ) -> Result<(Vec<Payment>, Option<PartnerSale>), PaymentError> {
        let is_settled = change_settlements::find(&self.pool, id, change.revision).await?.is_some();
        let check_out = if is_settled {
            None
        } else {
            self.close_pages(id, change).await?;
            self.check_out_after(id, change).await?
        };
        let mut transaction = self.pool.begin().await?;
        let standings = refunds::standings(&mut transaction, id).await?;
        let sale = partner_sales::lock(&mut transaction, id).await?;
        if let Some(known) = change_settlements::find(&mut *transaction, id, change.revision).await? {
            idempotency::require_same((), known == *change)?;
        } else {
            let given = give_back(&mut transaction, &standings, change).await?;
            amendments::settle(self, &mut transaction, id, sale, change).await?;
            change_settlements::insert(&mut *transaction, id, change, given, check_out).await?;
            tracing::info!(reservation_id = %id, revision = change.revision, dropped = change.dropped, "change settled");
        }
        let payments = payments::lock_all(&mut transaction, id).await?;
        let sale = partner_sales::lock(&mut transaction, id).await?;
        fault_points::CHANGE_SETTLED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok((payments, sale))
    }

    /// Closes the open checkout page of a dropped change.
    async fn close_pages(&self, id: ReservationId, change: &ChangeSettlement) -> Result<(), PaymentError> {
        for payment in payments::of_reservation(&self.pool, id).await? {
            refunds::require_currency(change.refund, &payment, "refund")?;
            if change.dropped && payment.status == Status::Pending && payment.revision == change.revision {
                self.close(payment).await?;
            }
        }
        Ok(())
    }

    /// The check-out date of the stay after the change, from which on the hotel is paid; `None` if it was dropped.
    async fn check_out_after(
        &self,
        id: ReservationId,
        change: &ChangeSettlement,
    ) -> Result<Option<Date>, PaymentError> {
        match &change.sale {
            _ if change.dropped => Ok(None),
            Some(terms) => Ok(Some(terms.check_out)),
            None => {
                let booking = self.reservations.get(id).await?.ok_or(PaymentError::ReservationNotFound)?;
                Ok(Some(booking.check_out))
            }
        }
    }
}

/// Requests the refunds of a change of the locked payments of its reservation, newest first; returns their sum.
async fn give_back(
    connection: &mut PgConnection,
    standings: &[Standing],
    change: &ChangeSettlement,
) -> Result<Money, PaymentError> {
    let none = Money::zero(change.refund.currency());
    if change.dropped {
        for standing in standings.iter().filter(|standing| standing.paid_for(change.revision)) {
            // As it is now: the one before may have left it what a change gives back.
            let payment = payments::find(&mut *connection, standing.payment.payment_id).await?;
            refunds::refuse(connection, &payment.ok_or(PaymentError::NotFound)?).await?;
        }
        return Ok(none);
    }
    if change.sale.is_some() {
        // The partner gives it back; its sale gets the new terms.
        return Ok(none);
    }
    let mut paying = standings.iter().filter(|standing| standing.pays());
    if let Some(other) = paying.find(|standing| standing.payment.amount.currency() != none.currency()) {
        let currency = other.payment.amount.currency();
        return Err(FieldError::new("refund.currency_code", format!("must be {currency}")).into());
    }
    refunds::give_back_of_change(connection, standings, change.revision, change.refund).await
}
