//! The expiry job: releases unpaid holds whose time is over (R14).
//!
//! Every replica runs it. A hold is released once, because its row is locked while it is read and changed. A hold that
//! cannot be released is skipped, logged, counted in a metric, and retried later.

mod batch;
mod changes;

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use opentelemetry::{global, metrics::Gauge};
use staymesh_store::{bounded, outbox::Wake};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::ReservationError,
    store::{HoldCursor, Store},
};
use batch::HoldBatch;
pub(crate) use batch::release_expired;
pub(crate) use changes::drop_expired;

/// Pause between sweeps: how long an expired hold may stay when nothing is wrong.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Holds per transaction: few enough that other transactions do not wait long for their rows.
const BATCH: i64 = 500;
/// Deadline of a batch on a database that hangs.
const BATCH_DEADLINE: Duration = Duration::from_secs(15);
/// How long a stuck hold is skipped before it is retried, and logged, again.
const RETRY_STUCK_AFTER: Duration = Duration::from_mins(5);
/// Most stuck holds that are skipped; further ones are retried in every sweep.
const MAX_SKIPPED: usize = 1_000;

/// Releases expired holds until `stop`. Outages of the database are waited out.
pub async fn run(store: Store, wake: Wake, stop: CancellationToken) {
    let mut sweeper = Sweeper::new(store, wake);
    while !stop.is_cancelled() {
        if let Err(error) = sweeper.sweep(&stop).await {
            tracing::warn!(error.cause = %error, "expired holds cannot be released");
        }
        stop.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await;
    }
}

struct Sweeper {
    store: Store,
    wake: Wake,
    stuck: StuckHolds,
    /// Changes that wait for a payment, and those of them that have expired.
    pending: Gauge<i64>,
    overdue: Gauge<i64>,
}

impl Sweeper {
    fn new(store: Store, wake: Wake) -> Self {
        let gauge = |name, text| global::meter("staymesh").i64_gauge(name).with_description(text).build();
        Self {
            store,
            wake,
            stuck: StuckHolds::new(),
            pending: gauge("staymesh.changes.pending", "Changes that hold rooms until they are paid."),
            overdue: gauge("staymesh.changes.overdue", "Changes that have expired and still hold rooms."),
        }
    }

    /// Goes through all that has expired. Holds that cannot be released do not keep changes from being given up.
    async fn sweep(&mut self, stop: &CancellationToken) -> Result<(), ReservationError> {
        let holds = self.release_holds(stop).await;
        let changes = self.drop_changes().await;
        holds.and(changes)
    }

    /// Goes through all expired holds, a batch at a time.
    async fn release_holds(&mut self, stop: &CancellationToken) -> Result<(), ReservationError> {
        self.stuck.clear_if_old();
        let (mut cursor, mut count) = (Some(HoldCursor::START), 0_u64);
        while let Some(from) = cursor.filter(|_| !stop.is_cancelled()) {
            let release = release_expired(&self.store, Timestamp::now(), from, BATCH, &self.stuck.skipped);
            let HoldBatch { expired, stuck, next } = bounded(BATCH_DEADLINE, release).await?;
            if expired > 0 {
                tracing::info!(holds = expired, "holds have expired");
                self.wake.wake();
            }
            count = count.saturating_add(stuck.len() as u64);
            for (id, error) in stuck {
                self.stuck.add(id, error.as_ref());
            }
            cursor = next;
        }
        self.stuck.gauge.record(count, &[]);
        Ok(())
    }

    async fn drop_changes(&self) -> Result<(), ReservationError> {
        let dropped = bounded(BATCH_DEADLINE, drop_expired(&self.store, Timestamp::now(), BATCH)).await?;
        if dropped > 0 {
            tracing::info!(changes = dropped, "changes have expired unpaid");
            self.wake.wake();
        }
        let (pending, overdue) = self.store.pending_changes(Timestamp::now()).await?;
        self.pending.record(pending, &[]);
        self.overdue.record(overdue, &[]);
        Ok(())
    }
}

/// Holds that could not be released and are skipped for a while.
struct StuckHolds {
    skipped: BTreeSet<Uuid>,
    since: Instant,
    gauge: Gauge<u64>,
}

impl StuckHolds {
    fn new() -> Self {
        let gauge = global::meter("staymesh")
            .u64_gauge("staymesh.holds.stuck")
            .with_description("Expired holds that cannot be released.")
            .build();
        Self { skipped: BTreeSet::new(), since: Instant::now(), gauge }
    }

    fn add(&mut self, id: Uuid, error: Option<&ReservationError>) {
        // Only holds that are skipped afterwards are logged, so that the log is not flooded.
        if let Some(error) = error
            && self.skipped.len() < MAX_SKIPPED
            && self.skipped.insert(id)
        {
            tracing::error!(reservation_id = %id, error.cause = %cause(error), "an expired hold cannot be released; its rooms stay reserved");
        }
    }

    fn clear_if_old(&mut self) {
        if self.since.elapsed() >= RETRY_STUCK_AFTER {
            self.skipped.clear();
            self.since = Instant::now();
        }
    }
}

/// The error with its source, which names the column or the constraint.
fn cause(error: &ReservationError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
