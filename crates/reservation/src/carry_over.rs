//! Carries over the reservations of releases that did not write lines: each gets its lines and its first revision. The
//! second phase of `staymesh migrate`, after the migrations, while either release serves.
//!
//! A batch is one transaction. The reservations that have no lines are found by their own state, so a run may be stopped
//! anywhere, runs may be concurrent, and the next one continues; reservations that a release before creates meanwhile get
//! their lines by a trigger. Until it is carried over, a reservation is read with the lines that it will get.

use sqlx::PgPool;
use staymesh_store::{Cause, StoreError};

/// Reservations per transaction: their rows are locked for less than a second.
const BATCH: i32 = 500;

/// Carries over all reservations without lines, and calls `progress` with the number after each batch. Yields how many there
/// were.
///
/// # Errors
/// When the database fails. Committed batches stay.
pub async fn run(pool: &PgPool, progress: impl FnMut(u64)) -> Result<u64, StoreError> {
    run_in_batches(pool, BATCH, progress).await
}

/// [`run`] with batches of up to `batch` reservations.
async fn run_in_batches(pool: &PgPool, batch: i32, mut progress: impl FnMut(u64)) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let carried: i32 = sqlx::query_scalar("select carry_over_rooms($1)").bind(batch).fetch_one(pool).await?;
        if carried == 0 {
            // A concurrent run carried over the batch that this one waited for; more may remain.
            let remain = "select exists (select from reservation where revision is null)";
            if sqlx::query_scalar(remain).fetch_one(pool).await? {
                continue;
            }
            return Ok(all);
        }
        all += u64::try_from(carried)
            .map_err(|_| StoreError::Unexpected(Cause { sqlstate: None, summary: "a count is negative".into() }))?;
        progress(all);
    }
}

#[cfg(test)]
mod tests;
