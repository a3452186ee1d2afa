//! The revoked sessions that a process knows, and how recently it has read each source of them.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How long a session is remembered: longer than the longest access token (1 hour) by more than clocks differ.
pub const REMEMBERED: Duration = Duration::from_mins(65);
/// Lease of a read: for this time after the start of a complete read of a source, the set answers without another read.
pub(super) const LEASE: Duration = Duration::from_millis(500);
/// Longest wait of a request for the next read while a source has been readable recently.
const WAIT: Duration = Duration::from_millis(500);
/// Time without a read after which requests no longer wait for one.
const OUTAGE: Duration = Duration::from_secs(2);
/// Sessions at which expired ones are removed before another is added. The threshold then doubles or halves.
const FIRST_SWEEP: usize = 1024;

/// A source that the set follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// The log in Redis.
    Log,
    /// Identity, or its database.
    Identity,
}

/// The set. Entries are removed once every token that they concern has expired, which bounds its memory by the number of
/// logins that end within 65 minutes.
#[derive(Debug)]
pub(super) struct RevokedSet {
    sessions: RwLock<Sessions>,
    started: Instant,
    /// Start of the last complete read of each source, in milliseconds after `started` plus one; 0 before the first.
    read_ms: [AtomicU64; 2],
    read: Notify,
}

#[derive(Debug)]
struct Sessions {
    until: HashMap<Box<str>, Instant>,
    sweep_at: usize,
}

impl Default for RevokedSet {
    fn default() -> Self {
        Self {
            sessions: RwLock::new(Sessions { until: HashMap::new(), sweep_at: FIRST_SWEEP }),
            started: Instant::now(),
            read_ms: [const { AtomicU64::new(0) }; 2],
            read: Notify::new(),
        }
    }
}

impl RevokedSet {
    pub(super) fn contains(&self, session: &str) -> bool {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).until.contains_key(session)
    }

    pub(super) fn insert(&self, session: &str) {
        let now = Instant::now();
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.until.len() >= sessions.sweep_at {
            sessions.until.retain(|_, until| *until > now);
            sessions.sweep_at = FIRST_SWEEP.max(sessions.until.len() * 2);
        }
        sessions.until.insert(session.into(), now + REMEMBERED);
    }

    /// Records that a source was read completely by a read that began at `began`.
    pub(super) fn mark_read(&self, source: SourceKind, began: Instant) {
        self.read_ms[source as usize].fetch_max(self.millis(began) + 1, Ordering::AcqRel);
        self.read.notify_waiters();
    }

    /// Time since the start of the last complete read of a source; since the process began if there is none.
    pub(super) fn age(&self, source: SourceKind) -> Duration {
        let read = self.read_ms[source as usize].load(Ordering::Acquire);
        self.started.elapsed().saturating_sub(Duration::from_millis(read.saturating_sub(1)))
    }

    /// Whether a source was read within the lease.
    pub(super) fn is_fresh_by(&self, source: SourceKind) -> bool {
        self.read_ms[source as usize].load(Ordering::Acquire) > 0 && self.age(source) < LEASE
    }

    fn is_fresh(&self) -> bool {
        [SourceKind::Log, SourceKind::Identity].into_iter().any(|source| self.is_fresh_by(source))
    }

    /// Waits until a source was read within the lease, at most 500 ms, and not at all if none was read for 2 s. Returns
    /// whether one was.
    pub(super) async fn freshened(&self) -> bool {
        if self.is_fresh() {
            return true;
        }
        let age = self.age(SourceKind::Log).min(self.age(SourceKind::Identity));
        if age > OUTAGE {
            return false;
        }
        let fresh = async {
            loop {
                let read = self.read.notified();
                if self.is_fresh() {
                    return;
                }
                read.await;
            }
        };
        tokio::time::timeout(WAIT, fresh).await.is_ok()
    }

    /// Whole milliseconds between the start of the process and `time`. A `u64` holds half a billion years of them.
    fn millis(&self, time: Instant) -> u64 {
        let elapsed = time.saturating_duration_since(self.started);
        elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[tokio::test]
    async fn set_is_fresh_within_the_lease_of_a_read_only() {
        let set = RevokedSet::default();
        assert!(!set.is_fresh(), "nothing was read yet");
        set.mark_read(SourceKind::Identity, Instant::now());
        assert!(set.is_fresh_by(SourceKind::Identity) && !set.is_fresh_by(SourceKind::Log));
        assert!(set.freshened().await);
        // A read that began before counts from its beginning.
        let set = RevokedSet { started: ago(Duration::from_secs(10)), ..RevokedSet::default() };
        set.mark_read(SourceKind::Log, ago(LEASE));
        assert!(!set.is_fresh());
        set.mark_read(SourceKind::Log, ago(Duration::from_secs(5)));
        assert!(set.age(SourceKind::Log) < Duration::from_secs(2), "an older read changes nothing");
    }

    #[tokio::test]
    async fn request_waits_for_a_read_but_not_during_an_outage() {
        let set = std::sync::Arc::new(RevokedSet::default());
        let reader = std::sync::Arc::clone(&set);
        let (read, waited) = tokio::join!(async move { reader.mark_read(SourceKind::Log, Instant::now()) }, async {
            set.freshened().await
        });
        assert_eq!((read, waited), ((), true));
        let dead = RevokedSet { started: ago(Duration::from_secs(10)), ..RevokedSet::default() };
        let asked = Instant::now();
        assert!(!dead.freshened().await);
        assert!(asked.elapsed() < WAIT / 2);
    }

    #[test]
    fn expired_sessions_are_removed() {
        let set = RevokedSet::default();
        {
            let mut sessions = set.sessions.write().unwrap();
            for n in 0..FIRST_SWEEP {
                sessions.until.insert(format!("old-{n}").into(), Instant::now());
            }
        }
        set.insert("new");
        assert!(set.contains("new") && !set.contains("old-1"));
        assert_eq!(set.sessions.read().unwrap().until.len(), 1);
    }
}
