//! Outbox events: writing them within a transaction, and their form on delivery.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::delivery::Delivery;
use crate::{Cause, StoreError};

/// Writes an event within the caller's transaction and returns its number. Call [`super::Wake::wake`] after the commit.
///
/// `kind` says what happened (`reservation.cancelled`; 1 to 100 characters) and selects the call that delivers it.
/// `payload` is what the receiver needs, at most 64 KiB. `trace_parent` is the W3C `traceparent` of the current span, so
/// that the delivery joins its trace.
///
/// # Errors
/// When the database fails, or a limit above is exceeded (a named constraint refuses).
pub async fn enqueue(
    connection: &mut PgConnection,
    aggregate_id: Uuid,
    kind: &str,
    payload: &impl Serialize,
    trace_parent: Option<&str>,
) -> Result<i64, StoreError> {
    let event_id = sqlx::query_scalar(
        "insert into outbox (aggregate_id, kind, payload, trace_parent) values ($1, $2, $3, $4) returning event_id",
    )
    .bind(aggregate_id)
    .bind(kind)
    .bind(Json(payload))
    .bind(trace_parent)
    .fetch_one(connection)
    .await?;
    Ok(event_id)
}

/// An event to be written by [`enqueue_all`].
#[derive(Debug)]
pub struct NewEvent<T> {
    /// The reservation or payment it is about.
    pub aggregate_id: Uuid,
    /// What the receiver needs.
    pub payload: T,
    /// The W3C `traceparent` of the span that caused it.
    pub trace_parent: Option<String>,
}

/// Writes one event of the same kind for each of many aggregates, in this order; otherwise as [`enqueue`].
///
/// # Errors
/// As [`enqueue`]; also when a payload does not serialize to JSON.
pub async fn enqueue_all<T: Serialize>(
    connection: &mut PgConnection,
    kind: &str,
    events: &[NewEvent<T>],
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let payloads: Result<Vec<_>, _> = events.iter().map(|event| serde_json::to_value(&event.payload)).collect();
    let payloads = payloads.map_err(|_| StoreError::Unexpected(Cause::new("a payload does not encode")))?;
    sqlx::query(
        "insert into outbox (aggregate_id, kind, payload, trace_parent)
         select aggregate_id, $2, payload, trace_parent
         from unnest($1::uuid[], $3::jsonb[], $4::text[]) with ordinality e (aggregate_id, payload, trace_parent, place)
         order by place",
    )
    .bind(events.iter().map(|event| event.aggregate_id).collect::<Vec<_>>())
    .bind(kind)
    .bind(payloads)
    .bind(events.iter().map(|event| event.trace_parent.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// An event that a relay has claimed and delivers.
pub struct OutboxEvent {
    /// Its number; ascends with time.
    pub event_id: i64,
    /// The reservation or payment it is about; events of one aggregate are delivered in order.
    pub aggregate_id: Uuid,
    /// What happened, such as `reservation.cancelled`.
    pub kind: String,
    /// When it was written.
    pub create_time: Timestamp,
    /// The W3C `traceparent` of the span that wrote it.
    pub trace_parent: Option<String>,
    /// Number of this attempt, from 1. Attempts that found the receiver unavailable do not count.
    pub attempt: i32,
    pub(super) payload: serde_json::Value,
}

impl OutboxEvent {
    /// Deserializes the payload.
    ///
    /// # Errors
    /// When its form is not that of `T`: writer and receiver disagree, and another attempt cannot help.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.payload)
    }

    /// As [`Self::payload`], with what the relay does when it cannot be read: a dead letter.
    ///
    /// # Errors
    /// [`Delivery::DeadLetter`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Delivery> {
        self.payload().map_err(|error| Delivery::DeadLetter(format!("the payload cannot be read: {error}")))
    }

    /// Time since the event was written, by this process's clock; zero if that clock is behind the server's.
    pub(super) fn age(&self) -> Duration {
        let age = Timestamp::now().duration_since(self.create_time);
        if age.is_negative() { Duration::ZERO } else { age.unsigned_abs() }
    }
}

/// Without the payload, which may hold personal data.
impl fmt::Debug for OutboxEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxEvent")
            .field("event_id", &self.event_id)
            .field("aggregate_id", &self.aggregate_id)
            .field("kind", &self.kind)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
