//! Counters of a run, updated by all clients concurrently.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use indicatif::HumanCount;

use super::schedule::Victim;

/// Counters of a run.
pub(super) struct Counters {
    began: Instant,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) cancelled: AtomicU64,
    /// Bookings that were requested again after their answer and received an equal answer.
    pub(super) repeated: AtomicU64,
    retried: AtomicU64,
    /// By [`Victim`].
    kills: [AtomicU64; 3],
    /// Time of the last success, and the longest time between two successes, in microseconds since the start.
    last_success: AtomicU64,
    longest_gap: AtomicU64,
    /// Retried errors, counted by reason.
    errors: Mutex<BTreeMap<String, u64>>,
    /// Answers that no correct service gives.
    faults: Mutex<Vec<String>>,
}

/// The counters at one moment.
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    at: Duration,
    accepted: u64,
    refused: u64,
    cancelled: u64,
    retried: u64,
    kills: u64,
}

/// Faults that are printed; all are counted.
const PRINTED_FAULTS: usize = 20;

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            kills: [const { AtomicU64::new(0) }; 3],
            last_success: AtomicU64::new(0),
            longest_gap: AtomicU64::new(0),
            errors: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Counts a success in `counter` and updates the longest time without one.
    pub(super) fn succeeded(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
        let elapsed = self.began.elapsed();
        let now = elapsed.as_secs().saturating_mul(1_000_000).saturating_add(elapsed.subsec_micros().into());
        let gap = now.saturating_sub(self.last_success.fetch_max(now, Relaxed));
        self.longest_gap.fetch_max(gap, Relaxed);
    }

    pub(super) fn retried(&self, error: String) {
        self.retried.fetch_add(1, Relaxed);
        *lock(&self.errors).entry(error).or_default() += 1;
    }

    pub(super) fn fault(&self, fault: String) {
        let mut faults = lock(&self.faults);
        if faults.len() < PRINTED_FAULTS {
            eprintln!("fault: {fault}");
        }
        faults.push(fault);
    }

    pub(super) fn killed(&self, victim: Victim) {
        self.kills[victim as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn kills(&self, victim: Victim) -> u64 {
        self.kills[victim as usize].load(Relaxed)
    }

    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        lock(&self.errors).clone()
    }

    pub(super) fn faults(&self) -> usize {
        lock(&self.faults).len()
    }

    pub(super) fn retries(&self) -> u64 {
        self.retried.load(Relaxed)
    }

    /// The longest time between two successes, in milliseconds.
    pub(super) fn longest_gap_ms(&self) -> u64 {
        self.longest_gap.load(Relaxed) / 1_000
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.elapsed(),
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            retried: self.retried.load(Relaxed),
            kills: self.kills.iter().map(|kills| kills.load(Relaxed)).sum(),
        }
    }
}

impl Snapshot {
    /// Progress since an earlier snapshot, as one line.
    pub(super) fn line_since(&self, before: &Self) -> String {
        let time = self.at.saturating_sub(before.at).as_secs().max(1);
        let rate = |now: u64, before: u64| HumanCount((now - before) / time);
        format!(
            "{:4} s: per second {} booked, {} cancelled, {} sold out; {} retries; {} kills",
            self.at.as_secs(),
            rate(self.accepted, before.accepted),
            rate(self.cancelled, before.cancelled),
            rate(self.refused, before.refused),
            HumanCount(self.retried - before.retried),
            self.kills,
        )
    }
}

/// Ignores poisoning: a counter stays valid when another task panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_gap_spans_two_successes() {
        let counters = Counters::new();
        counters.succeeded(&counters.accepted);
        std::thread::sleep(Duration::from_millis(20));
        counters.succeeded(&counters.cancelled);
        counters.succeeded(&counters.accepted);
        assert!(counters.longest_gap_ms() >= 20);
        assert_eq!(counters.accepted.load(Relaxed), 2);
    }
}
