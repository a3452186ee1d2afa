//! One lane: gathers what waits, does it in one transaction for bookings and one for changes, answers one by one.

use std::{collections::BTreeMap, time::Duration};

use staymesh_domain::ReservationId;
use staymesh_store::{StoreError, bounded};
use tokio::{sync::mpsc, time::Instant};

use super::{Asked, Job, metrics::Metrics};
use crate::{
    error::ReservationError,
    model::NewReservation,
    store::{Applied, ChangeOrder, Created, Store},
};

/// Most orders of one transaction: enough that the commit does not matter any more, few enough that the first does not
/// wait long for the last.
const BATCH: usize = 200;

/// How long a transaction may take when the database hangs; its own limits end what is merely slow.
const LIMIT: Duration = Duration::from_secs(8);

/// Does what comes until nobody can send any more.
pub(super) async fn run(store: Store, mut queue: mpsc::Receiver<Job>) {
    let mut bookings = Bookings { store: store.clone(), refused: false, metrics: Metrics::of("booking") };
    let mut changes = Changes { store, metrics: Metrics::of("change") };
    let mut jobs = Vec::new();
    let mut last = 0;
    // Waits for the first, then takes what is there: no timer, so an idle lane adds no delay.
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        gather(&mut queue, &mut jobs, last / 2).await;
        last = jobs.len();
        let (mut book, mut change) = (Vec::new(), Vec::new());
        for job in jobs.drain(..) {
            match job {
                Job::Book(asked) => book.push(asked),
                Job::Change(asked) => change.push(asked),
            }
        }
        // Changes first: they may free rooms for the bookings.
        while !change.is_empty() {
            let later = repeats(&mut change);
            work(&mut changes, std::mem::replace(&mut change, later)).await;
        }
        work(&mut bookings, book).await;
    }
}

/// Adds what is about to come, up to what is enough. The answers of a transaction bring the next orders, and beginning with
/// the first of them would make every other transaction a small one. So whoever is ready to run goes first, for as long as
/// that brings more. With enough there is no waiting: callers are served while the database works.
async fn gather(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>, enough: usize) {
    while jobs.len() < enough {
        tokio::task::yield_now().await;
        let before = jobs.len();
        while jobs.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        if jobs.len() == before {
            return;
        }
    }
}

/// Takes out all but the first change of each booking: what the others mean depends on what became of the first.
fn repeats(changes: &mut Vec<Asked<ChangeOrder, Applied>>) -> Vec<Asked<ChangeOrder, Applied>> {
    let mut first = std::collections::BTreeSet::new();
    let (now, later) = std::mem::take(changes).into_iter().partition(|asked| first.insert(asked.order.id.as_uuid()));
    *changes = now;
    later
}

/// Does orders of one kind in one transaction.
trait Batch {
    type Order;
    type Answer;

    /// Which booking an order is for.
    fn id(order: &Self::Order) -> ReservationId;

    /// Where its times go.
    fn metrics(&self) -> &Metrics;

    /// Does all of it; an order that is refused refuses only itself.
    async fn attempt(
        &mut self,
        orders: &[Self::Order],
    ) -> Result<Vec<Result<Self::Answer, ReservationError>>, ReservationError>;
}

/// New bookings.
struct Bookings {
    store: Store,
    /// Somebody was refused last time. When rooms run out, trying to book all at once is mostly in vain.
    refused: bool,
    metrics: Metrics,
}

impl Batch for Bookings {
    type Order = NewReservation;
    type Answer = Created;

    fn id(order: &NewReservation) -> ReservationId {
        order.id
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn attempt(
        &mut self,
        orders: &[NewReservation],
    ) -> Result<Vec<Result<Created, ReservationError>>, ReservationError> {
        if !self.refused
            && let Some(outcomes) = self.store.admit_all(orders).await?
        {
            return Ok(outcomes);
        }
        let outcomes = self.store.admit(orders).await?;
        self.refused = outcomes.iter().any(Result::is_err);
        Ok(outcomes)
    }
}

/// Changes of bookings.
struct Changes {
    store: Store,
    metrics: Metrics,
}

impl Batch for Changes {
    type Order = ChangeOrder;
    type Answer = Applied;

