//! Reconciliation: whether the provider, the ledger, the wallets and the reservations say the same of a day.
//!
//! A run reads the provider's settlement file ([`staymesh_psp::settlement`]), puts its lines beside the ledger by id, whichever day they are
//! of ([`store::pairs`]), and says what is different ([`classify`], [`stays`]). What is different is kept as a case, once;
//! a case whose cause is gone is closed by the next run. Nothing is put right by itself: [`replay`] does again what can be
//! done again, when somebody asks.
//!
//! What has happened only just now may be on its way: it is not judged before it is as old as [`Options::grace`], which
//! may be with the next day's run.

pub mod classify;
pub mod desk;
pub mod model;
mod replay;
mod run;
pub mod stays;
pub mod store;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use staymesh_mesh::Problem;
use staymesh_psp::settlement::SettlementError;
use staymesh_store::StoreError;

pub use run::{Summary, run};

/// More differences than this are no differences: the file is another merchant's, or the database another's.
const MAX_FINDINGS: usize = 100_000;

/// Why a run could not look. Nothing is changed then but the note that it failed; a file that was read is kept.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The settlement file cannot be had, or not believed.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
    /// The reservation service cannot be asked.
    #[error("asking for reservations: {0}")]
    Reservations(Problem),
    /// There are so many differences that this cannot be the right file.
    #[error("more than {MAX_FINDINGS} differences: this is not the file or the database that it should be")]
    TooMany,
    /// The file has lines of other days.
    #[error("the settlement file has lines of another day")]
    OtherDay,
    /// The day is beyond all calendars.
    #[error("there is no such day")]
    Day,
    /// The database says no, or nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ReconcileError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What to go through.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The day, UTC.
    pub day: Date,
    /// Whether to take what there is of a day that is not over.
    pub partial: bool,
    /// What is younger may still be on its way.
    pub grace: SignedDuration,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It reads the settlement file of a day, and has so many lines.
    Reading(Date, i64),
    /// It compares payments with their reservations, and has so many.
    Asking(i64),
    /// It compares the file with the ledger, and the ledger with the wallets.
    Judging,
}

/// Yesterday, UTC: the last day that is over.
pub fn yesterday(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date().saturating_sub(1.day())
}
