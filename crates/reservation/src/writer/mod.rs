//! The booking writer: many bookings, and changes of bookings, in one transaction, without making anybody wait for it.
//!
//! Bookings of the same nights queue behind one another's commit, whatever the locking. So what arrives while a commit
//! is in flight is gathered, and goes together into the next one: an idle writer adds no delay, and a busy one spreads
//! the price of a commit over all that waits. (In databases this is known as group commit; here it also gathers the
//! statements.)
//!
//! Bookings are dealt to lanes by hotel, so that within a replica one lane owns a hotel's rows and a transaction never
//! spans two shards. Any number of replicas may do this at once: rows are locked in the order of their keys, and the
//! CHECK of the database has the last word. Nothing relies on the writer for being right.

mod admission;
mod lane;
mod metrics;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use staymesh_domain::ReservationId;
use staymesh_mesh::{Problem, Reason, context::RequestContext};
use staymesh_store::StoreConfig;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

pub(crate) use admission::{Demand, Night, Verdict, admit};

use crate::{
    error::ReservationError,
    model::NewReservation,
    service::Bookings,
    store::{Applied, ChangeOrder, Created, Store},
};

/// More lanes than any database has use for.
const MOST_LANES: usize = 256;
/// Bookings that may wait in one lane; more are refused with OVERLOADED.
const QUEUE: usize = 1024;
/// Longest wait of a transaction for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);
/// When it makes sense to try again after that.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// How long an order without a caller's deadline may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Takes orders and answers each. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    lanes: Arc<[mpsc::Sender<Job>]>,
}

/// Work for a lane.
enum Job {
    Book(Asked<NewReservation, Created>),
    Change(Asked<ChangeOrder, Applied>),
}

/// An order on its way, and who waits for the answer.
struct Asked<O, A> {
    order: O,
    answer: oneshot::Sender<Result<A, ReservationError>>,
    /// When the caller stops waiting; after this it must not be begun.
    deadline: Instant,
    /// When it was asked for, until it is begun.
    since: Option<Instant>,
}

impl Writer {
    /// How the lanes reach the database: with connections of their own, so that bookings wait for nobody else's work; two
    /// for each, because one that was just used is tested before it is used again. They have little patience with locks: whoever holds the rows of one hotel must not keep the others of a lane waiting.
    pub fn connections(config: &StoreConfig, lanes: usize) -> StoreConfig {
        StoreConfig {
            database_max_connections: u32::try_from(2 * lanes.clamp(1, MOST_LANES)).unwrap_or(2),
            database_lock_timeout: config.database_lock_timeout.min(LOCK_TIMEOUT),
            database_plan_once: true,
            ..config.clone()
        }
    }

    /// A writer with so many lanes, and the work of each lane, to be spawned. A lane ends when the last writer is gone,
    /// so that bookings are answered for as long as the server drains.
    pub fn new(store: &Store, lanes: usize) -> (Self, Vec<impl Future<Output = ()> + Send + use<>>) {
        let (senders, work): (Vec<_>, Vec<_>) = (0..lanes.clamp(1, MOST_LANES))
            .map(|_| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                (sender, lane::run(store.clone(), receiver))
            })
            .unzip();
        (Self { lanes: senders.into() }, work)
    }
}

#[tonic::async_trait]
impl Bookings for Writer {
    /// Refuses with OVERLOADED when the lane is full or the service stops.
    async fn book(&self, order: NewReservation) -> Result<Created, ReservationError> {
        self.ask(order.id, order, Job::Book).await
    }

    /// Refuses with OVERLOADED when the lane is full or the service stops.
    async fn change(&self, order: ChangeOrder) -> Result<Applied, ReservationError> {
        self.ask(order.id, order, Job::Change).await
    }
}

impl Writer {
    /// Puts an order into the lane of its hotel and waits for the answer.
    async fn ask<O, A>(
        &self,
        id: ReservationId,
        order: O,
        job: impl FnOnce(Asked<O, A>) -> Job,
    ) -> Result<A, ReservationError> {
        let deadline =
            RequestContext::current().map_or_else(|| Instant::now() + LONGEST_WAIT, |context| context.deadline);
        let (answer, answered) = oneshot::channel();
        let lane = &self.lanes[id.hotel_id().get().unsigned_abs() as usize % self.lanes.len()];
        lane.try_send(job(Asked { order, answer, deadline, since: Some(Instant::now()) })).map_err(|_| overloaded())?;
        answered.await.unwrap_or_else(|_| Err(overloaded()))
    }
}

fn overloaded() -> ReservationError {
    Problem::new(Reason::Overloaded, "too many bookings are waiting; try again").retry_after(TRY_AGAIN).into()
}

/// Timestamps as the database keeps them: whole microseconds.
pub(crate) fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

#[cfg(test)]
mod tests;