    fn id(order: &ChangeOrder) -> ReservationId {
        order.id
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn attempt(
        &mut self,
        orders: &[ChangeOrder],
    ) -> Result<Vec<Result<Applied, ReservationError>>, ReservationError> {
        self.store.apply_all(orders).await
    }
}

/// Does all in one transaction. When that fails, the hotels are tried one after another, so that a hotel whose rows are
/// locked or whose order is odd does not take the others along.
async fn work<B: Batch>(batch: &mut B, asked: Vec<Asked<B::Order, B::Answer>>) {
    let Err((asked, error)) = attempt(batch, asked).await else {
        return;
    };
    tracing::warn!(error.cause = %error, orders = asked.len(), "a batch failed; trying hotel by hotel");
    let mut hotels: BTreeMap<i32, Vec<_>> = BTreeMap::new();
    for one in asked {
        hotels.entry(B::id(&one.order).hotel_id().get()).or_default().push(one);
    }
    for asked in hotels.into_values() {
        work_for_hotel(batch, asked).await;
    }
}

/// Does what is for one hotel. When its rows are locked, all of it is refused at once: waiting again for each order would
/// keep the other hotels of the lane waiting too.
async fn work_for_hotel<B: Batch>(batch: &mut B, asked: Vec<Asked<B::Order, B::Answer>>) {
    let Err((asked, error)) = attempt(batch, asked).await else {
        return;
    };
    if let ReservationError::Store(StoreError::Timeout(cause)) = error {
        answer_all(asked, || StoreError::Timeout(cause.clone()));
        return;
    }
    for one in asked {
        if let Err((asked, error)) = attempt(batch, vec![one]).await {
            // The one that was given.
            let mut error = Some(error);
            for one in asked {
                let error = error.take().unwrap_or(ReservationError::NotFound);
                let _: Result<(), _> = one.answer.send(Err(error));
            }
        }
    }
}

/// Does orders in one transaction and answers, or gives them back with what went wrong. Those whose callers have gone or
/// stopped waiting are dropped: nothing is begun for them.
async fn attempt<B: Batch>(
    batch: &mut B,
    mut asked: Vec<Asked<B::Order, B::Answer>>,
) -> Result<(), (Vec<Asked<B::Order, B::Answer>>, ReservationError)> {
    let now = Instant::now();
    asked.retain(|one| !one.answer.is_closed() && now < one.deadline);
    if asked.is_empty() {
        return Ok(());
    }
    for one in &mut asked {
        // Once: an order that is tried again has begun before.
        if let Some(since) = one.since.take() {
            batch.metrics().waited(now.duration_since(since));
        }
    }
    let (orders, waiting): (Vec<_>, Vec<_>) =
        asked.into_iter().map(|one| (one.order, (one.answer, one.deadline))).unzip();
    let outcome = bounded(LIMIT, batch.attempt(&orders)).await;
    batch.metrics().done(orders.len(), now.elapsed());
    match outcome {
        Ok(outcomes) => {
            for ((answer, _), outcome) in waiting.into_iter().zip(outcomes) {
                // A caller who has gone finds what became of it by repeating the request.
                let _: Result<(), _> = answer.send(outcome);
            }
            Ok(())
        }
        Err(error) => {
            let again = |(order, (answer, deadline))| Asked { order, answer, deadline, since: None };
            let asked = orders.into_iter().zip(waiting).map(again).collect();
            if let ReservationError::Store(StoreError::Unavailable(cause)) = error {
                // Whether it was committed is not known; repeating is safe and tells.
                answer_all(asked, || StoreError::Unavailable(cause.clone()));
                return Ok(());
            }
            Err((asked, error))
        }
    }
}

fn answer_all<O, A>(asked: Vec<Asked<O, A>>, error: impl Fn() -> StoreError) {
    for one in asked {
        let _: Result<(), _> = one.answer.send(Err(error().into()));
    }
}
