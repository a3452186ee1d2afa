//! Sessions, refunds and transfers, as they are remembered.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    cards::{AfterChallenge, Decline},
    faults::{Decision, Switches},
};

/// Where a session stands. Only one that is open or in review changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    Open,
    /// Somebody decides whether to take the money, and may take any time for it.
    InReview,
    Paid,
    Failed,
    Expired,
}

/// One checkout, with everything the simulator must remember of it. Of a card it knows nothing but what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// What the checkout page is found by; whoever has it may pay.
    pub(crate) token: String,
    pub(crate) status: SessionStatus,
    pub(crate) order: Order,
    /// Unix seconds.
    pub(crate) created: i64,
    /// Unix seconds of the last change.
    pub(crate) updated: i64,
    /// Unix seconds, when it is.
    #[serde(default)]
    pub(crate) paid: Option<i64>,
    pub(crate) idempotency_key: String,
    pub(crate) refunds: Vec<Refund>,
    /// Why cards were declined, in order.
    #[serde(default)]
    pub(crate) declines: Vec<Decline>,
    /// What follows when the guest passes the 3-D Secure challenge that is open.
    #[serde(default)]
    pub(crate) challenge: Option<AfterChallenge>,
    #[serde(default)]
    pub(crate) review: Option<Review>,
    /// What goes wrong with it, as was asked for when it was made or by its card.
    #[serde(default)]
    pub(crate) switches: Switches,
}

/// A manual review, under way or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Review {
    /// When it decides itself, Unix seconds, and how.
    pub(crate) planned: Option<(i64, Decision)>,
    /// How it ended.
    pub(crate) decision: Option<Decision>,
}

/// What a merchant asks to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) amount_minor: i64,
    /// ISO 4217.
    pub(crate) currency: String,
    /// The merchant's own id for it, repeated in every event.
    pub(crate) reference: String,
    /// What the guest reads on the page.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Where the page sends the guest afterwards.
    #[serde(default)]
    pub(crate) return_url: Option<String>,
    /// Where events of this session go, instead of the configured place.
    #[serde(default)]
    pub(crate) webhook_url: Option<String>,
    /// What is to go wrong, as in the header `Psp-Simulate`.
    #[serde(default)]
    pub(crate) simulate: Option<String>,
    /// Until when it can be paid, Unix seconds.
    pub(crate) expires_at: i64,
}

/// What a merchant asks to be paid back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundOrder {
    pub(crate) session: String,
    pub(crate) amount_minor: i64,
    /// The merchant's own id for it, repeated in its event.
    #[serde(default)]
    pub(crate) reference: Option<String>,
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) order: RefundOrder,
    pub(crate) idempotency_key: String,
    /// Unix seconds; 0 in files from before it was kept.
    #[serde(default)]
    pub(crate) created: i64,
}

/// What a merchant asks to be paid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferOrder {
    pub(crate) amount_minor: i64,
    /// ISO 4217.
    pub(crate) currency: String,
    /// Whose account, in the merchant's words; `fail` is nobody's.
    pub(crate) destination: String,
    /// The merchant's own id for it, repeated in its event.
    pub(crate) reference: String,
}

/// Money that was paid out, or could not be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) status: TransferStatus,
    pub(crate) order: TransferOrder,
    pub(crate) idempotency_key: String,
    /// Unix seconds.
    pub(crate) created: i64,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransferStatus {
    Paid,
    Failed,
}

/// A line of a settlement file that is to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettlementFault {
    pub(crate) kind: Mismatch,
    /// Of the session, refund or transfer whose line it is.
    pub(crate) id: String,
}

/// How a settlement file may differ from what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mismatch {
    /// The line is left out.
    Missing,
    /// A like line follows, of something that never happened.
    Extra,
    /// The amount is one minor unit more.
    Amount,
    /// The currency is another.
    Currency,
    /// The line comes twice.
    Duplicate,
    /// A line says that money moved that did not.
    Status,
}

impl Session {
    pub(crate) fn refunded_minor(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.order.amount_minor).sum()
    }
}

/// `prefix_` and 122 random bits: nobody guesses one.
pub(crate) fn secret_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}

/// `prefix_` and a digest of what it is made for: the same in every run, so that faults at random can be repeated.
pub(crate) fn id_for(prefix: &str, of: &str) -> String {
    let digest = Sha256::digest(format!("{prefix} {of}"));
    format!("{prefix}_{}", hex::encode(&digest[..16]))
}
