//! Sessions, refunds and the events that tell of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a session stands. Only an open one changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionStatus {
    Open,
    Paid,
    Failed,
    Expired,
}

/// One checkout, with everything the simulator must remember of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    pub(crate) idempotency_key: String,
    pub(crate) refunds: Vec<Refund>,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) order: RefundOrder,
    pub(crate) idempotency_key: String,
}

impl Session {
    pub(crate) fn refunded_minor(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.order.amount_minor).sum()
    }
}

/// An event, as it is sent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Unix seconds.
    pub(crate) created: i64,
    pub(crate) data: EventData,
    #[serde(skip)]
    pub(crate) webhook_url: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventData {
    session: String,
    reference: String,
    amount_minor: i64,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundData>,
}

#[derive(Debug, Clone, Serialize)]
struct RefundData {
    id: String,
    amount_minor: i64,
    reference: Option<String>,
}

impl Event {
    /// That a session has ended in its present state; none for one that is open.
    pub(crate) fn of_session(session: &Session, now: i64) -> Option<Self> {
        let kind = match session.status {
            SessionStatus::Open => return None,
            SessionStatus::Paid => "checkout.paid",
            SessionStatus::Failed => "checkout.failed",
            SessionStatus::Expired => "checkout.expired",
        };
        Some(Self::new(kind, session, None, now))
    }

    /// That money went back.
    pub(crate) fn of_refund(session: &Session, refund: &Refund, now: i64) -> Self {
        let data = RefundData {
            id: refund.id.clone(),
            amount_minor: refund.order.amount_minor,
            reference: refund.order.reference.clone(),
        };
        Self::new("refund.succeeded", session, Some(data), now)
    }

    fn new(kind: &'static str, session: &Session, refund: Option<RefundData>, now: i64) -> Self {
        Self {
            id: new_id("evt"),
            kind,
            created: now,
            data: EventData {
                session: session.id.clone(),
                reference: session.order.reference.clone(),
                amount_minor: session.order.amount_minor,
                currency: session.order.currency.clone(),
                refund,
            },
            webhook_url: session.order.webhook_url.clone(),
        }
    }
}

/// `prefix_` and 122 random bits: nobody guesses one.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::new_v4().simple())
}
