//! The relay's statements: claiming what is due, and writing down how it went.

use std::time::Duration;

use sqlx::types::Json;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::{MAX_REASON, OutboxEvent};
use crate::StoreError;

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

/// Claims up to `limit` due events for the length of the lease: nobody else claims them before it is over.
///
/// The claim counts as an attempt, so an event that kills its relay runs out of attempts like any other. Longest due
/// comes first: fresh events in the order they were written, and no event that is often retried starves another.
///
/// "First of its aggregate" is asked by a subquery and not by an anti-join: it stays an index probe for each candidate
/// also while a sudden backlog is unknown to the planner.
pub(super) async fn claim(pool: &PgPool, limit: usize, lease: Duration) -> Result<Vec<OutboxEvent>, StoreError> {
    let rows: Vec<ClaimedRow> = sqlx::query_as(
        "with due as (
             select event_id
             from outbox candidate
             where delivered_at is null and parked_at is null and next_attempt_at <= now()
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
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(lease.as_secs_f64())
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
            created_at: row.created_at.to_jiff(),
            trace_parent: row.trace_parent,
            attempt: row.attempts,
            payload: row.payload.0,
        }
    }
}

pub(super) async fn delivered(pool: &PgPool, event: &OutboxEvent) -> Result<(), StoreError> {
    // Also if another relay has claimed it since: it did arrive.
    sqlx::query(
        "update outbox set delivered_at = now(), parked_at = null, last_error = null
         where event_id = $1 and delivered_at is null",
    )
    .bind(event.event_id)
    .execute(pool)
    .await?;
    Ok(())
}

/// Frees the event for another attempt after `delay`, unless another relay has claimed it since.
pub(super) async fn retry(pool: &PgPool, event: &OutboxEvent, reason: &str, delay: Duration) -> Result<(), StoreError> {
    free(pool, event, reason, delay, 0).await
}

/// As [`retry`], and takes back that the claim counted as an attempt.
///
/// A stalled relay still cannot mistake a later claim for its own: only what a claim has added is taken back, so later
/// claims have higher numbers.
pub(super) async fn postpone(
    pool: &PgPool,
    event: &OutboxEvent,
    reason: &str,
    delay: Duration,
) -> Result<(), StoreError> {
    free(pool, event, reason, delay, 1).await
}

async fn free(
    pool: &PgPool,
    event: &OutboxEvent,
    reason: &str,
    delay: Duration,
    taken_back: i32,
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
    .bind(taken_back)
    .execute(pool)
    .await?;
    Ok(())
}

/// Sets the event aside, unless another relay has claimed it since.
pub(super) async fn park(pool: &PgPool, event: &OutboxEvent, reason: &str) -> Result<(), StoreError> {
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

/// What the table's constraint takes, without the NUL that no text of `PostgreSQL` may hold.
fn shortened(reason: &str) -> String {
    reason.chars().filter(|letter| *letter != '\0').take(MAX_REASON).collect()
}
