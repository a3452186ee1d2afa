//! The log of runs.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgExecutor};
use staymesh_store::StoreError;
use uuid::Uuid;

/// The counters of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines of the day's settlement file.
    pub lines: i64,
    /// Payments compared with their reservations.
    pub payments: i64,
    /// Findings.
    pub found: i64,
    /// Cases opened or reopened.
    pub opened: i64,
    /// Cases resolved because the difference is gone.
    pub closed: i64,
}

/// Records the start of a run; returns its id and the database's time, which postings use, too.
///
/// # Errors
/// When the database is unavailable.
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

/// Records that a run was completed.
///
/// # Errors
/// When the database is unavailable.
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

/// Records that a run failed.
///
/// # Errors
/// When the database is unavailable.
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

/// The database's time at the start of the transaction.
///
/// # Errors
/// When the database is unavailable.
pub async fn now(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    let now: jiff_sqlx::Timestamp = sqlx::query_scalar("select now()").fetch_one(connection).await?;
    Ok(now.to_jiff())
}
