//! Runs the outbox of a service: carries its events, shows its depth, keeps it small.

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

/// How often depth and lag are measured and old events removed.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Longest wait for the database at each step.
const STORE_LIMIT: Duration = Duration::from_secs(10);
/// How long delivered events are kept, for whoever wants to know what happened.
const KEEP_DELIVERED: Duration = Duration::from_hours(7 * 24);
/// Events removed in one statement.
const PURGE_AT_ONCE: u16 = 1000;

impl Node {
    /// Carries the events of this service's outbox to `receiver` until the service stops.
    pub fn relay_outbox(&self, receiver: impl Deliver, wake: Wake, options: RelayOptions) {
        let relay = Relay::new(self.pool.clone(), Traced(receiver), wake, options);
        self.spawn(relay.run(self.stop.clone()));
        self.spawn(keep(self.pool.clone(), self.stop.clone()));
    }
}

/// Joins each delivery to the trace in which its event was written.
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
    parked: Gauge<i64>,
}

impl Gauges {
    fn new() -> Self {
        let meter = global::meter("staymesh");
        Self {
            depth: meter.i64_gauge("staymesh.outbox.depth").with_description("Events still to be delivered.").build(),
            lag: meter
                .f64_gauge("staymesh.outbox.lag")
                .with_unit("s")
                .with_description("Age of the oldest event still to be delivered.")
                .build(),
            parked: meter
                .i64_gauge("staymesh.outbox.parked")
                .with_description("Events set aside for somebody to look at.")
                .build(),
        }
    }
}

async fn keep(pool: PgPool, stop: CancellationToken) {
    let gauges = Gauges::new();
    loop {
        if let Err(error) = look(&pool, &gauges).await {
            tracing::warn!(error.cause = %error, "cannot look after the outbox");
        }
        if stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn look(pool: &PgPool, gauges: &Gauges) -> Result<(), StoreError> {
    let stats = bounded(STORE_LIMIT, outbox::stats(pool)).await?;
    gauges.depth.record(stats.depth, &[]);
    gauges.lag.record(stats.lag.as_secs_f64(), &[]);
    gauges.parked.record(stats.parked, &[]);
    let purge = async || bounded(STORE_LIMIT, outbox::purge_delivered(pool, KEEP_DELIVERED, PURGE_AT_ONCE)).await;
    while purge().await? == u64::from(PURGE_AT_ONCE) {}
    Ok(())
}
