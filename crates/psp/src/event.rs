//! Webhook events: the envelope that both providers share, and the event that the payment service acts on.
//!
//! A body is parsed in two steps: [`EventEnvelope::parse`] reads id and type, and
//! [`Provider::parse_event`](crate::Provider::parse_event) reads the data, whose format is the provider's own.

use serde::Deserialize;
use staymesh_domain::Money;
use uuid::Uuid;

use crate::{CheckoutStatus, TransferOutcome};

/// The error of an event of a known type with incomplete data.
pub(crate) const INCOMPLETE: &str = "must have in data what its type requires";

/// An event as received: id, type and undecoded data.
#[derive(Debug, Deserialize)]
pub struct EventEnvelope {
    /// The provider's id, 1 to 200 characters; equal for every redelivery.
    pub id: String,
    /// The type, 1 to 100 characters, for example `checkout.paid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about; events of unknown types may carry anything.
    #[serde(default)]
    pub(crate) data: serde_json::Value,
}

/// An event of the provider that the payment service acts on.
#[derive(Debug, PartialEq, Eq)]
pub enum ProviderEvent {
    /// A checkout changed its state.
    Checkout(CheckoutData, CheckoutStatus),
    /// A card was declined; the guest may try another.
    Declined(PaymentReference),
    /// A refund was completed.
    RefundSucceeded(PaymentReference, RefundData),
    /// The total that was refunded of a payment so far, including refunds made outside of this system.
    Refunded(PaymentReference, Money),
    /// A transfer has ended.
    Transfer(TransferData, TransferOutcome),
    /// An event that must not occur for a payment of ours: a contradiction for finance to examine.
    Unexpected(PaymentReference),
    /// An event of a type that is not handled, or about an object that is not ours.
    Ignored,
}

/// Identifies the payment that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentReference {
    /// The provider's id of the checkout, if the event carries it.
    pub session: Option<String>,
    /// The payment id, as the provider repeats it.
    pub reference: String,
}

impl ProviderEvent {
    /// The payment it is about; `None` for transfers and ignored events.
    pub fn payment_reference(&self) -> Option<PaymentReference> {
        match self {
            Self::Checkout(data, _) => Some(data.payment_reference()),
            Self::Declined(payment)
            | Self::RefundSucceeded(payment, _)
            | Self::Refunded(payment, _)
            | Self::Unexpected(payment) => Some(payment.clone()),
            Self::Transfer(..) | Self::Ignored => None,
        }
    }
}

/// The checkout of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct CheckoutData {
    /// The provider's id.
    pub session: String,
    /// The payment id.
    pub reference: String,
    /// The amount of the checkout, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
}

impl CheckoutData {
    pub(crate) fn payment_reference(&self) -> PaymentReference {
        PaymentReference { session: Some(self.session.clone()), reference: self.reference.clone() }
    }
}

/// The refund of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct RefundData {
    /// The provider's id.
    pub id: String,
    /// The refunded amount, in minor units of the payment's currency.
    pub amount_minor: i64,
    /// The refund id of ours; `None` for a refund that was made in the provider's dashboard.
    pub reference: Option<Uuid>,
}

/// The transfer of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct TransferData {
    /// The provider's id.
    pub transfer: String,
    /// The transfer id of ours.
    pub reference: Uuid,
    /// The amount, in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
}

impl EventEnvelope {
    /// Parses a body whose signature was verified.
    ///
    /// # Errors
    /// What is wrong with it; the text repeats nothing of the body.
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let event: Self = serde_json::from_slice(body).map_err(|_| "must be a JSON object with id, type and data")?;
        let fits = |text: &str, max| (1..=max).contains(&text.chars().count()) && !text.contains('\0');
        if !fits(&event.id, 200) || !fits(&event.kind, 100) {
            return Err("must have an id of 1 to 200 and a type of 1 to 100 characters");
        }
        Ok(event)
    }
}
