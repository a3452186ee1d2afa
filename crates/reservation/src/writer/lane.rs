//! A lane of the writer: batches the orders that wait, writes one transaction of new bookings and one of changes, and
//! answers each caller.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use staymesh_domain::ReservationId;
use staymesh_store::{StoreError, bounded};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    book::{book_all, book_each},
    change::apply_all,
    change_plan::{Applied, ChangeOrder},
    metrics::Metrics,
    outcome::Created,
    revise::{Revised, RevisionOrder, revise},
};
use crate::{error::ReservationError, model::NewReservation, store::Store};

/// Most orders of one transaction: enough to make the cost of a commit negligible, few enough that the first order does
/// not wait long for the last.
const BATCH: usize = 200;

/// Deadline of a transaction on a database that hangs; the database's own timeouts end slow ones earlier.
const TRANSACTION_DEADLINE: Duration = Duration::from_secs(8);

/// An order in a lane's queue.
pub(super) enum Job {
    Book(Box<QueuedOrder<NewReservation, Created>>),
    Change(Box<QueuedOrder<ChangeOrder, Applied>>),
    Revise(Box<QueuedOrder<RevisionOrder, Revised>>),
}

/// An order and where its result is sent.
pub(super) struct QueuedOrder<O, R> {
    order: O,
    result: oneshot::Sender<Result<R, ReservationError>>,
    /// When the caller gives up; the order is not begun after this.
    deadline: Instant,
    /// When it was queued; `None` once it was begun.
    queued_at: Option<Instant>,
}

impl<O, R> QueuedOrder<O, R> {
    pub(super) fn new(order: O, deadline: Instant) -> (Self, oneshot::Receiver<Result<R, ReservationError>>) {
        let (result, receiver) = oneshot::channel();
        (Self { order, result, deadline, queued_at: Some(Instant::now()) }, receiver)
    }
}

/// Serves the queue until all senders are dropped.
pub(super) async fn run(store: Store, mut queue: mpsc::Receiver<Job>) {
    let mut bookings = Bookings { store: store.clone(), refused: false, metrics: Metrics::of("booking") };
    let mut changes = Changes { store: store.clone(), metrics: Metrics::of("change") };
    let mut revisions = Revisions { store, metrics: Metrics::of("revision") };
    let mut jobs = Vec::new();
    let mut last = 0;
    // Waits for the first order, then takes what is queued: no timer, so an idle lane adds no delay.
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        coalesce(&mut queue, &mut jobs, last / 2).await;
        last = jobs.len();
        let (mut book, mut change, mut revise) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs.drain(..) {
            match job {
                Job::Book(order) => book.push(*order),
                Job::Change(order) => change.push(*order),
                Job::Revise(order) => revise.push(*order),
            }
        }
        // Changes first: they may release rooms for the bookings.
        while !change.is_empty() {
            let later = split_off_repeats(&mut change);
            write(&mut changes, std::mem::replace(&mut change, later)).await;
        }
        for orders in by_hotel::<Revisions>(revise) {
            write_each(&mut revisions, orders).await;
        }
        write(&mut bookings, book).await;
    }
}

/// Adds orders that are about to be queued, until there are `enough`.
///
/// Answered callers send their next request at once. Yield until no more arrive, or batches alternate large and small.
/// With `enough` orders there is no yielding: callers run while the database works.
async fn coalesce(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>, enough: usize) {
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

/// Splits off all but the first change of each reservation: the meaning of the others depends on the first's outcome.
fn split_off_repeats(changes: &mut Vec<QueuedOrder<ChangeOrder, Applied>>) -> Vec<QueuedOrder<ChangeOrder, Applied>> {
    let mut seen = BTreeSet::new();
    let (now, later) = std::mem::take(changes).into_iter().partition(|queued| seen.insert(queued.order.id.as_uuid()));
    *changes = now;
    later
}

/// A kind of orders that are written together in one transaction.
trait Batch {
    type Order;
    type Output;

    /// The reservation of an order.
    fn id(order: &Self::Order) -> ReservationId;

    fn metrics(&self) -> &Metrics;

    /// Writes all orders in one transaction. A refused order does not affect the others.
    async fn attempt(
        &mut self,
        orders: &[Self::Order],
    ) -> Result<Vec<Result<Self::Output, ReservationError>>, ReservationError>;
}

/// New bookings.
struct Bookings {
    store: Store,
    /// The last batch had a refusal. When rooms run out, the one-statement attempt would mostly be wasted.
    refused: bool,
    metrics: Metrics,
}

impl Batch for Bookings {
    type Order = NewReservation;
    type Output = Created;

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
        // What staff book is audited, which is a statement of its own.
        let audited = orders.iter().any(|order| order.origin.is_some());
        if !self.refused
            && !audited
            && let Some(outcomes) = book_all(&self.store, orders).await?
        {
            return Ok(outcomes);
        }
        let outcomes = book_each(&self.store, orders).await?;
        self.refused = outcomes.iter().any(Result::is_err);
        Ok(outcomes)
    }
}

/// Changes of reservations.
struct Changes {
    store: Store,
    metrics: Metrics,
}

impl Batch for Changes {
    type Order = ChangeOrder;
    type Output = Applied;

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
        apply_all(&self.store, orders).await
    }
}

/// Changes of what was agreed.
struct Revisions {
    store: Store,
    metrics: Metrics,
}

