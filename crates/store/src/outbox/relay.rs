//! The loop that carries events to their receiver.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};

use super::{OutboxEvent, backoff, claim};
use crate::{StoreError, bounded};

/// What came of one attempt. Reasons are stored and logged: no personal data in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it, now or from an earlier attempt.
    Done,
    /// Not this time: try again later, [`RelayOptions::max_attempts`] times in all.
    Retry(String),
    /// The receiver is not there at all, which says nothing about the event: try again for as long as that takes. It
    /// does not count as an attempt.
    Away(String),
    /// It will never be taken; somebody must look.
    Park(String),
}

/// Calls the receiver of events.
pub trait Deliver: Send + Sync + 'static {
    /// Delivers one event, possibly again. Cut off after [`RelayOptions::deliver_timeout`], which counts as
    /// [`Delivery::Retry`].
    fn deliver(&self, event: &OutboxEvent) -> impl Future<Output = Delivery> + Send;
}

/// How eager a relay is.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Most events on their way at once from this relay, and most that are claimed at once.
    pub concurrency: usize,
    /// Longest call of the receiver.
    pub deliver_timeout: Duration,
    /// Longest wait for the database at each step. A little more than the server's own limits together, so that it only
    /// ends what hangs.
    pub store_timeout: Duration,
    /// How often to look for due events when nobody rings.
    pub poll: Duration,
    /// Attempts after which an event is parked.
    pub max_attempts: i32,
    /// Longest wait after the first failed attempt; doubles with each further one. While the receiver is away, the
    /// longest wait is the event's age.
    pub backoff_base: Duration,
    /// Longest wait after an attempt that failed.
    pub backoff_cap: Duration,
    /// Longest wait for a receiver that is away: an event arrives that soon after its receiver is back, however long
    /// that was away.
    pub away_cap: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            concurrency: 8,
            deliver_timeout: Duration::from_secs(10),
            store_timeout: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            max_attempts: 20,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(5),
            away_cap: Duration::from_secs(15),
        }
    }
}

impl RelayOptions {
    /// How long a claim holds: the call, and ample time to write down its outcome.
    fn lease(&self) -> Duration {
        self.deliver_timeout + 2 * self.store_timeout
    }
}

/// Rings the relay of this process, so that an event need not wait for the next poll.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// There is something to deliver. Call it after the commit; it does not block, and rings add up to one.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Carries the events of one outbox. Any number of relays may share the work, in any number of processes.
#[derive(Debug)]
pub struct Relay<D> {
    pool: PgPool,
    receiver: Arc<D>,
    wake: Wake,
    options: RelayOptions,
}

impl<D: Deliver> Relay<D> {
    /// A relay from the outbox in this database to this receiver; it does nothing before [`Self::run`].
    pub fn new(pool: PgPool, receiver: D, wake: Wake, options: RelayOptions) -> Self {
        Self { pool, receiver: Arc::new(receiver), wake, options }
    }

    /// Delivers events until `stop` is cancelled; then lets those on their way arrive, which takes
    /// [`RelayOptions::deliver_timeout`] at most, or [`RelayOptions::store_timeout`] more when the database hangs, and
    /// returns. Outages of the database are waited out.
    pub async fn run(self, stop: CancellationToken) {
        let mut on_their_way = JoinSet::new();
        while !stop.is_cancelled() {
            self.dispatch(&mut on_their_way).await;
            let free = on_their_way.len() < self.options.concurrency;
            tokio::select! {
                () = stop.cancelled() => {}
                // One that has arrived makes room, and may let the next of its aggregate go.
                Some(arrived) = on_their_way.join_next() => report(arrived),
                () = self.wake.0.notified(), if free => {}
                () = sleep(self.options.poll), if free => {}
            }
            while let Some(arrived) = on_their_way.try_join_next() {
                report(arrived);
            }
        }
        while let Some(arrived) = on_their_way.join_next().await {
            report(arrived);
        }
    }

    /// Claims as many due events as there is room for, no more: a claimed event that waited here would use up its
    /// lease.
    async fn dispatch(&self, on_their_way: &mut JoinSet<()>) {
        let room = self.options.concurrency.saturating_sub(on_their_way.len());
        if room == 0 {
            return;
        }
        match bounded(self.options.store_timeout, claim::claim(&self.pool, room, self.options.lease())).await {
            Ok(events) => events.into_iter().for_each(|event| {
                let span = info_span!("outbox delivery", event_id = event.event_id, kind = %event.kind, attempt = event.attempt);
                let courier =
                    Courier { pool: self.pool.clone(), receiver: self.receiver.clone(), options: self.options.clone() };
                on_their_way.spawn(async move { courier.carry(event).await }.instrument(span));
            }),
            Err(error) => warn!(error = &error as &dyn std::error::Error, "cannot claim outbox events, trying again"),
        }
    }
}

/// A panic of the receiver costs its event the attempt; it is delivered again when its lease is over.
fn report(arrived: Result<(), JoinError>) {
    if let Err(panic) = arrived {
        error!(error = &panic as &dyn std::error::Error, "an outbox delivery panicked");
    }
}

struct Courier<D> {
    pool: PgPool,
    receiver: Arc<D>,
    options: RelayOptions,
}

impl<D: Deliver> Courier<D> {
    async fn carry(&self, event: OutboxEvent) {
        let outcome = self.attempt(&event).await;
        if let Err(error) = bounded(self.options.store_timeout, self.settle(&event, outcome)).await {
            // The lease runs out and the event is delivered once more, which receivers can take.
            warn!(error = &error as &dyn std::error::Error, "cannot write down what came of an outbox event");
        }
    }

    async fn attempt(&self, event: &OutboxEvent) -> Delivery {
        // Only one that took its relay down with it, again and again, is claimed more often than it is tried.
        if event.attempt > self.options.max_attempts {
            return Delivery::Park("no attempt came to an end".to_owned());
        }
        match timeout(self.options.deliver_timeout, self.receiver.deliver(event)).await {
            Ok(outcome) => outcome,
            Err(_) => Delivery::Retry(format!("no answer within {} ms", self.options.deliver_timeout.as_millis())),
        }
    }

    async fn settle(&self, event: &OutboxEvent, outcome: Delivery) -> Result<(), StoreError> {
        let RelayOptions { backoff_base, backoff_cap, away_cap, .. } = self.options;
        match outcome {
            Delivery::Done => claim::delivered(&self.pool, event).await,
            Delivery::Away(reason) => {
                let delay = backoff::delay_by_age(event.age(), backoff_base, away_cap, rand::random());
                warn!(reason, retry_in_ms = delay.as_millis(), "the receiver of an outbox event is away");
                claim::postpone(&self.pool, event, &reason, delay).await
            }
            Delivery::Retry(reason) if event.attempt < self.options.max_attempts => {
                let delay = backoff::delay(event.attempt, backoff_base, backoff_cap, rand::random());
                warn!(reason, retry_in_ms = delay.as_millis(), "an outbox event was not delivered");
                claim::retry(&self.pool, event, &reason, delay).await
            }
            Delivery::Retry(reason) | Delivery::Park(reason) => {
                error!(reason, "an outbox event was parked and waits for replay");
                claim::park(&self.pool, event, &reason).await
            }
        }
    }
}
