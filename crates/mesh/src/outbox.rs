//! The outbox of a service in operation: relays its events, exports its metrics, purges delivered events.

use std::time::Duration;

use opentelemetry::{global, metrics::Gauge};
use sqlx::PgPool;
use staymesh_store::{
    StoreError, bounded,
    outbox::{self, Deliver, Delivery, OutboxEvent, Relay, RelayOptions, Wake},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{node::Node, telemetry};

/// Interval of measuring depth and lag and of purging delivered events.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(15);
/// Deadline of each step in the database.
const STORE_LIMIT: Duration = Duration::from_secs(10);
/// How long delivered events are kept for diagnosis.
const KEEP_DELIVERED: Duration = Duration::from_hours(7 * 24);
/// Events purged in one statement.
const PURGE_BATCH: u16 = 1000;

impl Node {
    /// Relays the events of this service's outbox to `receiver`, and maintains the outbox, until the service stops.
    pub fn relay_outbox(&self, receiver: impl Deliver, wake: Wake, options: RelayOptions) {
        self.relay_kinds(receiver, wake, options);
        self.spawn(maintain(self.pool.clone(), self.stop.clone()));
    }

    /// Relays further kinds of events of this service's outbox to another receiver, beside [`Self::relay_outbox`], until the
    /// service stops. The kinds of both ([`RelayOptions::kinds`]) must be disjoint.
    pub fn relay_kinds(&self, receiver: impl Deliver, wake: Wake, options: RelayOptions) {
        let relay = Relay::new(self.pool.clone(), Traced(receiver), wake, options);
        self.spawn(relay.run(self.stop.clone()));
    }
}

/// Continues in each delivery the trace in which its event was written.
struct Traced<D>(D);

impl<D: Deliver> Deliver for Traced<D> {
    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        let span = tracing::info_span!("deliver", otel.name = %event.kind, event_id = event.event_id);
        telemetry::continue_trace(&span, event.trace_parent.as_deref());
        self.0.deliver(event).instrument(span).await
    }
}

struct Gauges {
    depth: Gauge<i64>,
    lag: Gauge<f64>,
    dead_letters: Gauge<i64>,
}

impl Gauges {
    fn new() -> Self {
        let meter = global::meter("staymesh");
        Self {
            depth: meter
                .i64_gauge("staymesh.outbox.depth")
                .with_description("Undelivered events without dead letters.")
                .build(),
            lag: meter
                .f64_gauge("staymesh.outbox.lag")
                .with_unit("s")
                .with_description("Age of the oldest undelivered event.")
                .build(),
            dead_letters: meter
                .i64_gauge("staymesh.outbox.parked")
                .with_description("Dead letters: events that are delivered only after a replay.")
                .build(),
        }
    }
}

async fn maintain(pool: PgPool, stop: CancellationToken) {
    let gauges = Gauges::new();
    loop {
        if let Err(error) = maintain_once(&pool, &gauges).await {
            tracing::warn!(error.cause = %error, "outbox maintenance failed");
        }
        if stop.run_until_cancelled(tokio::time::sleep(MAINTENANCE_INTERVAL)).await.is_none() {
            return;
        }
    }
}

async fn maintain_once(pool: &PgPool, gauges: &Gauges) -> Result<(), StoreError> {
    let stats = bounded(STORE_LIMIT, outbox::stats(pool)).await?;
    gauges.depth.record(stats.depth, &[]);
    gauges.lag.record(stats.lag.as_secs_f64(), &[]);
    gauges.dead_letters.record(stats.dead_letters, &[]);
    let purge = async || bounded(STORE_LIMIT, outbox::purge_delivered(pool, KEEP_DELIVERED, PURGE_BATCH)).await;
    while purge().await? == u64::from(PURGE_BATCH) {}
    Ok(())
}
