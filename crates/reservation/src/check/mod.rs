//! The invariant checker: reads a whole reservation database and reports every row that breaks an invariant.
//!
//! - `total_reserved` of every night is the number of live lines over it of active reservations, and no reserved night is
//!   missing.
//! - No night is reserved beyond its overbooking limit.
//! - `out_of_order` of every night is the number of rooms of its type that are blocked in it.
//! - Every reservation has a legal history that ends in its status.
//! - The lines of every reservation are what its latest revision agreed, live as long as it holds rooms, and cost what it
//!   costs. Its revisions have no gap.
//! - Every assignment of a room of the hotel lies within the nights of a live line, has no other for the same night, and is not
//!   of a room that is blocked.
//! - Rooms in the house and rooms of departed guests are what their last arrival or departure made them.
//! - No unpaid hold outlives its expiry by more than a bound.
//!
//! It is read-only and may run while the service takes bookings: it checks a few hotels at a time, each time in one
//! snapshot. The server counts, so the checker's memory does not grow with the database. Nights that are archived, or
//! being archived, are not checked; the histories of their reservations are.

mod assignments;
mod report;
mod rooms;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use sqlx::PgPool;
use staymesh_store::StoreError;

pub use report::{Kind, Report, Violation};
use store::Range;

/// Hotels per snapshot: about 300,000 rows at 20 room types and two years of nights.
const HOTELS_PER_SNAPSHOT: i64 = 20;

/// Bounds of a check.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long an unpaid hold may outlive its expiry.
    pub hold_bound: Duration,
    /// Most violations listed of each kind. All are counted.
    pub listed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { hold_bound: Duration::from_mins(1), listed: 100 }
    }
}

/// Progress of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Hotels checked.
    pub hotels: u64,
    /// Hotels there were at the start.
    pub all_hotels: u64,
    /// Nights checked.
    pub nights: u64,
    /// Violations found so far.
    pub violations: u64,
}

/// Checks the whole database, and calls `progress` after each snapshot.
///
/// The pool needs a statement timeout of minutes: a hotel may have millions of reservations.
///
/// # Errors
/// When the database fails. Violations are not errors; they are in the report.
pub async fn run(pool: &PgPool, options: &Options, mut progress: impl FnMut(Progress)) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut at = Progress { all_hotels: store::hotel_count(pool).await?, ..Progress::default() };
    progress(at);
    let mut after = i32::MIN;
    loop {
        let (until, hotels) = store::next_hotels(pool, after, HOTELS_PER_SNAPSHOT).await?;
        check_hotels(pool, Range { after, until }, options, &mut report).await?;
        at.hotels += hotels;
        at.nights = report.nights;
        at.violations = report.violations();
        progress(at);
        if until == i32::MAX {
            break;
        }
        after = until;
    }
    check_holds(pool, options, &mut report).await?;
    Ok(report)
}

async fn check_hotels(pool: &PgPool, range: Range, options: &Options, report: &mut Report) -> Result<(), StoreError> {
    let mut snapshot = store::begin_snapshot(pool).await?;
    let hot_from = store::first_hot_date(&mut snapshot).await?;

    let nights = store::count_nights(&mut snapshot, range, hot_from).await?;
    report.nights += nights.all;
    report.count(Kind::NightMissing, nights.missing);
    report.count(Kind::ReservedDiffers, nights.differing);
    report.count(Kind::Overbooked, nights.overbooked);
    report.count(Kind::OutOfOrderDiffers, nights.out_of_order);
    if nights.missing + nights.differing + nights.overbooked + nights.out_of_order > 0 {
        let found = store::list_nights(&mut snapshot, range, hot_from, options.listed).await?;
        report.list(found, options.listed);
    }

    let histories = store::count_histories(&mut snapshot, range).await?;
    report.reservations += histories.reservations;
    report.count(Kind::IllegalHistory, histories.illegal);
    if histories.illegal > 0 {
        let found = store::list_histories(&mut snapshot, range, options.listed).await?;
        report.list(found, options.listed);
    }

    let wrong = rooms::count(&mut snapshot, range).await?;
    report.count(Kind::RoomsDiffer, wrong.rooms);
    report.count(Kind::IllegalRevision, wrong.revisions);
    if wrong.rooms + wrong.revisions > 0 {
        let found = rooms::list(&mut snapshot, range, options.listed).await?;
        report.list(found, options.listed);
    }

    let (wrong, found) = assignments::wrong(&mut snapshot, range, options.listed).await?;
    report.count(Kind::AssignmentDiffers, wrong);
    report.list(found, options.listed);
    snapshot.commit().await?;
    Ok(())
}

async fn check_holds(pool: &PgPool, options: &Options, report: &mut Report) -> Result<(), StoreError> {
    // A bound beyond an i64 of milliseconds is never exceeded.
    let Ok(bound) = i64::try_from(options.hold_bound.as_millis()) else { return Ok(()) };
    let (count, found) = store::overdue_holds(pool, bound, options.listed).await?;
    report.count(Kind::HoldOverdue, count);
    report.list(found, options.listed);
    Ok(())
}
