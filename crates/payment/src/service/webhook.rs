//! Processing of the provider's events. Their signatures have been verified.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, PaymentId};
use staymesh_mesh::fault::Step;
use staymesh_psp::{
    CheckoutStatus, Provider, Psp, event::CheckoutData, event::EventEnvelope, event::PaymentReference,
    event::ProviderEvent, event::RefundData,
};

use super::{Payments, checkout::apply, payouts, refunds::succeed};
use crate::{
    error::PaymentError,
    fault_points,
    model::Payment,
    store::{
        events::{self, Outcome},
        payment_notes, payments, refunds,
    },
};

impl<P: Psp> Payments<P> {
    /// Processes an event once: its deduplication row, its changes and its outbox events are one transaction.
    ///
    /// # Errors
    /// - [`PaymentError::Field`]: the body is not a valid event.
    /// - [`PaymentError::NotFound`], [`PaymentError::PayoutNotFound`]: the payment or transfer is unknown, so that the
    ///   provider sends the event again.
    /// - [`PaymentError::Store`]: the database failed.
    pub async fn receive(&self, provider: Provider, body: &[u8]) -> Result<(), PaymentError> {
        let event = EventEnvelope::parse(body).map_err(|problem| FieldError::new("body", problem))?;
        let parsed = provider.parse_event(&event).map_err(|problem| FieldError::new("body", problem))?;
        let mut transaction = self.pool.begin().await?;
        let payment = match parsed.payment_reference() {
            Some(reference) => Some(find(&mut transaction, &reference).await?),
            None => None,
        };
        let id = payment.as_ref().map(|payment| payment.payment_id);
        let digest = Sha256::digest(body);
        if !events::claim(&mut transaction, &event.id, &event.kind, id, &digest).await? {
            tracing::debug!(psp_event = event.id, "duplicate event");
            return Ok(());
        }
        let outcome = match (&parsed, &payment) {
            (ProviderEvent::Checkout(data, report), Some(payment)) => {
                checkout(&mut transaction, payment, data, *report).await?
            }
            (ProviderEvent::Declined(_), Some(payment)) => {
                let news = payment_notes::note_decline(&mut transaction, payment.payment_id).await?;
                if news { Outcome::Applied } else { Outcome::Unchanged }
            }
            (ProviderEvent::RefundSucceeded(_, data), Some(payment)) => {
                refunded(&mut transaction, payment, data).await?
            }
            (ProviderEvent::Refunded(_, total), Some(payment)) if is_requested(payment, *total) => Outcome::Unchanged,
            (ProviderEvent::Refunded(..) | ProviderEvent::Unexpected(_), Some(_)) => Outcome::Mismatched,
            (ProviderEvent::Transfer(data, outcome), _) => {
                payouts::on_transfer_event(&mut transaction, data, *outcome).await?
            }
            _ => Outcome::Ignored,
        };
        match outcome {
            Outcome::Mismatched => tracing::error!(
                psp_event = event.id, kind = event.kind, payment_id = ?id,
                "the event contradicts the order; nothing is changed until finance has examined it"
            ),
            Outcome::Ignored => {
                tracing::info!(psp_event = event.id, kind = event.kind, "ignored an event of an unknown kind");
            }
            Outcome::Applied | Outcome::Unchanged => {}
        }
        events::settle(&mut transaction, &event.id, outcome).await?;
        step_of(&parsed).around(transaction.commit()).await?;
        self.wake.wake();
        Ok(())
    }
}

/// The crash point at the commit of this event.
fn step_of(event: &ProviderEvent) -> Step {
    match event {
        ProviderEvent::RefundSucceeded(..) | ProviderEvent::Refunded(..) => fault_points::REFUND_EVENT_TAKEN,
        ProviderEvent::Transfer(..) => fault_points::TRANSFER_EVENT_TAKEN,
        ProviderEvent::Checkout(..)
        | ProviderEvent::Declined(_)
        | ProviderEvent::Unexpected(_)
        | ProviderEvent::Ignored => fault_points::EVENT_TAKEN,
    }
}

/// The payment of an event, locked. Found by the provider's session or, if that has not been saved, by our reference.
async fn find(connection: &mut PgConnection, payment: &PaymentReference) -> Result<Payment, PaymentError> {
    let by_session = match &payment.session {
        Some(session) => payments::id_of_session(connection, session).await?,
        None => None,
    };
    let id = match by_session {
        Some(id) => id,
        None => payment.reference.parse::<PaymentId>().map_err(|_| PaymentError::NotFound)?,
    };
    payments::lock(connection, id).await?.ok_or(PaymentError::NotFound)
}

async fn checkout(
    connection: &mut PgConnection,
    payment: &Payment,
    data: &CheckoutData,
    report: CheckoutStatus,
) -> Result<Outcome, PaymentError> {
    let other_session = payment.psp_session.as_ref().is_some_and(|session| *session != data.session);
    let other_amount = data.amount_minor != payment.amount.minor() || data.currency != payment.amount.currency().code();
    if other_session || (report == CheckoutStatus::Paid && other_amount) {
        return Ok(Outcome::Mismatched);
    }
    if payment.psp_session.is_none() {
        // Refunds need the session.
        payments::save_session(connection, payment.payment_id, &data.session).await?;
    }
    Ok(if apply(connection, payment, report).await? { Outcome::Applied } else { Outcome::Unchanged })
}

async fn refunded(
    connection: &mut PgConnection,
    payment: &Payment,
    data: &RefundData,
) -> Result<Outcome, PaymentError> {
    let known = match data.reference {
        Some(refund_id) => refunds::find(&mut *connection, refund_id).await?,
        None => None,
    };
    match known {
        Some(made) if made.payment_id == payment.payment_id && made.amount.minor() == data.amount_minor => {
            let news = succeed(connection, &made, &data.id).await?;
            Ok(if news { Outcome::Applied } else { Outcome::Unchanged })
        }
        _ => Ok(Outcome::Mismatched),
    }
}

/// Whether the refunded total was requested here; if not, someone refunded on the provider's own pages.
fn is_requested(payment: &Payment, total: Money) -> bool {
    total.currency() == payment.amount.currency() && total.minor() <= payment.refund_requested.minor()
}
