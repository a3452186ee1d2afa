//! Reconciliation: compares the provider's settlement file of a day, the ledger, the wallets and the reservations.
//!
//! - A *finding* is a difference that a run found.
//! - A *case* is a finding that finance follows up. There is one for each kind and subject. A run opens it, and resolves
//!   it once the difference is gone; otherwise an administrator resolves it with a note ([`cases`]).
//! - A *replay* repeats the step that failed, such as fetching a checkout or redelivering a dead letter. An administrator
//!   requests it (`Payments::replay_case`); nothing is corrected automatically.
//!
//! A run ([`run`]) stores the settlement file ([`staymesh_psp::settlement`]), matches its lines with ledger postings by id,
//! whatever the day of either (`store::pairs`), and classifies differences ([`classify`], [`reservations`]). Changes younger
//! than [`Options::grace`] may still be in flight: they are left to the next run.

pub mod cases;
pub mod classify;
pub mod model;
pub mod reservations;
pub(crate) mod run;
pub mod store;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use staymesh_mesh::Problem;
use staymesh_psp::settlement::SettlementError;
use staymesh_store::StoreError;

pub use run::{Summary, run};
pub use store::runs::Counts;

/// The limit of findings of a run. More mean that the file or the database is not the right one.
const MAX_FINDINGS: usize = 100_000;

/// Why a run failed. It has opened and resolved no case then; a settlement file that was read completely is kept.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The settlement file cannot be read.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
    /// The reservation service failed.
    #[error("reading reservations: {0}")]
    Reservations(Problem),
    /// The limit of findings was exceeded.
    #[error("more than {MAX_FINDINGS} differences: wrong settlement file or wrong database")]
    TooMany,
    /// The file has lines of other days.
    #[error("the settlement file has lines of another day")]
    OtherDay,
    /// The day is out of the calendar's range.
    #[error("there is no such day")]
    Day,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ReconcileError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What to reconcile.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The day, in UTC.
    pub day: Date,
    /// Whether to accept an incomplete settlement file of a day that is not over.
    pub partial: bool,
    /// Changes younger than this are not judged.
    pub grace: SignedDuration,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Reading the settlement file of this day: lines so far.
    Reading(Date, i64),
    /// Comparing payments with their reservations: payments so far.
    Comparing(i64),
    /// Comparing the file with the ledger, and the ledger with the wallets.
    Judging,
}

/// Yesterday in UTC: the last complete day.
pub fn yesterday(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date().saturating_sub(1.day())
}
