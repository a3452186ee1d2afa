//! Stripe's objects with the attributes that the adapter uses. Personal data of the guest is not read.

use serde::Deserialize;
use staymesh_domain::{Money, PaymentId};
use uuid::Uuid;

use super::amount::from_stripe;
use crate::CheckoutStatus;

/// A Checkout Session.
#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    /// The page; absent unless the session is open.
    pub(super) url: Option<String>,
    pub(super) status: Option<SessionStatus>,
    pub(super) payment_status: PaymentStatus,
    amount_total: Option<i64>,
    currency: Option<String>,
    client_reference_id: Option<String>,
    /// Absent until the guest begins to pay.
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
    /// Of a session without a payment. Sessions of ours always have one: an undocumented state.
    NoPaymentRequired,
    #[serde(other)]
    Other,
}

/// A `PaymentIntent`: its id alone unless the request expanded it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Intent {
    Id(String),
    Expanded { id: String, status: String },
}

impl Session {
    /// The state of the checkout; `None` for a state that must not occur for a session of ours.
    ///
    /// A completed session may stay unpaid for days while a direct debit is collected.
    pub(super) fn checkout_status(&self) -> Option<CheckoutStatus> {
        match (self.status?, self.payment_status) {
            (_, PaymentStatus::Paid) => Some(CheckoutStatus::Paid),
            (SessionStatus::Open, PaymentStatus::Unpaid) => Some(CheckoutStatus::Open),
            (SessionStatus::Expired, PaymentStatus::Unpaid) => Some(CheckoutStatus::Expired),
            (SessionStatus::Complete, PaymentStatus::Unpaid) => match &self.payment_intent {
                Some(Intent::Expanded { status, .. })
                    if matches!(&**status, "requires_payment_method" | "canceled") =>
                {
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

    /// The payment id; `None` for a session that another system made in the same account.
    pub(super) fn payment_id(&self) -> Option<PaymentId> {
        self.client_reference_id.as_deref()?.parse().ok()
    }

    pub(super) fn intent(&self) -> Option<&str> {
        self.payment_intent.as_ref().map(|(Intent::Id(id) | Intent::Expanded { id, .. })| id.as_str())
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
    /// `pending`, `requires_action`, and any status added later: not final.
    #[serde(other)]
    Pending,
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

/// A charge of a `PaymentIntent` that succeeded. Carries the metadata of its intent.
#[derive(Deserialize)]
pub(super) struct Charge {
    amount_refunded: i64,
    currency: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

impl Charge {
    /// The total refunded so far.
    pub(super) fn refunded(&self) -> Option<Money> {
        from_stripe(self.amount_refunded, &self.currency)
    }
}

/// A `PaymentIntent` whose payment attempt failed. Carries the metadata of its session.
#[derive(Deserialize)]
pub(super) struct FailedIntent {
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// The metadata that the adapter writes to objects.
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

/// An error response.
#[derive(Deserialize)]
pub(super) struct ErrorResponse {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The field of the request that is wrong.
    param: Option<String>,
}

impl ErrorResponse {
    /// Whether Stripe rejects the return URL of a session.
    pub(super) fn is_about_return_url(&self) -> bool {
        matches!(self.error.param.as_deref(), Some("success_url" | "cancel_url"))
    }

    /// The error code, or else the error type.
    pub(super) fn code(self) -> Option<String> {
        self.error.code.or(self.error.kind)
    }
}
