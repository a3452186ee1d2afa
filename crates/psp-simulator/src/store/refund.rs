//! Refunds of paid sessions.

use super::{Outcome, Store};
use crate::{
    error::Refusal,
    event::Event,
    model::{Refund, RefundOrder, Session, SessionStatus, id_for},
};

/// Most refunds per session.
const MAX_REFUNDS: usize = 100;

impl Store {
    /// Refunds a paid session. Idempotent by key.
    pub(crate) fn refund(
        &mut self,
        key: &str,
        order: RefundOrder,
        now: i64,
    ) -> Result<Outcome<(Session, Refund)>, Refusal> {
        if let Some(session) = self.refund_keys.get(key).and_then(|id| self.sessions.get(id)) {
            let made = session.refunds.iter().find(|refund| refund.idempotency_key == key && refund.order == order);
            let value = made.map(|refund| (session.clone(), refund.clone())).ok_or(Refusal::KeyReused)?;
            return Ok(Outcome { value, event: None });
        }
        let mut session = self.get(&order.session)?;
        if session.status != SessionStatus::Paid {
            return Err(Refusal::NotPaid);
        }
        if order.amount_minor > session.order.amount_minor - session.refunded_minor() {
            return Err(Refusal::ExceedsPayment);
        }
        if session.refunds.len() >= MAX_REFUNDS {
            return Err(Refusal::TooManyRefunds);
        }
        let refund = Refund { id: id_for("re", key), order, idempotency_key: key.to_owned(), created: now };
        session.refunds.push(refund.clone());
        session.updated = now;
        self.save_session(&session)?;
        let event = Some(Event::of_refund(&session, &refund, now));
        Ok(Outcome { value: (session, refund), event })
    }
}
