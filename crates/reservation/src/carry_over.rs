//! Carries over the reservations of releases that did not write lines: each gets its lines and its first revision. The
//! second phase of `staymesh migrate`, after the migrations, while either release serves.
//!
//! A batch is one transaction. The reservations that have no lines are found by their own state, so a run may be stopped
//! anywhere, and the next one continues; reservations that a release before creates meanwhile get their lines by a trigger.

use sqlx::PgPool;
use staymesh_store::{Cause, StoreError};

/// Reservations per transaction: their rows are locked for less than a second.
const BATCH: i32 = 500;

/// Carries over all reservations without lines, and calls `progress` with the number after each batch. Yields how many there
/// were.
///
/// # Errors
/// When the database fails. Committed batches stay.
pub async fn run(pool: &PgPool, mut progress: impl FnMut(u64)) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let carried: i32 = sqlx::query_scalar("select carry_over_rooms($1)")
            .bind(BATCH)
            .fetch_one(pool)
            .await
            .map_err(StoreError::from)?;
        if carried == 0 {
            return Ok(all);
        }
        all += u64::try_from(carried)
            .map_err(|_| StoreError::Unexpected(Cause { sqlstate: None, summary: "a count is negative".into() }))?;
        progress(all);
    }
}

#[cfg(test)]
mod tests;
