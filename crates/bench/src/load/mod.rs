//! How load is made, and what is measured of it.

mod closed;
mod open;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use hdrhistogram::Histogram;
use staymesh_mesh::{Problem, Reason};
use tonic::{Response, Status};

pub(crate) use closed::closed;
pub(crate) use open::open;

/// The longest latency that is told apart, in microseconds.
const LONGEST_MICROS: u64 = 60_000_000;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With what was asked for.
    Accepted,
    /// With a good reason: sold out.
    Refused,
    /// In any other way: the status and the reason.
    Error(String),
}

impl Outcome {
    /// How an answer counts.
    pub(crate) fn of<T>(answer: &Result<Response<T>, Status>) -> Self {
        let Err(status) = answer else { return Self::Accepted };
        match Problem::reason_of(status) {
            Some(Reason::RoomSoldOut) => Self::Refused,
            Some(reason) => Self::Error(format!("{reason:?}")),
            None => Self::Error(format!("{:?}", status.code())),
        }
    }
}

/// What came of a number of requests.
pub(crate) struct Tally {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Counted by what they were.
    pub(crate) errors: BTreeMap<String, u64>,
    /// The requests that were accepted, by number.
    pub(crate) acknowledged: Vec<usize>,
    /// The time to every answer, errors included, in microseconds.
    latency: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            elapsed: Duration::ZERO,
            accepted: 0,
            refused: 0,
            errors: BTreeMap::new(),
            acknowledged: Vec::new(),
            latency: Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?,
        })
    }

    fn note(&mut self, request: usize, outcome: Outcome, took: Duration) {
        match outcome {
            Outcome::Accepted => {
                self.accepted += 1;
                self.acknowledged.push(request);
            }
            Outcome::Refused => self.refused += 1,
            Outcome::Error(what) => *self.errors.entry(what).or_default() += 1,
        }
        self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST_MICROS));
    }

    /// Adds what came of other requests, sent after these. Their numbers begin again.
    pub(crate) fn follow(&mut self, other: Self) -> Result<()> {
        self.elapsed += other.elapsed;
        self.add(other)
    }

    /// Adds what came of other requests, sent at the same time.
    fn add(&mut self, other: Self) -> Result<()> {
        self.accepted += other.accepted;
        self.refused += other.refused;
        for (what, count) in other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        self.acknowledged.extend(other.acknowledged);
        self.latency.add(other.latency)?;
        Ok(())
    }

    pub(crate) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Accepted requests a second.
    pub(crate) fn per_second(&self) -> f64 {
        as_f64(self.accepted) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The longest latency, in milliseconds.
    pub(crate) fn longest_ms(&self) -> f64 {
        as_f64(self.latency.max()) / 1000.0
    }

    /// The latency that `share` of the answers did not exceed, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        as_f64(self.latency.value_at_quantile(share)) / 1000.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of a run stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut one = Tally::new().expect("a tally");
        let mut other = Tally::new().expect("a tally");
        for at in 0..99 {
            one.note(at, Outcome::Accepted, Duration::from_millis(1));
        }
        other.note(99, Outcome::Error("x".into()), Duration::from_millis(500));
        other.note(100, Outcome::Refused, Duration::from_millis(500));
        one.add(other).expect("the same bounds");
        one.elapsed = Duration::from_secs(3);
        assert_eq!((one.accepted, one.refused, one.error_count()), (99, 1, 1));
        assert!((one.per_second() - 33.0).abs() < 1e-9);
        assert!((one.quantile_ms(0.5) - 1.0).abs() < 0.01);
        assert!((one.quantile_ms(0.999) - 500.0).abs() < 1.0);
    }
}
