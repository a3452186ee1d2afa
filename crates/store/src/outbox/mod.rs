//! The transactional outbox: what another service must learn although either side may crash in between.
//!
//! The event is written in the same transaction as the change it tells of ([`enqueue`]), so there is never one without
//! the other. A [`Relay`] in each replica carries events to their receiver:
//!
//! - **at least once**: an event is claimed for the length of a lease and no lock or transaction is open while the
//!   receiver is called; whoever crashes in between, the event is delivered again. Receivers are idempotent.
//! - **in order for each aggregate**: an event waits while an earlier one of its aggregate is on its way. Events of
//!   different aggregates do not wait for one another. The order is that of `event_id`, which is the order of commits
//!   as long as the writers of one aggregate hold a lock on it, as every change of a reservation or payment does.
//! - **not forever**: after a permanent refusal or too many attempts it is parked. It then no longer holds up its
//!   aggregate, and waits for somebody to [`replay`] it. An outage of the receiver parks nothing, however long it lasts:
//!   see [`Delivery::Away`].
//!
//! So a parked event is the one exception from the order: events behind it arrive before it. Once it is replayed it is
//! again the first of its aggregate; what has not left by then waits for it, and several that are replayed keep their
//! order among themselves. Receivers must take an event that comes after later ones, each as its own contract says.
//!
//! The table is in each owner's own database; its definition is [`SCHEMA`], which the owner's migration copies.

mod admin;
mod backoff;
mod claim;
mod relay;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

pub use admin::{
    OutboxStats, ParkedEvent, ParkedFilter, existing, has_outbox, parked, purge_delivered, replay, stats, walk_parked,
};
pub use relay::{Deliver, Delivery, Relay, RelayOptions, Wake};

use crate::{Cause, StoreError};

/// The outbox table with its constraints and indexes, as every owner's migration has it.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Longest `last_error` that is kept, in characters.
const MAX_REASON: usize = 500;

/// Writes an event within the caller's transaction and yields its number. Ring [`Wake::wake`] after the commit.
///
/// `kind` says what happened (`reservation.cancelled`) and decides the receiver; `payload` is what the receiver needs,
/// at most 64 KiB; `trace_parent` is the W3C header of the current span, so that the delivery joins its trace.
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

/// An event that is about to be written; see [`enqueue`].
#[derive(Debug)]
pub struct NewEvent<T> {
    /// What it is about.
    pub aggregate_id: Uuid,
    /// What the receiver must know.
    pub payload: T,
    /// The W3C `traceparent` of the span that it comes from.
    pub trace_parent: Option<String>,
}

/// As [`enqueue`] for many aggregates at once, in their order: the same kind of event for each.
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

/// An event on its way.
pub struct OutboxEvent {
    /// Its number, which ascends with time.
    pub event_id: i64,
    /// What it is about; events of one aggregate keep their order.
    pub aggregate_id: Uuid,
    /// What happened.
    pub kind: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// The W3C `traceparent` of the span that wrote it.
    pub trace_parent: Option<String>,
    /// 1 on the first attempt to deliver it, and on all that found the receiver away.
    pub attempt: i32,
    payload: serde_json::Value,
}

impl OutboxEvent {
    /// What the receiver needs. An error means the event was written by code that disagrees with this: park it.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.payload)
    }

    /// By this process's clock; zero when that is behind the server's.
    fn age(&self) -> Duration {
        Duration::try_from(Timestamp::now().duration_since(self.created_at)).unwrap_or_default()
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
