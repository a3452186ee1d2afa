//! The sessions, and what may happen to them. No I/O but the state file, and no clock: the time is given.

use std::{collections::HashMap, io, path::Path};

use crate::{
    error::Refusal,
    journal::Journal,
    model::{Event, Order, Refund, RefundOrder, Session, SessionStatus, new_id},
};

/// How long an ended session is remembered, in seconds: a paid one can be refunded as long.
const KEEP_UNPAID: i64 = 24 * 3600;
const KEEP_PAID: i64 = 365 * 24 * 3600;

/// A session after a request, and what is to be told about it.
pub(crate) struct Outcome<T> {
    pub(crate) value: T,
    pub(crate) event: Option<Event>,
}

/// All sessions.
pub(crate) struct Book {
    sessions: HashMap<String, Session>,
    tokens: HashMap<String, String>,
    /// From an idempotency key to its session; a key of a refund is another kind of key.
    keys: HashMap<String, String>,
    refund_keys: HashMap<String, String>,
    journal: Option<Journal>,
    max_sessions: usize,
}

impl Book {
    pub(crate) fn open(state: Option<&Path>, max_sessions: usize) -> io::Result<Self> {
        let (journal, sessions) = match state {
            Some(path) => Journal::open(path).map(|(journal, sessions)| (Some(journal), sessions))?,
            None => (None, Vec::new()),
        };
        let mut book = Self {
            sessions: HashMap::new(),
            tokens: HashMap::new(),
            keys: HashMap::new(),
            refund_keys: HashMap::new(),
            journal,
            max_sessions,
        };
        for session in sessions {
            book.index(session);
        }
        Ok(book)
    }

    pub(crate) fn create(&mut self, key: &str, order: Order, now: i64) -> Result<Session, Refusal> {
        if let Some(session) = self.keys.get(key).and_then(|id| self.sessions.get(id)) {
            return if session.order == order { Ok(session.clone()) } else { Err(Refusal::KeyReused) };
        }
        if order.expires_at <= now {
            return Err(Refusal::invalid("expires_at", "must be in the future"));
        }
        if self.sessions.len() >= self.max_sessions {
            return Err(Refusal::Full);
        }
        let session = Session {
            id: new_id("cs"),
            token: new_id("pay"),
            status: SessionStatus::Open,
            order,
            created: now,
            updated: now,
            idempotency_key: key.to_owned(),
            refunds: Vec::new(),
        };
        self.save(session.clone())?;
        Ok(session)
    }

    pub(crate) fn get(&self, id: &str) -> Result<Session, Refusal> {
        self.sessions.get(id).cloned().ok_or(Refusal::NotFound)
    }

    pub(crate) fn by_token(&self, token: &str) -> Result<Session, Refusal> {
        self.get(self.tokens.get(token).ok_or(Refusal::NotFound)?)
    }

    /// Ends an open session in this way; one that has ended already stays as it is. After its time it only expires.
    pub(crate) fn end(&mut self, id: &str, to: SessionStatus, now: i64) -> Result<Outcome<Session>, Refusal> {
        let mut session = self.get(id)?;
        if session.status != SessionStatus::Open {
            return Ok(Outcome { value: session, event: None });
        }
        session.status = if session.order.expires_at <= now { SessionStatus::Expired } else { to };
        session.updated = now;
        self.save(session.clone())?;
        let event = Event::of_session(&session, now);
        Ok(Outcome { value: session, event })
    }

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
        let refund = Refund { id: new_id("re"), order, idempotency_key: key.to_owned() };
        session.refunds.push(refund.clone());
        session.updated = now;
        self.save(session.clone())?;
        let event = Some(Event::of_refund(&session, &refund, now));
        Ok(Outcome { value: (session, refund), event })
    }

    /// Open sessions whose time is over.
    pub(crate) fn overdue(&self, now: i64) -> Vec<String> {
        let overdue = |session: &&Session| session.status == SessionStatus::Open && session.order.expires_at <= now;
        self.sessions.values().filter(overdue).map(|session| session.id.clone()).collect()
    }

    /// Forgets sessions that ended long ago. The state file forgets them at the next start.
    pub(crate) fn forget_old(&mut self, now: i64) {
        self.sessions.retain(|_, session| {
            let keep = match session.status {
                SessionStatus::Open => return true,
                SessionStatus::Paid => KEEP_PAID,
                SessionStatus::Failed | SessionStatus::Expired => KEEP_UNPAID,
            };
            session.updated + keep > now
        });
        let sessions = &self.sessions;
        for index in [&mut self.tokens, &mut self.keys, &mut self.refund_keys] {
            index.retain(|_, id| sessions.contains_key(id));
        }
    }

    /// The file first: what it does not hold has not happened.
    fn save(&mut self, session: Session) -> Result<(), Refusal> {
        if let Some(journal) = &mut self.journal {
            journal.append(&session).map_err(|error| {
                tracing::error!(error.cause = %error, "the state file cannot be written");
                Refusal::NotWritten
            })?;
        }
        self.index(session);
        Ok(())
    }

    fn index(&mut self, session: Session) {
        self.tokens.insert(session.token.clone(), session.id.clone());
        self.keys.insert(session.idempotency_key.clone(), session.id.clone());
        for refund in &session.refunds {
            self.refund_keys.insert(refund.idempotency_key.clone(), session.id.clone());
        }
        self.sessions.insert(session.id.clone(), session);
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
