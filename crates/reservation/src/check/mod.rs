//! The invariant checker: reads a whole reservation database and says whether what Staymesh promises is true of it.
//!
//! - Every night has as many rooms reserved as its active bookings have, and no night is missing.
//! - No night is sold beyond its overbooking limit.
//! - Every booking has a legal history that ends in the state it is in.
//! - No hold outlives its expiry by more than a bound.
//!
//! It only reads, and may run beside a service that sells: hotels are looked at some at a time, each time in one
//! snapshot. The counting is done by the server, so memory here does not grow with the database. Nights that are in the
//! archive, or on their way there, are not looked at; the bookings of those nights are.

mod query;
mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use sqlx::PgPool;
use staymesh_store::StoreError;

pub use report::{Kind, Report, Violation};

/// Hotels in one snapshot: at 20 room types and two years of nights, about 300,000 rows.
const HOTELS_AT_ONCE: i64 = 20;

/// What to check by.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a hold may outlive its expiry.
    pub hold_bound: Duration,
    /// How many violations are listed, of each kind. All are counted.
    pub listed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { hold_bound: Duration::from_mins(1), listed: 100 }
    }
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Hotels that are done.
    pub hotels: u64,
    /// Hotels there were when it began.
    pub all_hotels: u64,
    /// Nights that are done.
    pub nights: u64,
    /// Violations found so far.
    pub violations: u64,
}

/// Checks the whole database, telling `progress` after each few hotels.
///
/// The pool's statements should be given minutes, not seconds: a hotel may have millions of bookings.
///
/// # Errors
/// When the database fails. Violations are no errors.
pub async fn run(pool: &PgPool, options: &Options, mut progress: impl FnMut(Progress)) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut at = Progress { all_hotels: query::hotel_count(pool).await?, ..Progress::default() };
    progress(at);
    let mut after = i32::MIN;
    loop {
        let (until, hotels) = query::next_hotels(pool, after, HOTELS_AT_ONCE).await?;
        // Whatever is not a full page is the last, and reaches to the end: nothing falls between two pages.
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

/// Hotels with ids above `after` up to `until`.
#[derive(Clone, Copy, Debug)]
struct Range {
    after: i32,
    until: i32,
}

async fn check_hotels(pool: &PgPool, range: Range, options: &Options, report: &mut Report) -> Result<(), StoreError> {
    let mut snapshot = pool.begin_with("begin isolation level repeatable read read only").await?;
    // Before the snapshot is taken: a month cannot leave for the archive between the two.
    sqlx::query("lock table only room_type_inventory in access share mode").execute(&mut *snapshot).await?;
    let hot_from = query::first_hot_date(&mut snapshot).await?;

    let nights = query::count_nights(&mut snapshot, range, hot_from).await?;
    report.nights += nights.all;
    report.count(Kind::NightMissing, nights.missing);
    report.count(Kind::ReservedDiffers, nights.differing);
    report.count(Kind::Overbooked, nights.overbooked);
    if nights.missing + nights.differing + nights.overbooked > 0 {
        let found = query::list_nights(&mut snapshot, range, hot_from, options.listed).await?;
        report.list(found, options.listed);
    }

    let histories = query::count_histories(&mut snapshot, range).await?;
    report.reservations += histories.reservations;
    report.count(Kind::IllegalHistory, histories.illegal);
    if histories.illegal > 0 {
        let found = query::list_histories(&mut snapshot, range, options.listed).await?;
        report.list(found, options.listed);
    }
    snapshot.commit().await?;
    Ok(())
}

async fn check_holds(pool: &PgPool, options: &Options, report: &mut Report) -> Result<(), StoreError> {
    let bound = i64::try_from(options.hold_bound.as_millis()).unwrap_or(i64::MAX);
    let (count, found) = query::overdue_holds(pool, bound, options.listed).await?;
    report.count(Kind::HoldOverdue, count);
    report.list(found, options.listed);
    Ok(())
}
