//! Ends holds that nobody has paid in time (R14). Every replica does it; a hold ends once, because its row is locked
//! while it is looked at and changed. One that cannot be ended is passed over, told of, and tried again later.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use opentelemetry::{global, metrics::Gauge};
use staymesh_store::{bounded, outbox::Wake};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::ReservationError,
    store::{EndedHolds, HoldPlace, Store},
};

/// How long a hold may outlive its time when nothing is wrong.
const EVERY: Duration = Duration::from_secs(1);
/// Holds ended in one transaction: few enough that nobody waits long for their rows.
const BATCH: i64 = 500;
/// How long that may take when the database hangs.
const LIMIT: Duration = Duration::from_secs(15);
/// How long a hold that could not be ended is left alone before it is tried, and told of, again.
const TRY_STUCK_EVERY: Duration = Duration::from_mins(5);
/// Holds that are left alone so; with more of them the rest is tried every time.
const MOST_ASIDE: usize = 1_000;

/// Ends holds until `stop`. Outages of the database are waited out.
pub async fn run(store: Store, wake: Wake, stop: CancellationToken) {
    let mut sweeper = Sweeper { store, wake, aside: Aside::new() };
    while !stop.is_cancelled() {
        if let Err(error) = sweeper.sweep(&stop).await {
            tracing::warn!(error.cause = %error, "cannot end holds");
        }
        stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

struct Sweeper {
    store: Store,
    wake: Wake,
    aside: Aside,
}

impl Sweeper {
    /// Looks through all holds that are over, a batch at a time.
    async fn sweep(&mut self, stop: &CancellationToken) -> Result<(), ReservationError> {
        self.aside.forget_if_old();
        let (mut place, mut stuck) = (Some(HoldPlace::START), 0_u64);
        while let Some(from) = place.filter(|_| !stop.is_cancelled()) {
            let end = self.store.end_holds(Timestamp::now(), from, BATCH, &self.aside.holds);
            let EndedHolds { ended, stuck: left, next } = bounded(LIMIT, end).await?;
            if ended > 0 {
                tracing::info!(holds = ended, "holds have expired");
                self.wake.wake();
            }
            stuck = stuck.saturating_add(left.len() as u64);
            for (id, error) in left {
                self.aside.add(id, error.as_ref());
            }
            place = next;
        }
        self.aside.count.record(stuck, &[]);
        Ok(())
    }
}

/// Holds that could not be ended.
struct Aside {
    holds: BTreeSet<Uuid>,
    since: Instant,
    count: Gauge<u64>,
}

impl Aside {
    fn new() -> Self {
        let count = global::meter("staymesh")
            .u64_gauge("staymesh.holds.stuck")
            .with_description("Holds that are over and cannot be ended.")
            .build();
        Self { holds: BTreeSet::new(), since: Instant::now(), count }
    }

    fn add(&mut self, id: Uuid, error: Option<&ReservationError>) {
        // No more of them are told of than are left alone: the log is not flooded.
        if let Some(error) = error
            && self.holds.len() < MOST_ASIDE
            && self.holds.insert(id)
        {
            tracing::error!(reservation_id = %id, error.cause = %cause(error), "a hold cannot be ended; its rooms stay taken");
        }
    }

    fn forget_if_old(&mut self) {
        if self.since.elapsed() >= TRY_STUCK_EVERY {
            self.holds.clear();
            self.since = Instant::now();
        }
    }
}

/// What went wrong, with what the database says of it: a kind alone does not tell which column it is.
fn cause(error: &ReservationError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