impl Batch for Revisions {
    type Order = RevisionOrder;
    type Output = Revised;

    fn id(order: &RevisionOrder) -> ReservationId {
        order.id
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A refusal is an outcome, and not repeated.
    async fn attempt(
        &mut self,
        orders: &[RevisionOrder],
    ) -> Result<Vec<Result<Revised, ReservationError>>, ReservationError> {
        let mut outcomes = Vec::with_capacity(orders.len());
        for order in orders {
            match revise(&self.store, order).await {
                Err(ReservationError::Store(error)) => return Err(error.into()),
                outcome => outcomes.push(outcome),
            }
        }
        Ok(outcomes)
    }
}

/// Writes all orders in one transaction. When that fails, hotel by hotel, so that a hotel whose rows are locked or whose
/// order fails the statement does not fail the others.
async fn write<B: Batch>(batch: &mut B, orders: Vec<QueuedOrder<B::Order, B::Output>>) {
    let Err((orders, error)) = attempt(batch, orders).await else {
        return;
    };
    tracing::warn!(error.cause = %error, orders = orders.len(), "a batch failed; retrying hotel by hotel");
    for orders in by_hotel::<B>(orders) {
        write_hotel(batch, orders).await;
    }
}

/// Orders by their hotel, those of each in the order of arrival.
fn by_hotel<B: Batch>(
    orders: Vec<QueuedOrder<B::Order, B::Output>>,
) -> impl Iterator<Item = Vec<QueuedOrder<B::Order, B::Output>>> {
    let mut hotels: BTreeMap<i32, Vec<_>> = BTreeMap::new();
    for queued in orders {
        hotels.entry(B::id(&queued.order).hotel_id().get()).or_default().push(queued);
    }
    hotels.into_values()
}

/// Writes the orders of one hotel, each in a transaction of its own: one that is refused must not fail the others. A lock
/// timeout refuses those that are left, so that a hotel whose rows are locked delays the lane once.
async fn write_each<B: Batch>(batch: &mut B, orders: Vec<QueuedOrder<B::Order, B::Output>>) {
    let mut orders = orders.into_iter();
    while let Some(order) = orders.next() {
        let Err((failed, error)) = attempt(batch, vec![order]).await else { continue };
        if let ReservationError::Store(StoreError::Timeout(cause)) = error {
            fail_all(failed.into_iter().chain(orders).collect(), || StoreError::Timeout(cause.clone()));
            return;
        }
        write_hotel(batch, failed).await;
    }
}

/// Writes the orders of one hotel, then one by one. A lock timeout refuses all of them at once: waiting for the lock
/// again for each order would delay the other hotels of the lane.
async fn write_hotel<B: Batch>(batch: &mut B, orders: Vec<QueuedOrder<B::Order, B::Output>>) {
    let Err((orders, error)) = attempt(batch, orders).await else {
        return;
    };
    if let ReservationError::Store(StoreError::Timeout(cause)) = error {
        fail_all(orders, || StoreError::Timeout(cause.clone()));
        return;
    }
    for queued in orders {
        if let Err((failed, error)) = attempt(batch, vec![queued]).await {
            // One order was attempted, so at most one comes back.
            let mut error = Some(error);
            for queued in failed {
                let error = error.take().unwrap_or(ReservationError::NotFound);
                let _: Result<(), _> = queued.result.send(Err(error));
            }
        }
    }
}

/// Writes orders in one transaction and answers their callers, or returns the orders with the error. Orders whose callers
/// have disconnected or given up are dropped before anything is begun.
async fn attempt<B: Batch>(
    batch: &mut B,
    mut queued: Vec<QueuedOrder<B::Order, B::Output>>,
) -> Result<(), (Vec<QueuedOrder<B::Order, B::Output>>, ReservationError)> {
    let now = Instant::now();
    queued.retain(|one| !one.result.is_closed() && now < one.deadline);
    if queued.is_empty() {
        return Ok(());
    }
    for one in &mut queued {
        // Recorded once: an order that is retried was begun before.
        if let Some(queued_at) = one.queued_at.take() {
            batch.metrics().waited(now.duration_since(queued_at));
        }
    }
    let (orders, callers): (Vec<_>, Vec<_>) =
        queued.into_iter().map(|one| (one.order, (one.result, one.deadline))).unzip();
    let outcome = bounded(TRANSACTION_DEADLINE, batch.attempt(&orders)).await;
    batch.metrics().done(orders.len(), now.elapsed());
    match outcome {
        Ok(outcomes) => {
            for ((result, _), outcome) in callers.into_iter().zip(outcomes) {
                // A caller that has disconnected gets the outcome by repeating its request.
                let _: Result<(), _> = result.send(outcome);
            }
            Ok(())
        }
        Err(error) => {
            let restore = |(order, (result, deadline))| QueuedOrder { order, result, deadline, queued_at: None };
            let queued = orders.into_iter().zip(callers).map(restore).collect();
            if let ReservationError::Store(StoreError::Unavailable(cause)) = error {
                // It is unknown whether the commit succeeded. Callers may safely repeat the request to find out.
                fail_all(queued, || StoreError::Unavailable(cause.clone()));
                return Ok(());
            }
            Err((queued, error))
        }
    }
}

fn fail_all<O, R>(orders: Vec<QueuedOrder<O, R>>, error: impl Fn() -> StoreError) {
    for queued in orders {
        let _: Result<(), _> = queued.result.send(Err(error().into()));
    }
}
