//! Events of Stripe.
//!
//! An event about an object without an id of ours in its metadata belongs to another system in the same account: it is
//! ignored. An event about an object of ours in a state that must not occur is [`ProviderEvent::Unexpected`].

use serde::{Deserialize, de::DeserializeOwned};
use staymesh_domain::PaymentId;

use super::{
    object::{Charge, FailedIntent, Refund, RefundStatus, Session},
    transfer::Transfer,
};
use crate::{
    CheckoutStatus, TransferOutcome,
    event::{CheckoutData, EventEnvelope, INCOMPLETE, PaymentReference, ProviderEvent, RefundData, TransferData},
};

#[derive(Deserialize)]
struct Data<T> {
    object: T,
}

/// Parses an event of Stripe.
///
/// # Errors
/// When an event of a known type lacks data that the type requires.
pub fn parse(event: &EventEnvelope) -> Result<ProviderEvent, &'static str> {
    match event.kind.as_str() {
        kind @ ("checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.async_payment_failed"
        | "checkout.session.expired") => Ok(session(kind, object(event)?)),
        kind @ ("refund.created" | "refund.updated" | "refund.failed") => Ok(refund(kind, object(event)?)),
        "transfer.created" => Ok(transfer(object(event)?, TransferOutcome::Paid)),
        "transfer.reversed" => Ok(transfer(object(event)?, TransferOutcome::Reversed)),
        "payment_intent.payment_failed" => Ok(declined(&object(event)?)),
        "charge.refunded" => Ok(charge(&object(event)?)),
        _ => Ok(ProviderEvent::Ignored),
    }
}

fn object<T: DeserializeOwned>(event: &EventEnvelope) -> Result<T, &'static str> {
    Data::deserialize(&event.data).map(|data| data.object).map_err(|_| INCOMPLETE)
}

fn session(kind: &str, session: Session) -> ProviderEvent {
    let Some(payment_id) = session.payment_id() else {
        return ProviderEvent::Ignored;
    };
    let status = match (kind, session.checkout_status()) {
        ("checkout.session.completed", Some(status @ (CheckoutStatus::Paid | CheckoutStatus::InReview))) => {
            Some(status)
        }
        ("checkout.session.async_payment_succeeded", Some(CheckoutStatus::Paid)) => Some(CheckoutStatus::Paid),
        ("checkout.session.async_payment_failed", Some(CheckoutStatus::InReview | CheckoutStatus::Failed)) => {
            Some(CheckoutStatus::Failed)
        }
        ("checkout.session.expired", Some(CheckoutStatus::Expired)) => Some(CheckoutStatus::Expired),
        _ => None,
    };
    match (status, session.amount()) {
        (Some(status), Some(amount)) => {
            let data = CheckoutData {
                session: session.id,
                reference: payment_id.to_string(),
                amount_minor: amount.minor(),
                currency: amount.currency().code().to_owned(),
            };
            ProviderEvent::Checkout(data, status)
        }
        _ => {
            ProviderEvent::Unexpected(PaymentReference { session: Some(session.id), reference: payment_id.to_string() })
        }
    }
}

/// A failed attempt to pay. The session's own event reports a final failure.
fn declined(intent: &FailedIntent) -> ProviderEvent {
    intent
        .metadata
        .payment_id()
        .map_or(ProviderEvent::Ignored, |payment_id| ProviderEvent::Declined(reference(payment_id)))
}

fn refund(kind: &str, refund: Refund) -> ProviderEvent {
    // A refund made in Stripe's dashboard has no metadata of ours; the event of its charge has.
    let Some(payment_id) = refund.metadata.payment_id() else {
        return ProviderEvent::Ignored;
    };
    match (refund.status, refund.amount()) {
        _ if kind == "refund.failed" => ProviderEvent::Unexpected(reference(payment_id)),
        (Some(RefundStatus::Pending) | None, _) => ProviderEvent::Ignored,
        (Some(RefundStatus::Succeeded), Some(amount)) => {
            let data =
                RefundData { reference: refund.metadata.refund_id(), id: refund.id, amount_minor: amount.minor() };
            ProviderEvent::RefundSucceeded(reference(payment_id), data)
        }
        _ => ProviderEvent::Unexpected(reference(payment_id)),
    }
}

fn charge(charge: &Charge) -> ProviderEvent {
    match (charge.metadata.payment_id(), charge.refunded()) {
        (Some(payment_id), Some(total)) => ProviderEvent::Refunded(reference(payment_id), total),
        (Some(payment_id), None) => ProviderEvent::Unexpected(reference(payment_id)),
        (None, _) => ProviderEvent::Ignored,
    }
}

fn transfer(transfer: Transfer, outcome: TransferOutcome) -> ProviderEvent {
    // A transfer in an amount that cannot be ours belongs to another system, too.
    match (transfer.transfer_id(), transfer.amount()) {
        (Some(reference), Some(amount)) => {
            let currency = amount.currency().code().to_owned();
            ProviderEvent::Transfer(
                TransferData { transfer: transfer.id, reference, amount_minor: amount.minor(), currency },
                outcome,
            )
        }
        _ => ProviderEvent::Ignored,
    }
}

/// Refunds, charges and payment intents do not carry the session.
fn reference(payment_id: PaymentId) -> PaymentReference {
    PaymentReference { session: None, reference: payment_id.to_string() }
}
