//! The relay: a loop that claims due events, delivers them concurrently and records each outcome.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};

use super::delivery::{Delivery, Kinds};
use super::event::OutboxEvent;
use super::{backoff, claim};
use crate::{StoreError, bounded};

/// Calls the receiver of the events of one outbox.
pub trait Deliver: Send + Sync + 'static {
    /// Delivers one event, possibly not for the first time. After [`RelayOptions::deliver_timeout`] the call is cancelled
    /// and counts as [`Delivery::Retry`].
    fn deliver(&self, event: &OutboxEvent) -> impl Future<Output = Delivery> + Send;
}

/// Limits and timing of a relay.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// What it delivers.
    pub kinds: Kinds,
    /// Most deliveries in flight from this relay, and most events per claim.
    pub concurrency: usize,
    /// Deadline of one call of the receiver.
    pub deliver_timeout: Duration,
    /// Deadline of each step in the database. Longer than the server's own limits together, so that it only ends work on a
    /// server that hangs.
    pub store_timeout: Duration,
    /// Interval between claims without a wake-up.
    pub poll: Duration,
    /// Attempts after which an event becomes a dead letter.
    pub max_attempts: i32,
    /// Longest delay after the first failed attempt; doubles with each further one. While the receiver is unavailable, the
    /// longest delay is the event's age.
    pub backoff_base: Duration,
    /// Upper limit of the delay after a failed attempt.
    pub backoff_cap: Duration,
    /// Upper limit of the delay while the receiver is unavailable: events arrive at the latest this long after the receiver
    /// is back, however long the outage was.
    pub unavailable_cap: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            kinds: Kinds::All,
            concurrency: 8,
            deliver_timeout: Duration::from_secs(10),
            store_timeout: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            max_attempts: 20,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(5),
            unavailable_cap: Duration::from_secs(15),
        }
    }
}

impl RelayOptions {
    /// Duration of a claim: the call, and ample time to record its outcome.
    fn lease(&self) -> Duration {
        self.deliver_timeout + 2 * self.store_timeout
    }
}

/// Wakes the relay of this process, so that an event does not wait for the next poll.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes the relay. Call it after the commit. It does not block; several calls coalesce into one wake-up.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Delivers the events of one outbox. Any number of relays, in any number of processes, share the work.
#[derive(Debug)]
pub struct Relay<D> {
    pool: PgPool,
    receiver: Arc<D>,
    wake: Wake,
    options: RelayOptions,
}

impl<D: Deliver> Relay<D> {
    /// A relay from the outbox in this database to this receiver. It does nothing before [`Self::run`].
    pub fn new(pool: PgPool, receiver: D, wake: Wake, options: RelayOptions) -> Self {
        Self { pool, receiver: Arc::new(receiver), wake, options }
    }

    /// Delivers events until `stop` is cancelled, then waits for the deliveries in flight and returns. That takes at most
    /// [`RelayOptions::deliver_timeout`], plus [`RelayOptions::store_timeout`] if the database hangs. While the database is
    /// unavailable the relay retries its claim at every poll.
    pub async fn run(self, stop: CancellationToken) {
        let mut in_flight = JoinSet::new();
        while !stop.is_cancelled() {
            self.dispatch(&mut in_flight).await;
            let free = in_flight.len() < self.options.concurrency;
            tokio::select! {
                () = stop.cancelled() => {}
                // Frees a slot, and may make the next event of the aggregate due.
                Some(finished) = in_flight.join_next() => report(finished),
                () = self.wake.0.notified(), if free => {}
                () = sleep(self.options.poll), if free => {}
            }
            while let Some(finished) = in_flight.try_join_next() {
                report(finished);
            }
        }
        while let Some(finished) = in_flight.join_next().await {
            report(finished);
        }
    }

    /// Claims as many due events as there are free slots. A claimed event that waited for a slot would use up its lease.
    async fn dispatch(&self, in_flight: &mut JoinSet<()>) {
        let limit = self.options.concurrency.saturating_sub(in_flight.len());
        if limit == 0 {
            return;
        }
        let claimed = claim::claim(&self.pool, limit, self.options.lease(), self.options.kinds);
        match bounded(self.options.store_timeout, claimed).await {
            Ok(events) => events.into_iter().for_each(|event| {
                let span = info_span!("outbox delivery", event_id = event.event_id, kind = %event.kind, attempt = event.attempt);
                let attempt =
                    Attempt { pool: self.pool.clone(), receiver: self.receiver.clone(), options: self.options.clone() };
                in_flight.spawn(async move { attempt.run(event).await }.instrument(span));
            }),
            Err(error) => warn!(error = &error as &dyn std::error::Error, "cannot claim outbox events, trying again"),
        }
    }
}

/// A panic in [`Deliver::deliver`] counts as an attempt: the event is delivered again when its lease expires.
fn report(finished: Result<(), JoinError>) {
    if let Err(panic) = finished {
        error!(error = &panic as &dyn std::error::Error, "an outbox delivery panicked");
    }
}

/// One delivery attempt of one claimed event.
struct Attempt<D> {
    pool: PgPool,
    receiver: Arc<D>,
    options: RelayOptions,
}

impl<D: Deliver> Attempt<D> {
    async fn run(&self, event: OutboxEvent) {
        let outcome = self.deliver(&event).await;
        if let Err(error) = bounded(self.options.store_timeout, self.record(&event, outcome)).await {
            // The lease expires and the event is delivered again; receivers are idempotent.
            warn!(error = &error as &dyn std::error::Error, "cannot record the outcome of an outbox delivery");
        }
    }

    async fn deliver(&self, event: &OutboxEvent) -> Delivery {
        // An event is claimed more often than it is tried only if it crashed its relay each time.
        if event.attempt > self.options.max_attempts {
            return Delivery::DeadLetter("no attempt came to an end".to_owned());
        }
        match timeout(self.options.deliver_timeout, self.receiver.deliver(event)).await {
            Ok(outcome) => outcome,
            Err(_) => Delivery::Retry(format!("no answer within {} ms", self.options.deliver_timeout.as_millis())),
        }
    }

    async fn record(&self, event: &OutboxEvent, outcome: Delivery) -> Result<(), StoreError> {
        let RelayOptions { backoff_base, backoff_cap, unavailable_cap, .. } = self.options;
        match outcome {
            Delivery::Done => claim::delivered(&self.pool, event).await,
            Delivery::Unavailable(reason) => {
                let delay = backoff::delay_by_age(event.age(), backoff_base, unavailable_cap, rand::random());
                warn!(reason, retry_in_ms = delay.as_millis(), "the receiver of an outbox event is unavailable");
                claim::postpone(&self.pool, event, &reason, delay).await
            }
            Delivery::Retry(reason) if event.attempt < self.options.max_attempts => {
                let delay = backoff::delay(event.attempt, backoff_base, backoff_cap, rand::random());
                warn!(reason, retry_in_ms = delay.as_millis(), "an outbox event was not delivered");
                claim::retry(&self.pool, event, &reason, delay).await
            }
            Delivery::Retry(reason) | Delivery::DeadLetter(reason) => {
                error!(reason, "an outbox event is now a dead letter and waits for replay");
                claim::dead_letter(&self.pool, event, &reason).await
            }
        }
    }
}
