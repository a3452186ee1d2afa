//! The daily job: inventory two years ahead (R9).
//!
//! It may be stopped at any point and run again, and run on two replicas at once: every batch is one transaction that
//! notes how far it came, and nights that exist are left as they are. The horizon only ever moves on.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};

use crate::{error::ReservationError, store::Store};

/// How far ahead nights are on sale, in days.
pub const HORIZON_DAYS: i64 = 731;
/// Room types in one transaction.
const BATCH: i64 = 100;
/// Where a date is latest to begin.
const LAST_PLACE: Offset = Offset::constant(-12);

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Room types that were looked at.
    pub room_types: u64,
    /// Nights that are new.
    pub nights: u64,
}

/// Extends every room type of the plan, telling `progress` after each batch how many of how many are done.
///
/// # Errors
/// When the database fails. What is done stays done.
pub async fn run(
    store: &Store,
    now: Timestamp,
    mut progress: impl FnMut(Extended, u64),
) -> Result<Extended, ReservationError> {
    let today = today(now);
    let horizon = today.saturating_add(HORIZON_DAYS.days());
    let all = store.plan_size().await?;
    let mut done = Extended::default();
    let mut after = None;
    loop {
        let keys = store.plan_after(after, BATCH).await?;
        let Some(last) = keys.last().copied() else {
            return Ok(done);
        };
        done.nights += store.extend(after, last, today, horizon).await?;
        done.room_types += u64::try_from(keys.len()).unwrap_or(0);
        after = Some(last);
        progress(done, all);
    }
}

/// The date where it is latest to begin: nights before it are over everywhere on earth.
pub(crate) fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::fixed(LAST_PLACE)).date()
}

/// The moment from which on [`today`] is that date, or a later one.
pub(crate) fn begins(date: Date) -> Timestamp {
    // Only the end of time is out of bounds there.
    date.to_zoned(TimeZone::fixed(LAST_PLACE)).map_or(Timestamp::MAX, |start| start.timestamp())
}
