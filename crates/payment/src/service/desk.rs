//! Payments that a hotel takes at its desk, and refunds that it gives there.
//!
//! A payment at the desk is a payment as any other: its status, its postings and the event for the reservation service are
//! written together, and a reservation that does not accept it asks for its refund. Only the money is at the hotel, so the
//! provider is never asked, and a refund waits until staff have given it.

use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, PaymentId, ReservationId};
use staymesh_mesh::Caller;
use staymesh_psp::{CheckoutStatus, Psp};
use staymesh_store::idempotency;
use uuid::Uuid;

use super::{Payments, checkout, refunds};
use crate::{
    error::PaymentError,
    fault_points,
    model::{DeskPayment, NewPayment, Payment, Status},
    store::{audit, desk, payment_events, payments, refunds as refund_rows},
};

impl<P: Psp> Payments<P> {
    /// Records what staff of the hotel took for a revision of a reservation: the booking itself, or its pending change. An
    /// open checkout page of the reservation is closed first; if it was paid meanwhile, nothing is recorded.
    ///
    /// Idempotent by reservation and revision, which are paid at the desk once; a repeat is compared with the whole request.
    ///
    /// # Errors
    /// - [`PaymentError::ReservationNotFound`]: no such reservation, or one of another hotel.
    /// - [`PaymentError::Field`]: the amount is not what is due.
    /// - [`PaymentError::NotPayable`], [`PaymentError::HoldExpired`], [`PaymentError::ChangeNotPending`]: as for
    ///   [`Self::create`], or it is paid.
    /// - [`PaymentError::PspUnavailable`]: the open page cannot be closed; retry.
    /// - [`PaymentError::Dependency`], [`PaymentError::Store`]: another service or the database failed.
    pub async fn record_desk_payment(
        &self,
        caller: &Caller,
        id: ReservationId,
        desk: &DeskPayment,
    ) -> Result<Payment, PaymentError> {
        if !caller.works_for(id.hotel_id()) {
            return Err(PaymentError::ReservationNotFound);
        }
        let known = payments::of_reservation(&self.pool, id).await?;
        if let Some(payment) = recorded(&known, desk)? {
            return Ok(payment);
        }
        let booking = self.reservations.get(id).await?.ok_or(PaymentError::ReservationNotFound)?;
        let sale = self.to_pay(&booking, id.hotel_id(), desk.revision).await?;
        require_due(desk.amount, sale.amount)?;
        let new = self.new_payment(booking, id, &sale, String::new())?;
        payment_events::save(&self.pool, &new).await?;
        for open in known.into_iter().filter(|payment| payment.status == Status::Pending) {
            self.close(open).await?;
        }
        let mut transaction = self.pool.begin().await?;
        desk::lock_terms(&mut transaction, id, desk.revision).await?;
        let payment = take(&mut transaction, &new, desk, &caller.subject).await?;
        fault_points::STATUS_LEARNED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(payment)
    }

    /// Records that staff gave the guest a requested refund of a payment that was taken at the desk. Idempotent by the
    /// refund; a repeat is compared with the whole request.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`] if there is no such payment or it is one of another hotel; [`PaymentError::Field`] if the
    /// payment was not taken at the desk, or has no such refund; [`PaymentError::RequestIdReused`] if the refund was recorded
    /// with another reference; [`PaymentError::Store`] if the database fails.
    pub async fn record_desk_refund(
        &self,
        caller: &Caller,
        id: PaymentId,
        refund_id: Uuid,
        reference: Option<&str>,
    ) -> Result<Payment, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let payment = payments::lock(&mut transaction, id).await?;
        let payment = payment.filter(|payment| caller.works_for(payment.hotel_id())).ok_or(PaymentError::NotFound)?;
        if !payment.method.at_desk() {
            let text = "must be a payment that was taken at the desk; the payment provider refunds others";
            return Err(FieldError::new("payment_id", text).into());
        }
        let refund = refund_rows::find(&mut *transaction, refund_id).await?.filter(|refund| refund.payment_id == id);
        let refund = refund.ok_or_else(|| FieldError::new("refund_id", "must be a refund of the payment"))?;
        if refund.succeeded() {
            return Ok(idempotency::require_same(payment, refund.desk_reference.as_deref() == reference)?);
        }
        let watched = audit::PAYMENT.before(&mut transaction, &id).await?;
        desk::give_refund(&mut transaction, id, refund_id, reference, &caller.subject).await?;
        refunds::paid_back(&mut transaction, &refund).await?;
        watched.record(&mut transaction).await?;
        let payment = payments::find(&mut *transaction, id).await?.ok_or(PaymentError::NotFound)?;
        fault_points::REFUND_SAVED.around(transaction.commit()).await?;
        self.wake.wake();
        Ok(payment)
    }
}

/// Takes a payment whose terms are locked, or finds the one that the same request recorded.
async fn take(
    connection: &mut PgConnection,
    new: &NewPayment,
    desk: &DeskPayment,
    by: &str,
) -> Result<Payment, PaymentError> {
    let id = new.payment_id;
    let known = payments::lock_all(connection, new.reservation_id).await?;
    if let Some(payment) = recorded(&known, desk)? {
        return Ok(payment);
    }
    let is_paid = |payment: &Payment| payment.revision == new.revision && payment.status != Status::Expired;
    if known.iter().any(is_paid) {
        return Err(PaymentError::NotPayable("it has been paid or refused on the payment page"));
    }
    let watched = audit::PAYMENT.created(&id);
    if !desk::insert(connection, new, desk, by).await? {
        return Err(PaymentError::NotPayable("a payment page of the reservation is open, or the provider reviews it"));
    }
    let pending = payments::lock(connection, id).await?.ok_or(PaymentError::NotFound)?;
    checkout::apply(connection, &pending, CheckoutStatus::Paid).await?;
    watched.record(connection).await?;
    payments::find(connection, id).await?.ok_or(PaymentError::NotFound)
}

/// The payment of this revision that was taken at the desk; `None` if there is none.
///
/// # Errors
/// [`PaymentError::NotPayable`] if it was recorded with other content.
fn recorded(payments: &[Payment], desk: &DeskPayment) -> Result<Option<Payment>, PaymentError> {
    let known = payments.iter().find(|payment| payment.revision == desk.revision && payment.method.at_desk());
    let Some(payment) = known else { return Ok(None) };
    let content = (payment.method, payment.amount, &payment.desk_reference);
    if content == (desk.method, desk.amount, &desk.reference) {
        return Ok(Some(payment.clone()));
    }
    Err(PaymentError::NotPayable("it was paid at the desk with another amount, method or reference"))
}

/// Requires that exactly what is due was taken.
fn require_due(amount: Money, due: Money) -> Result<(), FieldError> {
    if amount == due { Ok(()) } else { Err(FieldError::new("amount", format!("must be what is due: {due}"))) }
}
