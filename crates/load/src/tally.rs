//! Counts and latencies of a number of requests.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use hdrhistogram::Histogram;
use staymesh_mesh::{Problem, Reason};
use tonic::{Response, Status};

/// The longest latency that the histogram distinguishes, in microseconds; longer ones are recorded as this.
const LONGEST_MICROS: u64 = 60_000_000;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Success.
    Accepted,
    /// Refused because the rooms are sold out, which is a correct answer.
    Refused,
    /// Any other error: its reason, or its gRPC code if it has none.
    Error(String),
}

impl Outcome {
    /// The outcome of a gRPC call.
    pub fn of<T>(answer: &Result<Response<T>, Status>) -> Self {
        let Err(status) = answer else { return Self::Accepted };
        match Problem::reason_of(status) {
            Some(Reason::RoomSoldOut) => Self::Refused,
            Some(reason) => Self::Error(format!("{reason:?}")),
            None => Self::Error(format!("{:?}", status.code())),
        }
    }
}

/// Counts and latencies of a number of requests.
#[derive(Debug)]
pub struct Tally {
    /// Time from the first request to the last answer.
    pub elapsed: Duration,
    /// Number of accepted requests.
    pub accepted: u64,
    /// Number of refused requests.
    pub refused: u64,
    /// Number of errors by reason or gRPC code.
    pub errors: BTreeMap<String, u64>,
    /// The numbers of the accepted requests.
    pub acknowledged: Vec<usize>,
    /// Latency of every answer, errors included, in microseconds.
    latency: Histogram<u64>,
}

impl Tally {
    /// An empty tally.
    ///
    /// # Errors
    /// When the bounds of the histogram are invalid, which they are not.
    pub fn new() -> Result<Self> {
        Ok(Self {
            elapsed: Duration::ZERO,
            accepted: 0,
            refused: 0,
            errors: BTreeMap::new(),
            acknowledged: Vec::new(),
            latency: Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?,
        })
    }

    pub(crate) fn record(&mut self, request: usize, outcome: Outcome, latency: Duration) {
        match outcome {
            Outcome::Accepted => {
                self.accepted += 1;
                self.acknowledged.push(request);
            }
            Outcome::Refused => self.refused += 1,
            Outcome::Error(what) => *self.errors.entry(what).or_default() += 1,
        }
        self.latency.saturating_record(saturating_micros(latency));
    }

    /// Appends the tally of requests that were sent after these: both times add up. Request numbers of the two overlap.
    ///
    /// # Errors
    /// When the histograms have different bounds, which they have not.
    pub fn append(&mut self, later: Self) -> Result<()> {
        self.elapsed += later.elapsed;
        self.merge(later)
    }

    /// Adds the tally of requests that were sent at the same time; `elapsed` stays.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        self.accepted += other.accepted;
        self.refused += other.refused;
        for (what, count) in other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        self.acknowledged.extend(other.acknowledged);
        self.latency.add(other.latency)?;
        Ok(())
    }

    /// Number of requests that ended with an error.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Accepted requests per second.
    pub fn per_second(&self) -> f64 {
        as_f64(self.accepted) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// The longest latency, in milliseconds.
    pub fn longest_ms(&self) -> f64 {
        as_f64(self.latency.max()) / 1000.0
    }

    /// The latency that a share `quantile` (0 to 1) of the answers did not exceed, in milliseconds.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        as_f64(self.latency.value_at_quantile(quantile)) / 1000.0
    }
}

/// Whole microseconds. Saturates after 584,000 years, far above [`LONGEST_MICROS`].
fn saturating_micros(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000).saturating_add(time.subsec_micros().into())
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of a run stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_adds_counts_errors_and_latencies() {
        let mut one = Tally::new().expect("a tally");
        let mut other = Tally::new().expect("a tally");
        for request in 0..99 {
            one.record(request, Outcome::Accepted, Duration::from_millis(1));
        }
        other.record(99, Outcome::Error("x".into()), Duration::from_millis(500));
        other.record(100, Outcome::Refused, Duration::from_millis(500));
        one.merge(other).expect("the same bounds");
        one.elapsed = Duration::from_secs(3);
        assert_eq!((one.accepted, one.refused, one.error_count()), (99, 1, 1));
        assert!((one.per_second() - 33.0).abs() < 1e-9);
        assert!((one.quantile_ms(0.5) - 1.0).abs() < 0.01);
        assert!((one.quantile_ms(0.999) - 500.0).abs() < 1.0);
    }
}
