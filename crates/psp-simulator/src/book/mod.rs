//! Sessions and transfers, and what may happen to them. No I/O but the state file, and no clock: the time is given.

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

/// How long an ended session is remembered, in seconds: a paid one can be refunded as long.
const KEEP_UNPAID: i64 = 24 * 3600;
const KEEP_PAID: i64 = 365 * 24 * 3600;

/// Something after a request, and what is to be told about it.
pub(crate) struct Outcome<T> {
    pub(crate) value: T,
    pub(crate) event: Option<Event>,
}

/// All that happened.
pub(crate) struct Book {
    sessions: HashMap<String, Session>,
    tokens: HashMap<String, String>,
    /// From an idempotency key to its session; a key of a refund is another kind of key.
    keys: HashMap<String, String>,
    refund_keys: HashMap<String, String>,
    /// By their id, which their key makes.
    transfers: HashMap<String, Transfer>,
    settlement_faults: HashSet<SettlementFault>,
    journal: Option<Journal>,
    max_sessions: usize,
}

impl Book {
    /// Opens the book that this file holds, or an empty one that no file does. So many sessions and as many transfers
    /// are kept at most.
    pub(crate) fn open(state: Option<&Path>, max_sessions: usize) -> io::Result<Self> {
        let (journal, records) = match state {
            Some(path) => Journal::open(path).map(|(journal, records)| (Some(journal), records))?,
            None => (None, Vec::new()),
        };
        let mut book = Self {
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
            book.index(record);
        }
        Ok(book)
    }

    pub(crate) fn get(&self, id: &str) -> Result<Session, Refusal> {
        self.sessions.get(id).cloned().ok_or(Refusal::NotFound("session"))
    }

    pub(crate) fn by_token(&self, token: &str) -> Result<Session, Refusal> {
        self.get(self.tokens.get(token).ok_or(Refusal::NotFound("session"))?)
    }

    /// Forgets what ended long ago. The state file forgets it at the next start.
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

    /// The file first: what it does not hold has not happened.
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
