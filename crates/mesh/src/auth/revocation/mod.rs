//! Revoked sessions: logins and clients that ended before their access tokens expire.
//!
//! Identity's database decides which sessions are revoked. Every process keeps a set of them in memory, so that a request
//! needs no call of its own, and follows two sources:
//!
//! - **the log in Redis**, read every 100 ms ([`log`]);
//! - **identity** itself, over gRPC, read every second; every 200 ms while the log cannot be read or is incomplete.
//!
//! The set counts as fresh for 500 ms after the start of a complete read of either source (a lease). Identity answers a
//! logout only after that time, so that afterwards no fresh set lacks the session. A request that finds the set stale waits
//! up to 500 ms for a read. If neither source can be read, [`Standing::Unknown`] leaves the decision to the caller's role.

mod follow;
mod log;
mod set;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::{
    log::Log,
    set::{LEASE, RevokedSet, SourceKind},
};
use crate::redis::{Redis, RedisUnavailable};

pub use follow::{RemoteRevocations, RevocationSource};
pub use set::REMEMBERED;

/// What is known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not ended.
    Valid,
    /// It has ended.
    Revoked,
    /// It is not known to have ended, but neither Redis nor identity can be read.
    Unknown,
}

/// The revoked sessions that this process knows. Clones share them.
#[derive(Clone)]
pub struct Revocations {
    set: Arc<RevokedSet>,
    log: Option<Log>,
    /// Whether there are no other processes, so that the set is always complete.
    alone: bool,
}

impl Revocations {
    /// An empty set, which [`Self::follow_log`] and [`Self::follow_source`] keep fresh.
    pub fn new(redis: Option<Redis>) -> Self {
        Self { set: Arc::default(), log: redis.map(Log), alone: false }
    }

    /// The set of a program that shares its sessions with no other: it knows every revocation, because all are its own.
    pub fn of_this_process() -> Self {
        Self { set: Arc::default(), log: None, alone: true }
    }

    /// Whether a session is known to be revoked.
    pub fn is_revoked(&self, session: &str) -> bool {
        self.set.contains(session)
    }

    /// What is known of a session. Waits up to 500 ms if the set is stale.
    pub async fn standing(&self, session: &str) -> Standing {
        if self.is_revoked(session) {
            return Standing::Revoked;
        }
        let fresh = self.alone || self.set.freshened().await;
        // Looked up after the set was found fresh: it then has every session whose revocation was answered.
        match (self.is_revoked(session), fresh) {
            (true, _) => Standing::Revoked,
            (false, true) => Standing::Valid,
            (false, false) => Standing::Unknown,
        }
    }

    /// Revokes sessions for every process, and waits until no process takes an older set for fresh: 500 ms, or 1.5 s if the
    /// log cannot be written, because the other processes then read identity.
    ///
    /// # Errors
    /// [`RedisUnavailable`] if the log could not be written.
    pub async fn revoke(&self, sessions: &[String]) -> Result<(), RedisUnavailable> {
        for session in sessions {
            self.set.insert(session);
        }
        if sessions.is_empty() || self.alone {
            return Ok(());
        }
        let written = match &self.log {
            Some(log) => log.append(sessions).await,
            None => Ok(()),
        };
        let wait = if written.is_ok() { LEASE } else { LEASE + follow::SLOW };
        sleep(wait).await;
        written
    }

    /// Adds what a read of a complete source, begun at `began`, has returned.
    fn observe(&self, sessions: impl IntoIterator<Item = String>, source: SourceKind, began: Instant) {
        sessions.into_iter().for_each(|session| self.set.insert(&session));
        self.set.mark_read(source, began);
    }

    /// Interval between reads of identity.
    fn pace(&self) -> Duration {
        if self.set.is_fresh_by(SourceKind::Log) { follow::SLOW } else { follow::FAST }
    }
}
