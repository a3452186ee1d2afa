//! The relay's SQL: claiming due events and recording the outcome of a delivery.

use std::time::Duration;

use sqlx::types::Json;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::delivery::Kinds;
use super::event::OutboxEvent;
use crate::{Cause, StoreError};

/// Longest `last_error` that is stored, in characters; the table has a constraint for it.
const MAX_REASON: usize = 500;

#[derive(FromRow)]
struct ClaimedRow {
    event_id: i64,
    aggregate_id: Uuid,
    kind: String,
    payload: Json<serde_json::Value>,
    trace_parent: Option<String>,
    created_at: jiff_sqlx::Timestamp,
    attempts: i32,
}

/// Claims up to `limit` due events of these kinds with a lease: no other relay claims them before the lease expires.
///
/// The claim counts as an attempt, so that an event that crashes its relay also runs out of attempts. Events are claimed
/// in the order in which they became due: new events in the order in which they were written, and events that are retried
/// often do not starve others.
///
/// "First undelivered event of its aggregate" is a subquery instead of an anti-join: it remains one index probe per
/// candidate when the planner's statistics do not know of a sudden backlog yet.
pub(super) async fn claim(
    pool: &PgPool,
    limit: usize,
    lease: Duration,
    kinds: Kinds,
) -> Result<Vec<OutboxEvent>, StoreError> {
    let limit = i64::try_from(limit).map_err(|_| StoreError::Unexpected(Cause::new("the limit is no bigint")))?;
    let (prefix, with_prefix) = match kinds {
        Kinds::All => ("", true),
        Kinds::With(prefix) => (prefix, true),
        Kinds::Without(prefix) => (prefix, false),
    };
    let rows: Vec<ClaimedRow> = sqlx::query_as(
        "with due as (
             select event_id
             from outbox candidate
             where delivered_at is null and parked_at is null and next_attempt_at <= now()
                 and starts_with(kind, $3) = $4
                 and event_id = (
                     select event_id
                     from outbox
                     where aggregate_id = candidate.aggregate_id and delivered_at is null and parked_at is null
                     order by event_id
                     limit 1)
             order by next_attempt_at, event_id
             limit $1
             for update of candidate skip locked)
         update outbox
         set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $2)
         from due
         where outbox.event_id = due.event_id
         returning outbox.event_id, aggregate_id, kind, payload, trace_parent, created_at, attempts",
    )
    .bind(limit)
    .bind(lease.as_secs_f64())
    .bind(prefix)
    .bind(with_prefix)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(OutboxEvent::from).collect())
}

impl From<ClaimedRow> for OutboxEvent {
    fn from(row: ClaimedRow) -> Self {
        Self {
            event_id: row.event_id,
            aggregate_id: row.aggregate_id,
            kind: row.kind,
            create_time: row.created_at.to_jiff(),
            trace_parent: row.trace_parent,
            attempt: row.attempts,
            payload: row.payload.0,
        }
    }
}

/// Records a delivery, also if another relay has claimed the event since: it did arrive.
pub(super) async fn delivered(pool: &PgPool, event: &OutboxEvent) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox set delivered_at = now(), parked_at = null, last_error = null
         where event_id = $1 and delivered_at is null",
    )
    .bind(event.event_id)
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends the lease and makes the event due after `delay`, unless another relay has claimed it since.
pub(super) async fn retry(pool: &PgPool, event: &OutboxEvent, reason: &str, delay: Duration) -> Result<(), StoreError> {
    release(pool, event, reason, delay, 0).await
}

/// As [`retry`], but the attempt does not count.
///
/// `attempts` also identifies the claim. Subtracting only what the claim added keeps the number of a later claim higher
/// than that of a relay that stalled in between.
pub(super) async fn postpone(
    pool: &PgPool,
    event: &OutboxEvent,
    reason: &str,
    delay: Duration,
) -> Result<(), StoreError> {
    release(pool, event, reason, delay, 1).await
}

async fn release(
    pool: &PgPool,
    event: &OutboxEvent,
    reason: &str,
    delay: Duration,
    uncounted: i32,
) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox
         set next_attempt_at = now() + make_interval(secs => $3), last_error = $4, attempts = attempts - $5
         where event_id = $1 and attempts = $2 and delivered_at is null and parked_at is null",
    )
    .bind(event.event_id)
    .bind(event.attempt)
    .bind(delay.as_secs_f64())
    .bind(shortened(reason))
    .bind(uncounted)
    .execute(pool)
    .await?;
    Ok(())
}

/// Makes the event a dead letter, unless another relay has claimed it since.
pub(super) async fn dead_letter(pool: &PgPool, event: &OutboxEvent, reason: &str) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox set parked_at = now(), last_error = $3
         where event_id = $1 and attempts = $2 and delivered_at is null and parked_at is null",
    )
    .bind(event.event_id)
    .bind(event.attempt)
    .bind(shortened(reason))
    .execute(pool)
    .await?;
    Ok(())
}

/// The first [`MAX_REASON`] characters, without NUL, which `text` of `PostgreSQL` cannot hold.
fn shortened(reason: &str) -> String {
    reason.chars().filter(|letter| *letter != '\0').take(MAX_REASON).collect()
}
