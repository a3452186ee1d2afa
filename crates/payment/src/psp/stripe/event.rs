//! What Stripe's events say.
//!
//! An event about something in the account that is not ours (no id of ours is written on it) says nothing to us. One
//! that is ours and says what it never should is for people to look at.

use serde::{Deserialize, de::DeserializeOwned};
use staymesh_domain::PaymentId;

use super::{
    object::{Charge, FailedIntent, Refund, RefundStatus, Session},
    transfer::Transfer,
};
use crate::{
    model::CheckoutStatus,
    psp::{
        TransferWord,
        event::{CheckoutData, PspEvent, PspNews, RefundData, TransferData, WRONG, Whose},
    },
};

#[derive(Deserialize)]
struct Data<T> {
    object: T,
}

/// What the event says.
///
/// # Errors
/// When an event of a known kind does not have what it must.
pub fn news(event: &PspEvent) -> Result<PspNews, &'static str> {
    match event.kind.as_str() {
        kind @ ("checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.async_payment_failed"
        | "checkout.session.expired") => Ok(session(kind, object(event)?)),
        kind @ ("refund.created" | "refund.updated" | "refund.failed") => Ok(refund(kind, object(event)?)),
        "transfer.created" => Ok(transfer(object(event)?, TransferWord::Paid)),
        "transfer.reversed" => Ok(transfer(object(event)?, TransferWord::CameBack)),
        "payment_intent.payment_failed" => Ok(declined(&object(event)?)),
        "charge.refunded" => Ok(charge(&object(event)?)),
        _ => Ok(PspNews::Unknown),
    }
}

fn object<T: DeserializeOwned>(event: &PspEvent) -> Result<T, &'static str> {
    Data::deserialize(&event.data).map(|data| data.object).map_err(|_| WRONG)
}

fn session(kind: &str, session: Session) -> PspNews {
    let Some(payment_id) = session.payment_id() else {
        return PspNews::Unknown;
    };
    let word = match (kind, session.standing()) {
        ("checkout.session.completed", Some(word @ (CheckoutStatus::Paid | CheckoutStatus::InReview))) => Some(word),
        ("checkout.session.async_payment_succeeded", Some(CheckoutStatus::Paid)) => Some(CheckoutStatus::Paid),
        ("checkout.session.async_payment_failed", Some(CheckoutStatus::InReview | CheckoutStatus::Failed)) => {
            Some(CheckoutStatus::Failed)
        }
        ("checkout.session.expired", Some(CheckoutStatus::Expired)) => Some(CheckoutStatus::Expired),
        _ => None,
    };
    match (word, session.amount()) {
        (Some(word), Some(amount)) => {
            let data = CheckoutData {
                session: session.id,
                reference: payment_id.to_string(),
                amount_minor: amount.minor(),
                currency: amount.currency().code().to_owned(),
            };
            PspNews::Checkout(data, word)
        }
        _ => PspNews::Odd(Whose { session: Some(session.id), reference: payment_id.to_string() }),
    }
}

/// An attempt to pay failed. If that is the end, the event of its session says so.
fn declined(intent: &FailedIntent) -> PspNews {
    intent.metadata.payment_id().map_or(PspNews::Unknown, |payment_id| PspNews::Declined(of(payment_id)))
}

fn refund(kind: &str, refund: Refund) -> PspNews {
    // One that somebody made on Stripe's own pages carries nothing of ours; the event of its charge does.
    let Some(payment_id) = refund.metadata.payment_id() else {
        return PspNews::Unknown;
    };
    match (refund.status, refund.amount()) {
        _ if kind == "refund.failed" => PspNews::Odd(of(payment_id)),
        (Some(RefundStatus::Underway) | None, _) => PspNews::Unknown,
        (Some(RefundStatus::Succeeded), Some(amount)) => {
            let reference = refund.metadata.refund_id();
            PspNews::Refund(of(payment_id), RefundData { id: refund.id, amount_minor: amount.minor(), reference })
        }
        _ => PspNews::Odd(of(payment_id)),
    }
}

fn charge(charge: &Charge) -> PspNews {
    match (charge.metadata.payment_id(), charge.refunded()) {
        (Some(payment_id), Some(total)) => PspNews::PaidBack(of(payment_id), total),
        (Some(payment_id), None) => PspNews::Odd(of(payment_id)),
        (None, _) => PspNews::Unknown,
    }
}

fn transfer(transfer: Transfer, word: TransferWord) -> PspNews {
    // One in an amount that is none of ours is somebody else's, too.
    match (transfer.transfer_id(), transfer.amount()) {
        (Some(reference), Some(amount)) => {
            let currency = amount.currency().code().to_owned();
            PspNews::Transfer(
                TransferData { transfer: transfer.id, reference, amount_minor: amount.minor(), currency },
                word,
            )
        }
        _ => PspNews::Unknown,
    }
}

/// Refunds and charges do not name their session.
fn of(payment_id: PaymentId) -> Whose {
    Whose { session: None, reference: payment_id.to_string() }
}
