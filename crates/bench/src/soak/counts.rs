//! What happens, as it happens: counted by all clients together.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use indicatif::HumanCount;

use super::kills::Victim;

/// Counters of a run.
pub(super) struct Counts {
    began: Instant,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) cancelled: AtomicU64,
    /// Bookings that were asked for again after their answer, and got the same one.
    pub(super) repeated: AtomicU64,
    retried: AtomicU64,
    kills: [AtomicU64; 3],
    /// When something last succeeded, and the longest time without, in microseconds since the beginning.
    last_success: AtomicU64,
    longest_silence: AtomicU64,
    /// What was answered instead of an answer, and asked again.
    errors: Mutex<BTreeMap<String, u64>>,
    /// What nobody should have answered.
    faults: Mutex<Vec<String>>,
}

/// How it stands at a moment.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    at: Duration,
    accepted: u64,
    refused: u64,
    cancelled: u64,
    retried: u64,
    kills: u64,
}

/// Faults that are told; all are counted.
const FAULTS_TOLD: usize = 20;

impl Counts {
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
            longest_silence: AtomicU64::new(0),
            errors: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A booking was made or cancelled.
    pub(super) fn succeeded(&self, what: &AtomicU64) {
        what.fetch_add(1, Relaxed);
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let silence = now.saturating_sub(self.last_success.fetch_max(now, Relaxed));
        self.longest_silence.fetch_max(silence, Relaxed);
    }

    pub(super) fn retried(&self, error: String) {
        self.retried.fetch_add(1, Relaxed);
        *lock(&self.errors).entry(error).or_default() += 1;
    }

    pub(super) fn fault(&self, fault: String) {
        let mut faults = lock(&self.faults);
        if faults.len() < FAULTS_TOLD {
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

    pub(super) fn longest_silence(&self) -> Duration {
        Duration::from_micros(self.longest_silence.load(Relaxed))
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            at: self.elapsed(),
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            retried: self.retried.load(Relaxed),
            kills: self.kills.iter().map(|kills| kills.load(Relaxed)).sum(),
        }
    }
}

impl Seen {
    /// One line for the terminal.
    pub(super) fn line_since(&self, before: &Self) -> String {
        let time = self.at.saturating_sub(before.at).as_secs().max(1);
        let rate = |now: u64, before: u64| HumanCount((now - before) / time);
        format!(
            "{:4} s: {} booked a second, {} cancelled, {} sold out; {} asked again; {} kills",
            self.at.as_secs(),
            rate(self.accepted, before.accepted),
            rate(self.cancelled, before.cancelled),
            rate(self.refused, before.refused),
            HumanCount(self.retried - before.retried),
            self.kills,
        )
    }
}

/// A counter is worth reading whatever happened to who held it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_is_between_two_successes() {
        let counts = Counts::new();
        counts.succeeded(&counts.accepted);
        std::thread::sleep(Duration::from_millis(20));
        counts.succeeded(&counts.cancelled);
        counts.succeeded(&counts.accepted);
        assert!(counts.longest_silence() >= Duration::from_millis(20));
        assert_eq!(counts.accepted.load(Relaxed), 2);
    }
}
