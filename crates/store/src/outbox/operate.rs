//! Operations on an outbox that are not delivery: numbers for metrics, dead letters and their replay, purging.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use crate::StoreError;

/// Numbers for metrics and alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxStats {
    /// Events that are neither delivered nor dead letters.
    pub depth: i64,
    /// Age of the oldest of them; zero when there is none.
    pub lag: Duration,
    /// Dead letters.
    pub dead_letters: i64,
}

/// A dead letter: an event that is no longer tried. Without its payload, which may hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number, for [`replay`].
    pub event_id: i64,
    /// The reservation or payment it is about.
    pub aggregate_id: Uuid,
    /// What happened, such as `reservation.cancelled`.
    pub kind: String,
    /// How many deliveries were attempted.
    pub attempts: i32,
    /// Why the last attempt failed; at most 500 characters.
    pub last_error: Option<String>,
    /// When the event was written.
    pub create_time: Timestamp,
    /// When it became a dead letter.
    pub dead_letter_time: Timestamp,
}

/// Reads depth, lag and the number of dead letters. Events that were never tried and are not due yet are not counted.
///
/// # Errors
/// When the database fails.
pub async fn stats(pool: &PgPool) -> Result<OutboxStats, StoreError> {
    let (depth, lag_seconds, dead_letters): (i64, f64, i64) = sqlx::query_as(
        "select count(*),
                coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8,
                (select count(*) from outbox where parked_at is not null)
         from outbox
         where delivered_at is null and parked_at is null
             and (attempts > 0 or last_error is not null or next_attempt_at <= now())",
    )
    .fetch_one(pool)
    .await?;
    // A clock that was set back makes the age negative: no lag is known then. A gauge may say zero.
    let lag = if lag_seconds > 0.0 { Duration::from_secs_f64(lag_seconds) } else { Duration::ZERO };
    Ok(OutboxStats { depth, lag, dead_letters })
}

/// Selects dead letters; the default selects all.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only these events; empty selects any.
    pub event_ids: Vec<i64>,
    /// Only those that have been dead letters for at least this long, by the server's clock.
    pub older_than: Duration,
}

/// Longer than any dead letter has existed, and short enough for the server to subtract it from its clock.
const LONGEST_AGE: Duration = Duration::from_hours(24 * 36_500);
/// Dead letters read, and replayed, in one batch.
const BATCH: u16 = 500;

/// Whether this database has an outbox table. A service without events for other services has none.
///
/// # Errors
/// When the database fails.
pub async fn has_outbox(pool: &PgPool) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("select to_regclass('outbox') is not null").fetch_one(pool).await?)
}

/// Those of the given events that are in the outbox, delivered or not, in ascending order.
///
/// # Errors
/// When the database fails.
pub async fn existing(pool: &PgPool, event_ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    let found = sqlx::query_scalar("select event_id from outbox where event_id = any($1) order by event_id");
    Ok(found.bind(event_ids).fetch_all(pool).await?)
}

/// A page of up to `limit` dead letters with numbers greater than `after`, in ascending order. 0 starts at the beginning.
///
/// # Errors
/// When the database fails.
pub async fn dead_letters(
    pool: &PgPool,
    filter: &DeadLetterFilter,
    after: i64,
    limit: u16,
) -> Result<Vec<DeadLetter>, StoreError> {
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
    let dead_letter = |row: Row| DeadLetter {
        event_id: row.event_id,
        aggregate_id: row.aggregate_id,
        kind: row.kind,
        attempts: row.attempts,
        last_error: row.last_error,
        create_time: row.created_at.to_jiff(),
        dead_letter_time: row.parked_at.to_jiff(),
    };
    Ok(rows.into_iter().map(dead_letter).collect())
}

/// Passes up to `most` dead letters to `visit`, in batches of at most 500 and in ascending order. Returns how many.
///
/// Each is visited once, also if `visit` replays it and it becomes a dead letter again meanwhile.
///
/// # Errors
/// When the database fails, or `visit` does.
pub async fn visit_dead_letters(
    pool: &PgPool,
    filter: &DeadLetterFilter,
    most: u64,
    mut visit: impl AsyncFnMut(Vec<DeadLetter>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let (mut visited, mut after) = (0, 0);
    loop {
        let rest = (most - visited).min(BATCH.into());
        let limit = u16::try_from(rest).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let batch = dead_letters(pool, filter, after, limit).await?;
        let Some(last) = batch.last() else { return Ok(visited) };
        after = last.event_id;
        visited += batch.len() as u64;
        visit(batch).await?;
    }
}

/// Makes dead letters deliverable again, with all their attempts. Returns their numbers in ascending order. Idempotent:
/// events that are not dead letters are left as they are.
///
/// Replayed events of one aggregate are delivered in the order in which they were written, and events that are written
/// later wait for them. Events that were delivered while they were dead letters have overtaken them: receivers must
/// accept that.
///
/// # Errors
/// When the database fails.
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

/// Deletes up to `limit` events that were delivered longer ago than `keep`. Returns how many; call it again while that
/// is `limit`.
///
/// # Errors
/// When the database fails.
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
