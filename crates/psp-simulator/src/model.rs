//! Sessions, refunds and transfers, as they are stored.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    cards::{AfterChallenge, Decline},
    faults::{Decision, Switches},
};

/// The status of a session. Only `Open` and `InReview` change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    Open,
    /// A manual review decides about the payment, at any time.
    InReview,
    Paid,
    Failed,
    Expired,
}

/// A checkout session. Of cards it stores the outcome alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// The secret in the address of the checkout page; it entitles to pay.
    pub(crate) token: String,
    pub(crate) status: SessionStatus,
    pub(crate) order: Order,
    /// Unix seconds.
    pub(crate) created: i64,
    /// Unix seconds of the last change.
    pub(crate) updated: i64,
    /// Unix seconds of the payment.
    #[serde(default)]
    pub(crate) paid: Option<i64>,
    pub(crate) idempotency_key: String,
    pub(crate) refunds: Vec<Refund>,
    /// Reasons of declined cards, in order.
    #[serde(default)]
    pub(crate) declines: Vec<Decline>,
    /// The open 3-D Secure challenge: its result if the guest passes it.
    #[serde(default)]
    pub(crate) challenge: Option<AfterChallenge>,
    #[serde(default)]
    pub(crate) review: Option<Review>,
    /// Injected faults, from its creation or its card.
    #[serde(default)]
    pub(crate) switches: Switches,
}

/// A manual review, pending or decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Review {
    /// The planned decision and its time in Unix seconds.
    pub(crate) planned: Option<(i64, Decision)>,
    /// The decision.
    pub(crate) decision: Option<Decision>,
}

/// A merchant's request to create a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) amount_minor: i64,
    /// ISO 4217.
    pub(crate) currency: String,
    /// The merchant's own id for it, repeated in every event.
    pub(crate) reference: String,
    /// Text on the checkout page.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Address to which the page links afterwards.
    #[serde(default)]
    pub(crate) return_url: Option<String>,
    /// Webhook URL of this session instead of the configured one.
    #[serde(default)]
    pub(crate) webhook_url: Option<String>,
    /// Injected faults, as in the header `Psp-Simulate`.
    #[serde(default)]
    pub(crate) simulate: Option<String>,
    /// Expiry in Unix seconds.
    pub(crate) expires_at: i64,
}

/// A merchant's request for a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundOrder {
    pub(crate) session: String,
    pub(crate) amount_minor: i64,
    /// The merchant's own id for it, repeated in its event.
    #[serde(default)]
    pub(crate) reference: Option<String>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) order: RefundOrder,
    pub(crate) idempotency_key: String,
    /// Unix seconds; 0 in state files of older versions.
    #[serde(default)]
    pub(crate) created: i64,
}

/// A merchant's request for a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferOrder {
    pub(crate) amount_minor: i64,
    /// ISO 4217.
    pub(crate) currency: String,
    /// The merchant's name of the account; transfers to `fail` fail.
    pub(crate) destination: String,
    /// The merchant's own id for it, repeated in its event.
    pub(crate) reference: String,
}

/// A transfer, paid or failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) status: TransferStatus,
    pub(crate) order: TransferOrder,
    pub(crate) idempotency_key: String,
    /// Unix seconds.
    pub(crate) created: i64,
}

/// The status of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransferStatus {
    Paid,
    Failed,
}

/// A fault to inject into a line of a settlement file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettlementFault {
    pub(crate) kind: Mismatch,
    /// Id of the session, refund or transfer of the line.
    pub(crate) id: String,
}

/// A kind of mismatch between a settlement file and the movements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mismatch {
    /// The line is left out.
    Missing,
    /// A similar line is added for a movement that never happened.
    Extra,
    /// The amount is one minor unit more.
    Amount,
    /// The currency is another.
    Currency,
    /// The line appears twice.
    Duplicate,
    /// A line is added for a session or transfer that moved no money.
    Status,
}

impl Session {
    pub(crate) fn refunded_minor(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.order.amount_minor).sum()
    }
}

/// `prefix_` and 122 random bits.
pub(crate) fn secret_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}

/// `prefix_` and a digest of `of`: equal in every run, so that random faults are reproducible.
pub(crate) fn id_for(prefix: &str, of: &str) -> String {
    let digest = Sha256::digest(format!("{prefix} {of}"));
    format!("{prefix}_{}", hex::encode(&digest[..16]))
}
