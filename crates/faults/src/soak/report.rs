//! The summary of a run, as a table and as JSON.

use std::{collections::BTreeMap, fs, path::Path, sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use indicatif::HumanCount;
use serde::Serialize;

use super::{
    acknowledgements::{Acknowledgement, Acknowledgements},
    counters::Counters,
    schedule::Victim,
    verify::Verdict,
};

/// The summary of a run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    seconds: u64,
    clients: u16,
    /// Acknowledged bookings.
    accepted: u64,
    bookings_per_second: u64,
    cancelled: u64,
    refused: u64,
    /// Bookings that were requested again after their answer and received an equal answer.
    repeated: u64,
    /// Retries of requests that were not answered.
    retried: u64,
    /// Retries by reason.
    errors: BTreeMap<String, u64>,
    /// Bookings with a request that was never answered.
    never_answered: u64,
    /// Answers that no correct service gives.
    faults: usize,
    first_replica_killed: u64,
    second_replica_killed: u64,
    postgres_killed: u64,
    /// The longest time between two successes of any client.
    longest_silence_ms: u64,
    violations: u64,
    verdict: Verdict,
}

impl Summary {
    pub(super) fn new(
        clients: u16,
        elapsed: Duration,
        counters: &Counters,
        acknowledgements: &Acknowledgements,
        verdict: Verdict,
    ) -> Self {
        let accepted = counters.accepted.load(Relaxed);
        Self {
            seconds: elapsed.as_secs(),
            clients,
            accepted,
            bookings_per_second: accepted / elapsed.as_secs().max(1),
            cancelled: counters.cancelled.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            repeated: counters.repeated.load(Relaxed),
            retried: counters.retries(),
            errors: counters.errors(),
            never_answered: acknowledgements.count(Acknowledgement::Unanswered)
                + acknowledgements.count(Acknowledgement::HeldOrCancelled),
            faults: counters.faults(),
            first_replica_killed: counters.kills(Victim::First),
            second_replica_killed: counters.kills(Victim::Second),
            postgres_killed: counters.kills(Victim::Postgres),
            longest_silence_ms: counters.longest_gap_ms(),
            violations: verdict.violations(),
            verdict,
        }
    }

    /// Whether no invariant was violated and the run has booked and cancelled at all.
    pub(super) fn passed(&self) -> bool {
        self.violations == 0 && self.faults == 0 && self.accepted > 0 && self.cancelled > 0
    }

    pub(super) fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let count = |count: u64| HumanCount(count).to_string();
        table.add_row(["bookings acknowledged".to_owned(), count(self.accepted)]);
        table.add_row(["  per second".to_owned(), count(self.bookings_per_second)]);
        table.add_row(["cancellations acknowledged".to_owned(), count(self.cancelled)]);
        table.add_row(["sold out".to_owned(), count(self.refused)]);
        table.add_row(["repeats with an equal answer".to_owned(), count(self.repeated)]);
        table.add_row(["retries".to_owned(), count(self.retried)]);
        for (error, times) in &self.errors {
            table.add_row([format!("  {error}"), count(*times)]);
        }
        table.add_row(["never answered".to_owned(), count(self.never_answered)]);
        table.add_row(["kills of the first replica".to_owned(), count(self.first_replica_killed)]);
        table.add_row(["kills of the second replica".to_owned(), count(self.second_replica_killed)]);
        table.add_row(["kills of PostgreSQL".to_owned(), count(self.postgres_killed)]);
        table.add_row([
            "longest time between two successes".to_owned(),
            format!("{} ms", count(self.longest_silence_ms)),
        ]);
        table.add_row(["booked without an acknowledgement".to_owned(), count(self.verdict.unanswered_but_booked)]);
        table.add_row(["answers that no correct service gives".to_owned(), count(self.faults as u64)]);
        for (what, found) in self.verdict.rows() {
            table.add_row([what.to_owned(), count(found)]);
        }
        println!("{table}");
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(path, format!("{json}\n")).with_context(|| format!("writing {}", path.display()))
    }
}

impl Verdict {
    fn rows(&self) -> [(&'static str, u64); 7] {
        [
            ("acknowledged bookings that are missing", self.lost),
            ("bookings in another state than acknowledged", self.in_another_state),
            ("refused bookings that exist", self.refused_but_booked),
            ("bookings that no client requested", self.unasked),
            ("nights whose rooms differ from the bookings", self.nights_that_differ),
            ("oversold nights", self.oversold),
            ("violations by `staymesh check`", self.check_violations),
        ]
    }
}
