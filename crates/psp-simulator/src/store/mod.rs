//! The store of sessions and transfers, and their state transitions. Its only I/O is the state file; the time is a parameter.

mod checkout;
mod refund;
mod settlement;
mod transfer;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
};

pub(crate) use checkout::MAX_DECLINES;
pub(crate) use settlement::Line;

use crate::{
    error::Refusal,
    event::Event,
    journal::{Journal, Record},
    model::{Session, SessionStatus, SettlementFault, Transfer},
};

/// How long a session that ended unpaid is kept, in seconds.
const KEEP_UNPAID: i64 = 24 * 3600;
/// How long a paid session can be refunded and is kept, in seconds.
const KEEP_PAID: i64 = 365 * 24 * 3600;

/// The result of a request, and the event to publish if it changed anything.
pub(crate) struct Outcome<T> {
    pub(crate) value: T,
    pub(crate) event: Option<Event>,
}

/// All sessions, refunds and transfers.
pub(crate) struct Store {
    sessions: HashMap<String, Session>,
    tokens: HashMap<String, String>,
    /// Session id by idempotency key. Refunds have a key space of their own.
    keys: HashMap<String, String>,
    refund_keys: HashMap<String, String>,
    /// By id, which is derived from the idempotency key.
    transfers: HashMap<String, Transfer>,
    settlement_faults: HashSet<SettlementFault>,
    journal: Option<Journal>,
    max_sessions: usize,
}

impl Store {
    /// Reads the state file, or starts empty without one. Holds at most `max_sessions` sessions and as many transfers.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn open(state: Option<&Path>, max_sessions: usize) -> io::Result<Self> {
        let (journal, records) = match state {
            Some(path) => Journal::open(path).map(|(journal, records)| (Some(journal), records))?,
            None => (None, Vec::new()),
        };
        let mut store = Self {
            sessions: HashMap::new(),
            tokens: HashMap::new(),
            keys: HashMap::new(),
            refund_keys: HashMap::new(),
            transfers: HashMap::new(),
            settlement_faults: HashSet::new(),
            journal,
            max_sessions,
        };
        for record in records {
            store.index(record);
        }
        Ok(store)
    }

    pub(crate) fn get(&self, id: &str) -> Result<Session, Refusal> {
        self.sessions.get(id).cloned().ok_or(Refusal::NotFound("session"))
    }

    pub(crate) fn by_token(&self, token: &str) -> Result<Session, Refusal> {
        self.get(self.tokens.get(token).ok_or(Refusal::NotFound("session"))?)
    }

    /// Removes sessions and transfers past their retention. The state file is compacted at the next start.
    pub(crate) fn forget_old(&mut self, now: i64) {
        self.sessions.retain(|_, session| {
            let keep = match session.status {
                SessionStatus::Open | SessionStatus::InReview => return true,
                SessionStatus::Paid => KEEP_PAID,
                SessionStatus::Failed | SessionStatus::Expired => KEEP_UNPAID,
            };
            session.updated + keep > now
        });
        let sessions = &self.sessions;
        for index in [&mut self.tokens, &mut self.keys, &mut self.refund_keys] {
            index.retain(|_, id| sessions.contains_key(id));
        }
        self.transfers.retain(|_, transfer| transfer.created + KEEP_PAID > now);
    }

    /// Writes the file first: a change that is not in the file did not happen.
    fn save(&mut self, record: Record) -> Result<(), Refusal> {
        if let Some(journal) = &mut self.journal {
            journal.append(&record).map_err(|error| {
                tracing::error!(error.cause = %error, "the state file cannot be written");
                Refusal::NotWritten
            })?;
        }
        self.index(record);
        Ok(())
    }

    fn save_session(&mut self, session: &Session) -> Result<(), Refusal> {
        self.save(Record::Session(Box::new(session.clone())))
    }

    fn index(&mut self, record: Record) {
        match record {
            Record::Transfer { transfer } => {
                self.transfers.insert(transfer.id.clone(), transfer);
            }
            Record::NoSettlementFault { no_settlement_fault } => {
                self.settlement_faults.remove(&no_settlement_fault);
            }
            Record::SettlementFault { settlement_fault } => {
                self.settlement_faults.insert(settlement_fault);
            }
            Record::Session(session) => {
                self.tokens.insert(session.token.clone(), session.id.clone());
                self.keys.insert(session.idempotency_key.clone(), session.id.clone());
                for refund in &session.refunds {
                    self.refund_keys.insert(refund.idempotency_key.clone(), session.id.clone());
                }
                self.sessions.insert(session.id.clone(), *session);
            }
        }
    }
}

#[cfg(test)]
mod tests;
