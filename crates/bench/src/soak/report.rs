//! What came of it, for people and for programs.

use std::{collections::BTreeMap, fs, path::Path, sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use indicatif::HumanCount;
use serde::Serialize;

use super::{
    Options,
    counts::Counts,
    kills::Victim,
    ledger::{Fate, Ledger},
    verify::Verdict,
};

/// The outcome of a run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    seconds: u64,
    clients: u16,
    /// Bookings that were acknowledged.
    accepted: u64,
    bookings_per_second: u64,
    cancelled: u64,
    refused: u64,
    /// Asked for again after the answer, and answered in the same way.
    repeated: u64,
    /// Requests that were sent again because nobody had answered.
    retried: u64,
    /// Why, each with its count.
    errors: BTreeMap<String, u64>,
    /// Requests that were never answered.
    never_answered: u64,
    /// Answers that nobody should have given.
    faults: usize,
    first_replica_killed: u64,
    second_replica_killed: u64,
    postgres_killed: u64,
    /// The longest time in which nobody succeeded with anything.
    longest_silence_ms: u64,
    violations: u64,
    verdict: Verdict,
}

impl Summary {
    pub(super) fn new(
        options: &Options,
        elapsed: Duration,
        counts: &Counts,
        ledger: &Ledger,
        verdict: Verdict,
    ) -> Self {
        let accepted = counts.accepted.load(Relaxed);
        Self {
            seconds: elapsed.as_secs(),
            clients: options.clients,
            accepted,
            bookings_per_second: accepted / elapsed.as_secs().max(1),
            cancelled: counts.cancelled.load(Relaxed),
            refused: counts.refused.load(Relaxed),
            repeated: counts.repeated.load(Relaxed),
            retried: counts.retries(),
            errors: counts.errors(),
            never_answered: ledger.count(Fate::Unknown) + ledger.count(Fate::HeldOrCancelled),
            faults: counts.faults(),
            first_replica_killed: counts.kills(Victim::First),
            second_replica_killed: counts.kills(Victim::Second),
            postgres_killed: counts.kills(Victim::Postgres),
            longest_silence_ms: u64::try_from(counts.longest_silence().as_millis()).unwrap_or(u64::MAX),
            violations: verdict.violations(),
            verdict,
        }
    }

    /// Whether all was as it must be, and the run has shown anything.
    pub(super) fn is_good(&self) -> bool {
        self.violations == 0 && self.faults == 0 && self.accepted > 0 && self.cancelled > 0
    }

    pub(super) fn show(&self) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let count = |count: u64| HumanCount(count).to_string();
        table.add_row(["bookings acknowledged".to_owned(), count(self.accepted)]);
        table.add_row(["  a second".to_owned(), count(self.bookings_per_second)]);
        table.add_row(["cancellations acknowledged".to_owned(), count(self.cancelled)]);
        table.add_row(["sold out".to_owned(), count(self.refused)]);
        table.add_row(["repeats with the same answer".to_owned(), count(self.repeated)]);
        table.add_row(["sent again".to_owned(), count(self.retried)]);
        for (error, times) in &self.errors {
            table.add_row([format!("  {error}"), count(*times)]);
        }
        table.add_row(["never answered".to_owned(), count(self.never_answered)]);
        table.add_row(["kills of the first replica".to_owned(), count(self.first_replica_killed)]);
        table.add_row(["kills of the second replica".to_owned(), count(self.second_replica_killed)]);
        table.add_row(["kills of PostgreSQL".to_owned(), count(self.postgres_killed)]);
        table.add_row(["longest time without success".to_owned(), format!("{} ms", count(self.longest_silence_ms))]);
        table
            .add_row(["booked, but the last answer was another".to_owned(), count(self.verdict.unanswered_but_booked)]);
        table.add_row(["answers that should not be".to_owned(), count(self.faults as u64)]);
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
            ("acknowledged bookings that are lost", self.lost),
            ("bookings in another state than acknowledged", self.in_another_state),
            ("refused bookings that are there", self.refused_but_booked),
            ("bookings that nobody asked for", self.unasked),
            ("nights whose rooms differ from the bookings", self.nights_that_differ),
            ("nights that are oversold", self.oversold),
            ("violations by `staymesh check`", self.check_violations),
        ]
    }
}
