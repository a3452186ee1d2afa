//! Webhook events in their wire format.

use serde::Serialize;

use crate::{
    faults::WebhookFault,
    model::{Refund, Session, SessionStatus, Transfer, TransferStatus, id_for},
};

/// An event.
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
    /// Fault of its delivery.
    #[serde(skip)]
    pub(crate) fault: Option<WebhookFault>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum EventData {
    Checkout {
        session: String,
        reference: String,
        amount_minor: i64,
        currency: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        refund: Option<RefundData>,
    },
    Transfer {
        transfer: String,
        reference: String,
        amount_minor: i64,
        currency: String,
        destination: String,
    },
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct RefundData {
    id: String,
    amount_minor: i64,
    reference: Option<String>,
}

impl Event {
    /// The event of the present status of a session; `None` for an open session.
    pub(crate) fn of_session(session: &Session, now: i64) -> Option<Self> {
        let kind = match session.status {
            SessionStatus::Open => return None,
            SessionStatus::InReview => "checkout.review",
            SessionStatus::Paid => "checkout.paid",
            SessionStatus::Failed => "checkout.failed",
            SessionStatus::Expired => "checkout.expired",
        };
        Some(Self::checkout(kind, &session.id, session, None, now))
    }

    /// `checkout.declined`: a card was declined, and the session stays open.
    pub(crate) fn of_decline(session: &Session, now: i64) -> Self {
        let nth = format!("{} {}", session.id, session.declines.len());
        Self::checkout("checkout.declined", &nth, session, None, now)
    }

    /// `refund.succeeded`.
    pub(crate) fn of_refund(session: &Session, refund: &Refund, now: i64) -> Self {
        let data = RefundData {
            id: refund.id.clone(),
            amount_minor: refund.order.amount_minor,
            reference: refund.order.reference.clone(),
        };
        Self::checkout("refund.succeeded", &refund.id, session, Some(data), now)
    }

    /// `transfer.paid` or `transfer.failed`.
    pub(crate) fn of_transfer(transfer: &Transfer, now: i64) -> Self {
        let kind = match transfer.status {
            TransferStatus::Paid => "transfer.paid",
            TransferStatus::Failed => "transfer.failed",
        };
        let data = EventData::Transfer {
            transfer: transfer.id.clone(),
            reference: transfer.order.reference.clone(),
            amount_minor: transfer.order.amount_minor,
            currency: transfer.order.currency.clone(),
            destination: transfer.order.destination.clone(),
        };
        let id = id_for("evt", &format!("{kind} {}", transfer.id));
        Self { id, kind, created: now, data, webhook_url: None, fault: None }
    }

    /// Id of the session or transfer. Events are ordered by subject.
    pub(crate) fn subject(&self) -> &str {
        match &self.data {
            EventData::Checkout { session, .. } => session,
            EventData::Transfer { transfer, .. } => transfer,
        }
    }

    fn checkout(kind: &'static str, of: &str, session: &Session, refund: Option<RefundData>, now: i64) -> Self {
        Self {
            id: id_for("evt", &format!("{kind} {of}")),
            kind,
            created: now,
            data: EventData::Checkout {
                session: session.id.clone(),
                reference: session.order.reference.clone(),
                amount_minor: session.order.amount_minor,
                currency: session.order.currency.clone(),
                refund,
            },
            webhook_url: session.order.webhook_url.clone(),
            fault: session.switches.webhook,
        }
    }
}
