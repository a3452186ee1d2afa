//! The book with a clock and its webhooks: what the API and the pages do.

use std::{
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    book::{Book, Line, Outcome},
    cards::Effect,
    error::Refusal,
    faults::{AnswerFault, Chaos, Decision, Switches},
    model::{Order, Refund, RefundOrder, Session, SessionStatus, SettlementFault, Transfer, TransferOrder},
    webhook::Webhooks,
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Provider {
    book: Arc<Mutex<Book>>,
    webhooks: Webhooks,
    chaos: Arc<Chaos>,
    review_seconds: Option<u32>,
}

impl Provider {
    /// Opens the book that the configuration names.
    pub(crate) fn open(config: &crate::Config, webhooks: Webhooks, chaos: Arc<Chaos>) -> io::Result<Self> {
        let book = Book::open(config.state.as_deref(), config.max_sessions)?;
        Ok(Self { book: Arc::new(Mutex::new(book)), webhooks, chaos, review_seconds: config.review_seconds })
    }

    pub(crate) fn create(&self, key: &str, order: Order, asked: Switches) -> Result<Session, Refusal> {
        self.book().create(key, order, asked, now())
    }

    pub(crate) fn get(&self, id: &str) -> Result<Session, Refusal> {
        let session = self.book().get(id)?;
        self.up_to_date(session)
    }

    pub(crate) fn by_token(&self, token: &str) -> Result<Session, Refusal> {
        let session = self.book().by_token(token)?;
        self.up_to_date(session)
    }

    pub(crate) fn end(&self, id: &str, to: SessionStatus, asked: Switches) -> Result<Session, Refusal> {
        let outcome = self.book().end(id, to, now())?;
        Ok(self.told(outcome, asked))
    }

    pub(crate) fn use_card(&self, token: &str, effect: Effect) -> Result<Session, Refusal> {
        let id = self.by_token(token)?.id;
        let outcome = self.book().use_card(&id, effect, self.review_seconds, now())?;
        Ok(self.told(outcome, Switches::default()))
    }

    pub(crate) fn answer_challenge(&self, token: &str, answer: Decision) -> Result<Session, Refusal> {
        let id = self.by_token(token)?.id;
        let outcome = self.book().answer_challenge(&id, answer, now())?;
        Ok(self.told(outcome, Switches::default()))
    }

    pub(crate) fn decide(&self, id: &str, decision: Decision, asked: Switches) -> Result<Session, Refusal> {
        let outcome = self.book().decide(id, decision, now())?;
        Ok(self.told(outcome, asked))
    }

    pub(crate) fn refund(&self, key: &str, order: RefundOrder, asked: Switches) -> Result<(Session, Refund), Refusal> {
        let outcome = self.book().refund(key, order, now())?;
        Ok(self.told(outcome, asked))
    }

    /// What goes wrong with the answer to this refund because its checkout says so: once for each key.
    pub(crate) fn refund_fault(&self, key: &str, session: &str) -> Option<AnswerFault> {
        let fault = self.book().get(session).ok()?.switches.refund?;
        self.chaos.is_first(&format!("refund {key}")).then_some(fault)
    }

    /// As [`Self::refund_fault`], of the call that makes the checkout.
    pub(crate) fn create_fault(&self, key: &str, asked: Switches) -> Option<AnswerFault> {
        let fault = asked.answer?;
        self.chaos.is_first(&format!("create {key}")).then_some(fault)
    }

    pub(crate) fn transfer(&self, key: &str, order: TransferOrder, asked: Switches) -> Result<Transfer, Refusal> {
        let outcome = self.book().transfer(key, order, now())?;
        Ok(self.told(outcome, asked))
    }

    pub(crate) fn get_transfer(&self, id: &str) -> Result<Transfer, Refusal> {
        self.book().get_transfer(id)
    }

    pub(crate) fn settlement(&self, time: &Range<i64>) -> Vec<Line> {
        self.book().settlement(time)
    }

    pub(crate) fn clear_settlement_faults(&self) -> Result<(), Refusal> {
        self.book().clear_settlement_faults()
    }

    pub(crate) fn add_settlement_faults(&self, faults: Vec<SettlementFault>) -> Result<(), Refusal> {
        self.book().add_settlement_faults(faults)
    }

    /// Expires sessions whose time is over, ends reviews that are planned to end, and forgets what is old, until `stop`.
    pub(crate) async fn keep_house(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let overdue = self.book().overdue(now());
            for id in overdue {
                if let Err(error) = self.end(&id, SessionStatus::Expired, Switches::default()) {
                    tracing::warn!(session = id, error.cause = %error, "a session could not expire yet");
                }
            }
            let due = self.book().reviews_due(now());
            for (id, decision) in due {
                if let Err(error) = self.decide(&id, decision, Switches::default()) {
                    tracing::warn!(session = id, error.cause = %error, "a review could not end yet");
                }
            }
            self.book().forget_old(now());
        }
    }

    /// So that nobody sees a session open after its time, however late the housekeeping is.
    fn up_to_date(&self, session: Session) -> Result<Session, Refusal> {
        if session.status == SessionStatus::Open && session.order.expires_at <= now() {
            return self.end(&session.id, SessionStatus::Expired, Switches::default());
        }
        Ok(session)
    }

    fn told<T>(&self, outcome: Outcome<T>, asked: Switches) -> T {
        if let Some(mut event) = outcome.event {
            event.fault = asked.webhook.or(event.fault).or_else(|| self.chaos.of_event(&event.id));
            self.webhooks.send(event);
        }
        outcome.value
    }

    /// Every change is either made or not before it can panic, so a poisoned lock holds no half change.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}
