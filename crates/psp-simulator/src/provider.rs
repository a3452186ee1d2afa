//! The book with a clock and its webhooks: what the API and the pages do.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    book::{Book, Outcome},
    error::Refusal,
    model::{Order, Refund, RefundOrder, Session, SessionStatus},
    webhook::Webhooks,
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Provider {
    book: Arc<Mutex<Book>>,
    webhooks: Webhooks,
}

impl Provider {
    pub(crate) fn new(book: Book, webhooks: Webhooks) -> Self {
        Self { book: Arc::new(Mutex::new(book)), webhooks }
    }

    pub(crate) fn create(&self, key: &str, order: Order) -> Result<Session, Refusal> {
        self.book().create(key, order, now())
    }

    pub(crate) fn get(&self, id: &str) -> Result<Session, Refusal> {
        self.expire_if_overdue(self.book().get(id)?)
    }

    pub(crate) fn by_token(&self, token: &str) -> Result<Session, Refusal> {
        self.expire_if_overdue(self.book().by_token(token)?)
    }

    pub(crate) fn end(&self, id: &str, to: SessionStatus) -> Result<Session, Refusal> {
        let outcome = self.book().end(id, to, now())?;
        Ok(self.told(outcome))
    }

    pub(crate) fn refund(&self, key: &str, order: RefundOrder) -> Result<(Session, Refund), Refusal> {
        let outcome = self.book().refund(key, order, now())?;
        Ok(self.told(outcome))
    }

    /// Expires sessions whose time is over, and forgets old ones, until `stop`.
    pub(crate) async fn keep_house(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let overdue = self.book().overdue(now());
            for id in overdue {
                if let Err(error) = self.end(&id, SessionStatus::Expired) {
                    tracing::warn!(session = id, error.cause = %error, "a session could not expire yet");
                }
            }
            self.book().forget_old(now());
        }
    }

    /// So that nobody sees a session open after its time, however late the housekeeping is.
    fn expire_if_overdue(&self, session: Session) -> Result<Session, Refusal> {
        if session.status == SessionStatus::Open && session.order.expires_at <= now() {
            return self.end(&session.id, SessionStatus::Expired);
        }
        Ok(session)
    }

    fn told<T>(&self, outcome: Outcome<T>) -> T {
        if let Some(event) = outcome.event {
            self.webhooks.send(event);
        }
        outcome.value
    }

    /// Every change is either made or not before it can panic, so a poisoned lock holds no half change.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the book that the configuration names.
pub(crate) fn open(config: &crate::Config, webhooks: Webhooks) -> io::Result<Provider> {
    Ok(Provider::new(Book::open(config.state.as_deref(), config.max_sessions)?, webhooks))
}

fn now() -> i64 {
    Timestamp::now().as_second()
}
