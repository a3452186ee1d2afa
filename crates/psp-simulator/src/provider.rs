//! The simulated provider: the store of sessions and transfers, with a clock and webhooks. API and pages call it.

use std::{
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    cards::Effect,
    error::Refusal,
    faults::{AnswerFault, Chaos, Decision, Switches},
    model::{Order, Refund, RefundOrder, Session, SessionStatus, SettlementFault, Transfer, TransferOrder},
    store::{Line, Outcome, Store},
    webhook::Webhooks,
};

/// The simulated provider. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Provider {
    store: Arc<Mutex<Store>>,
    webhooks: Webhooks,
    chaos: Arc<Chaos>,
    review_seconds: Option<u32>,
}

impl Provider {
    /// Opens the state file of the configuration.
    pub(crate) fn open(config: &crate::Config, webhooks: Webhooks, chaos: Arc<Chaos>) -> io::Result<Self> {
        let store = Store::open(config.state.as_deref(), config.max_sessions)?;
        Ok(Self { store: Arc::new(Mutex::new(store)), webhooks, chaos, review_seconds: config.review_seconds })
    }

    pub(crate) fn create(&self, key: &str, order: Order, switches: Switches) -> Result<Session, Refusal> {
        self.store().create(key, order, switches, now())
    }

    pub(crate) fn get(&self, id: &str) -> Result<Session, Refusal> {
        let session = self.store().get(id)?;
        self.up_to_date(session)
    }

    pub(crate) fn by_token(&self, token: &str) -> Result<Session, Refusal> {
        let session = self.store().by_token(token)?;
        self.up_to_date(session)
    }

    pub(crate) fn end(&self, id: &str, to: SessionStatus, switches: Switches) -> Result<Session, Refusal> {
        let outcome = self.store().end(id, to, now())?;
        Ok(self.publish(outcome, switches))
    }

    pub(crate) fn use_card(&self, token: &str, effect: Effect) -> Result<Session, Refusal> {
        let id = self.by_token(token)?.id;
        let outcome = self.store().use_card(&id, effect, self.review_seconds, now())?;
        Ok(self.publish(outcome, Switches::default()))
    }

    pub(crate) fn answer_challenge(&self, token: &str, answer: Decision) -> Result<Session, Refusal> {
        let id = self.by_token(token)?.id;
        let outcome = self.store().answer_challenge(&id, answer, now())?;
        Ok(self.publish(outcome, Switches::default()))
    }

    pub(crate) fn decide(&self, id: &str, decision: Decision, switches: Switches) -> Result<Session, Refusal> {
        let outcome = self.store().decide(id, decision, now())?;
        Ok(self.publish(outcome, switches))
    }

    pub(crate) fn refund(
        &self,
        key: &str,
        order: RefundOrder,
        switches: Switches,
    ) -> Result<(Session, Refund), Refusal> {
        let outcome = self.store().refund(key, order, now())?;
        Ok(self.publish(outcome, switches))
    }

    /// The fault of the answer to this refund that its checkout asks for. It applies to the first call of each key.
    pub(crate) fn refund_fault(&self, key: &str, session: &str) -> Option<AnswerFault> {
        let fault = self.store().get(session).ok()?.switches.refund?;
        self.chaos.is_first(&format!("refund {key}")).then_some(fault)
    }

    /// The fault of the answer to the call that creates the checkout. It applies to the first call of each key.
    pub(crate) fn create_fault(&self, key: &str, switches: Switches) -> Option<AnswerFault> {
        let fault = switches.answer?;
        self.chaos.is_first(&format!("create {key}")).then_some(fault)
    }

    pub(crate) fn transfer(&self, key: &str, order: TransferOrder, switches: Switches) -> Result<Transfer, Refusal> {
        let outcome = self.store().transfer(key, order, now())?;
        Ok(self.publish(outcome, switches))
    }

    pub(crate) fn get_transfer(&self, id: &str) -> Result<Transfer, Refusal> {
        self.store().get_transfer(id)
    }

    pub(crate) fn settlement(&self, time: &Range<i64>) -> Vec<Line> {
        self.store().settlement(time)
    }

    pub(crate) fn clear_settlement_faults(&self) -> Result<(), Refusal> {
        self.store().clear_settlement_faults()
    }

    pub(crate) fn add_settlement_faults(&self, faults: Vec<SettlementFault>) -> Result<(), Refusal> {
        self.store().add_settlement_faults(faults)
    }

    /// Expires overdue sessions, carries out planned reviews and removes old records once a second, until `stop`.
    pub(crate) async fn run_housekeeping(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let overdue = self.store().overdue(now());
            for id in overdue {
                if let Err(error) = self.end(&id, SessionStatus::Expired, Switches::default()) {
                    tracing::warn!(session = id, error.cause = %error, "a session could not expire yet");
                }
            }
            let due = self.store().reviews_due(now());
            for (id, decision) in due {
                if let Err(error) = self.decide(&id, decision, Switches::default()) {
                    tracing::warn!(session = id, error.cause = %error, "a review could not end yet");
                }
            }
            self.store().forget_old(now());
        }
    }

    /// Expires the session if it is overdue: housekeeping may be late.
    fn up_to_date(&self, session: Session) -> Result<Session, Refusal> {
        if session.status == SessionStatus::Open && session.order.expires_at <= now() {
            return self.end(&session.id, SessionStatus::Expired, Switches::default());
        }
        Ok(session)
    }

    fn publish<T>(&self, outcome: Outcome<T>, switches: Switches) -> T {
        if let Some(mut event) = outcome.event {
            event.fault = switches.webhook.or(event.fault).or_else(|| self.chaos.of_event(&event.id));
            self.webhooks.send(event);
        }
        outcome.value
    }

    /// Ignores poisoning: a change is applied as a whole after everything that can panic.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}
