//! The daily job that puts nights on sale two years ahead (R9).
//!
//! Idempotent: each batch is one transaction that records how far its plans are filled, and existing nights are left
//! unchanged. It may be stopped anywhere, repeated, and run on several replicas at once. The horizon never moves back.

use jiff::{Timestamp, ToSpan};

use crate::{
    calendar::{DateOutOfRange, HORIZON_DAYS, today},
    error::ReservationError,
    store::Store,
};

/// Inventory plans (room types) per transaction.
const BATCH: i64 = 100;

/// What a run has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Room types processed.
    pub room_types: u64,
    /// Nights created.
    pub nights: u64,
}

/// Extends the inventory of every plan to [`HORIZON_DAYS`] ahead. Calls `progress` after each batch with the counts so
/// far and the number of plans there were at the start.
///
/// # Errors
/// When the database fails. Batches that were committed stay.
pub async fn run(
    store: &Store,
    now: Timestamp,
    mut progress: impl FnMut(Extended, u64),
) -> Result<Extended, ReservationError> {
    let today = today(now);
    let horizon = today.checked_add(HORIZON_DAYS.days()).map_err(|_| DateOutOfRange)?;
    let all = store.plan_size().await?;
    let mut done = Extended::default();
    let mut after = None;
    loop {
        let keys = store.plan_after(after, BATCH).await?;
        let Some(last) = keys.last().copied() else {
            return Ok(done);
        };
        done.nights += store.extend(after, last, today, horizon).await?;
        done.room_types += keys.len() as u64;
        after = Some(last);
        progress(done, all);
    }
}
