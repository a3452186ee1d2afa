//! Runs.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::PgExecutor;
use staymesh_store::StoreError;
use uuid::Uuid;

/// What a run has seen and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines of the day's file.
    pub lines: i64,
    /// Payments that were compared with their reservations.
    pub payments: i64,
    /// Differences.
    pub found: i64,
    /// Cases that are new, or open again.
    pub opened: i64,
    /// Cases whose cause is gone.
    pub closed: i64,
}

/// Notes that a run begins; its id, and the time by the database's clock, which is that of the ledger.
pub async fn begin(executor: impl PgExecutor<'_>, day: Date, partial: bool) -> Result<(Uuid, Timestamp), StoreError> {
    let (run_id, started): (Uuid, jiff_sqlx::Timestamp) = sqlx::query_as(
        "insert into reconciliation_run (run_id, day, partial) values ($1, $2, $3) returning run_id, started_at",
    )
    .bind(Uuid::now_v7())
    .bind(day.to_sqlx())
    .bind(partial)
    .fetch_one(executor)
    .await?;
    Ok((run_id, started.to_jiff()))
}

/// Notes that a run has looked at everything.
pub async fn end(executor: impl PgExecutor<'_>, run_id: Uuid, counts: &Counts) -> Result<(), StoreError> {
    sqlx::query(
        "update reconciliation_run
         set status = 'DONE', ended_at = clock_timestamp(), lines = $2, payments = $3, found = $4, opened = $5, closed = $6
         where run_id = $1",
    )
    .bind(run_id)
    .bind(counts.lines)
    .bind(counts.payments)
    .bind(counts.found)
    .bind(counts.opened)
    .bind(counts.closed)
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that a run could not look.
pub async fn fail(executor: impl PgExecutor<'_>, run_id: Uuid, failure: &str) -> Result<(), StoreError> {
    sqlx::query(
        "update reconciliation_run set status = 'FAILED', ended_at = clock_timestamp(), failure = left($2, 500)
         where run_id = $1",
    )
    .bind(run_id)
    .bind(failure)
    .execute(executor)
    .await?;
    Ok(())
}
