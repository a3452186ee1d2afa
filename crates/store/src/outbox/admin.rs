//! What operators see of an outbox, and do to it.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use crate::StoreError;

/// Numbers for metrics and alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxStats {
    /// Events still to be delivered.
    pub depth: i64,
    /// Age of the oldest of them; zero when there is none.
    pub lag: Duration,
    /// Events set aside.
    pub parked: i64,
}

/// An event that was set aside. Without its payload, which may hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Its number, for [`replay`].
    pub event_id: i64,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// What happened.
    pub kind: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was set aside.
    pub parked_at: Timestamp,
}

/// Depth, lag and parked events.
pub async fn stats(pool: &PgPool) -> Result<OutboxStats, StoreError> {
    let (depth, lag_seconds, parked): (i64, f64, i64) = sqlx::query_as(
        "select count(*),
                coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8,
                (select count(*) from outbox where parked_at is not null)
         from outbox
         where delivered_at is null and parked_at is null",
    )
    .fetch_one(pool)
    .await?;
    // A clock that was set back makes an age negative.
    let lag = Duration::try_from_secs_f64(lag_seconds.max(0.0)).unwrap_or_default();
    Ok(OutboxStats { depth, lag, parked })
}

/// Up to `limit` parked events, oldest first.
pub async fn parked(pool: &PgPool, limit: u16) -> Result<Vec<ParkedEvent>, StoreError> {
    #[derive(FromRow)]
    struct Row {
        event_id: i64,
        aggregate_id: Uuid,
        kind: String,
        attempts: i32,
        last_error: Option<String>,
        created_at: jiff_sqlx::Timestamp,
        parked_at: jiff_sqlx::Timestamp,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select event_id, aggregate_id, kind, attempts, last_error, created_at, parked_at
         from outbox where parked_at is not null order by event_id limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    let event = |row: Row| ParkedEvent {
        event_id: row.event_id,
        aggregate_id: row.aggregate_id,
        kind: row.kind,
        attempts: row.attempts,
        last_error: row.last_error,
        created_at: row.created_at.to_jiff(),
        parked_at: row.parked_at.to_jiff(),
    };
    Ok(rows.into_iter().map(event).collect())
}

/// Sends a parked event on its way again, with all its attempts before it. False when no such event is parked.
pub async fn replay(pool: &PgPool, event_id: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update outbox set parked_at = null, attempts = 0, next_attempt_at = now()
         where event_id = $1 and parked_at is not null",
    )
    .bind(event_id)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replays every parked event, as after a long outage of the receiver. Yields how many.
pub async fn replay_all(pool: &PgPool) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update outbox set parked_at = null, attempts = 0, next_attempt_at = now() where parked_at is not null",
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes up to `limit` events delivered longer ago than `keep`, so that the table stays small. Yields how many;
/// call again while it is `limit`.
pub async fn purge_delivered(pool: &PgPool, keep: Duration, limit: u16) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "delete from outbox where event_id in (
             select event_id from outbox
             where delivered_at < now() - make_interval(secs => $1)
             order by delivered_at limit $2 for update skip locked)",
    )
    .bind(keep.as_secs_f64())
    .bind(i64::from(limit))
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
