//! Stripe's objects, as far as they concern us. What they say of the guest is not read.

use serde::Deserialize;
use staymesh_domain::{Money, PaymentId};
use uuid::Uuid;

use super::amount::from_stripe;
use crate::model::CheckoutStatus;

/// A Checkout Session.
#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    /// The page; absent when it is not open.
    pub(super) url: Option<String>,
    pub(super) status: Option<SessionStatus>,
    pub(super) payment_status: PaymentStatus,
    amount_total: Option<i64>,
    currency: Option<String>,
    client_reference_id: Option<String>,
    /// Absent until somebody begins to pay.
    payment_intent: Option<Intent>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SessionStatus {
    Open,
    Complete,
    Expired,
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentStatus {
    Paid,
    Unpaid,
    /// Of a session that asks for no money now. Ours all do: no money has come with it.
    NoPaymentRequired,
    #[serde(other)]
    Other,
}

/// A `PaymentIntent`: its id alone unless it was asked for whole.
#[derive(Deserialize)]
#[serde(untagged)]
enum Intent {
    Id(String),
    Whole { id: String, status: String },
}

impl Session {
    /// How the checkout stands; none when it says what it never should of a checkout of ours.
    ///
    /// A guest may be through with the page while the money is on its way for days, as with a direct debit.
    pub(super) fn standing(&self) -> Option<CheckoutStatus> {
        match (self.status?, self.payment_status) {
            (_, PaymentStatus::Paid) => Some(CheckoutStatus::Paid),
            (SessionStatus::Open, PaymentStatus::Unpaid) => Some(CheckoutStatus::Open),
            (SessionStatus::Expired, PaymentStatus::Unpaid) => Some(CheckoutStatus::Expired),
            (SessionStatus::Complete, PaymentStatus::Unpaid) => match &self.payment_intent {
                Some(Intent::Whole { status, .. }) if matches!(&**status, "requires_payment_method" | "canceled") => {
                    Some(CheckoutStatus::Failed)
                }
                _ => Some(CheckoutStatus::InReview),
            },
            _ => None,
        }
    }

    pub(super) fn amount(&self) -> Option<Money> {
        from_stripe(self.amount_total?, self.currency.as_deref()?)
    }

    /// Our payment; none for a session that somebody else made in the same account.
    pub(super) fn payment_id(&self) -> Option<PaymentId> {
        self.client_reference_id.as_deref()?.parse().ok()
    }

    pub(super) fn intent(&self) -> Option<&str> {
        self.payment_intent.as_ref().map(|(Intent::Id(id) | Intent::Whole { id, .. })| id.as_str())
    }
}

/// A refund.
#[derive(Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    amount: i64,
    currency: String,
    pub(super) status: Option<RefundStatus>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    Succeeded,
    Failed,
    Canceled,
    /// Pending, requires action, and what else may come that is not the end.
    #[serde(other)]
    Underway,
}

impl Refund {
    pub(super) fn amount(&self) -> Option<Money> {
        from_stripe(self.amount, &self.currency)
    }
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// A charge: what a `PaymentIntent` that succeeded has taken. Carries the metadata of its intent.
#[derive(Deserialize)]
pub(super) struct Charge {
    amount_refunded: i64,
    currency: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

impl Charge {
    /// All that went back of it.
    pub(super) fn refunded(&self) -> Option<Money> {
        from_stripe(self.amount_refunded, &self.currency)
    }
}

/// A `PaymentIntent` with which somebody tried to pay in vain. Carries what we wrote on it with its session.
#[derive(Deserialize)]
pub(super) struct FailedIntent {
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// What we have written on an object.
#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    payment_id: Option<String>,
    refund_id: Option<String>,
}

impl Metadata {
    pub(super) fn payment_id(&self) -> Option<PaymentId> {
        self.payment_id.as_deref()?.parse().ok()
    }

    pub(super) fn refund_id(&self) -> Option<Uuid> {
        self.refund_id.as_deref()?.parse().ok()
    }
}

/// An error.
#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl ErrorAnswer {
    /// Its code, or at least what sort of error it is.
    pub(super) fn code(self) -> Option<String> {
        self.error.code.or(self.error.kind)
    }
}
