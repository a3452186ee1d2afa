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

/// Which parked events; all of them by default.
#[derive(Debug, Clone, Default)]
pub struct ParkedFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// These and no others; empty for any.
    pub event_ids: Vec<i64>,
    /// Set aside at least so long ago, by the server's clock.
    pub older_than: Duration,
}

/// Beyond every event, and within what the server can subtract from its clock.
const LONGEST_AGE: Duration = Duration::from_hours(24 * 36_500);
/// Parked events that are read, and replayed, at once.
const AT_ONCE: u16 = 500;

/// Whether this database has an outbox at all. Not every service has something to tell.
pub async fn has_outbox(pool: &PgPool) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("select to_regclass('outbox') is not null").fetch_one(pool).await?)
}

/// Those of the events that are in the outbox, delivered or not.
pub async fn existing(pool: &PgPool, event_ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    let found = sqlx::query_scalar("select event_id from outbox where event_id = any($1) order by event_id");
    Ok(found.bind(event_ids).fetch_all(pool).await?)
}

/// Up to `limit` parked events after the one of this number, oldest first; 0 for the beginning.
pub async fn parked(
    pool: &PgPool,
    filter: &ParkedFilter,
    after: i64,
    limit: u16,
) -> Result<Vec<ParkedEvent>, StoreError> {
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
         from outbox
         where parked_at is not null and event_id > $1 and ($2::text is null or kind = $2)
             and (cardinality($3::bigint[]) = 0 or event_id = any($3))
             and parked_at <= now() - make_interval(secs => $4)
         order by event_id limit $5",
    )
    .bind(after)
    .bind(&filter.kind)
    .bind(&filter.event_ids)
    .bind(filter.older_than.min(LONGEST_AGE).as_secs_f64())
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

/// Shows up to `most` parked events, oldest first and some at a time, each once: one that is replayed and parked again
/// meanwhile is not met again. Yields how many.
pub async fn walk_parked(
    pool: &PgPool,
    filter: &ParkedFilter,
    most: u64,
    mut show: impl AsyncFnMut(Vec<ParkedEvent>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let (mut shown, mut after) = (0, 0);
    loop {
        let limit = u16::try_from(most - shown).unwrap_or(AT_ONCE).min(AT_ONCE);
        let events = parked(pool, filter, after, limit).await?;
        let Some(last) = events.last() else { return Ok(shown) };
        after = last.event_id;
        shown += events.len() as u64;
        show(events).await?;
    }
}

/// Sends those of the events that are parked on their way again, with all their attempts before them. Yields which;
/// others are left as they are, so that a repeat changes nothing.
///
/// They leave in the order in which they were written, and what is written about their aggregates from now on waits for
/// them. What was delivered in the meantime is behind them all the same: receivers must bear that.
pub async fn replay(pool: &PgPool, event_ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    let mut replayed: Vec<i64> = sqlx::query_scalar(
        "with chosen as (
             select event_id from outbox where event_id = any($1) and parked_at is not null
             order by event_id for update)
         update outbox set parked_at = null, attempts = 0, next_attempt_at = now()
         from chosen where outbox.event_id = chosen.event_id
         returning outbox.event_id",
    )
    .bind(event_ids)
    .fetch_all(pool)
    .await?;
    replayed.sort_unstable();
    Ok(replayed)
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
