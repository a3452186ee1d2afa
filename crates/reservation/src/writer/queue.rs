//! The front of the writer: assigns orders to lanes and waits for their results.

use std::{sync::Arc, time::Duration};

use staymesh_domain::ReservationId;
use staymesh_mesh::{Problem, Reason, context::RequestContext};
use staymesh_store::StoreConfig;
use tokio::{sync::mpsc, time::Instant};

use super::{
    change_plan::{Applied, ChangeOrder},
    lane::{self, Job, QueuedOrder},
    outcome::Created,
    revise::{Revised, RevisionOrder},
};
use crate::{error::ReservationError, model::NewReservation, store::Store};

/// Most lanes of a writer: more than any database benefits from.
const MAX_LANES: usize = 256;
/// Lanes of changes of what was agreed. One that waits for the rows of a hotel delays no booking, and no change of most other
/// hotels.
const REVISION_LANES: usize = 2;
/// Orders that may wait in one lane; further ones are refused with OVERLOADED.
pub(super) const QUEUE: usize = 1024;
/// Longest wait of a transaction for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);
/// The retry delay that an OVERLOADED refusal recommends.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Deadline of an order whose caller has none.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(15);

/// Queues orders and yields the result of each. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    lanes: Arc<[mpsc::Sender<Job>]>,
    revisions: Arc<[mpsc::Sender<Job>]>,
}

impl Writer {
    /// The connection settings of the lanes: a pool of their own, so that bookings do not wait for other work, with two
    /// connections per lane, because a connection that was just used is tested before its next use. The lock timeout is
    /// short: a lock held on one hotel's rows must not delay the other hotels of a lane.
    pub fn connections(config: &StoreConfig, lanes: usize) -> StoreConfig {
        StoreConfig {
            // Two per lane, summed up so that no conversion can fail.
            database_max_connections: (0..lanes.clamp(1, MAX_LANES) + REVISION_LANES).map(|_| 2).sum(),
            database_lock_timeout: config.database_lock_timeout.min(LOCK_TIMEOUT),
            database_plan_once: true,
            ..config.clone()
        }
    }

    /// A writer with this many lanes of bookings (at least 1, at most 256), and the task of each lane, to be spawned. A lane
    /// ends when the last clone of the writer is dropped, so that orders are served while the server drains.
    pub fn new(store: &Store, lanes: usize) -> (Self, Vec<impl Future<Output = ()> + Send + use<>>) {
        let lane = |_| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            (sender, lane::run(store.clone(), receiver))
        };
        let (lanes, mut tasks): (Vec<_>, Vec<_>) = (0..lanes.clamp(1, MAX_LANES)).map(lane).unzip();
        let (revisions, more): (Vec<_>, Vec<_>) = (0..REVISION_LANES).map(lane).unzip();
        tasks.extend(more);
        (Self { lanes: lanes.into(), revisions: revisions.into() }, tasks)
    }

    /// Creates a reservation. Idempotent by reservation id.
    ///
    /// # Errors
    /// [`ReservationError::SoldOut`], [`ReservationError::NotOnSale`], [`ReservationError::IdReused`], when the database
    /// fails, and OVERLOADED when the lane's queue is full or the service stops: then it was not begun.
    pub async fn book(&self, order: NewReservation) -> Result<Created, ReservationError> {
        submit(&self.lanes, order.id, order, |order| Job::Book(Box::new(order))).await
    }

    /// Applies a command to a reservation. Idempotent.
    ///
    /// # Errors
    /// What [`crate::lifecycle::decide`] refuses, [`ReservationError::NotFound`], when the database fails, and OVERLOADED
    /// when the lane's queue is full or the service stops: then it was not begun.
    pub async fn change(&self, order: ChangeOrder) -> Result<Applied, ReservationError> {
        submit(&self.lanes, order.id, order, |order| Job::Change(Box::new(order))).await
    }

    /// Changes what was agreed about a reservation. Idempotent.
    ///
    /// # Errors
    /// What [`super::revise`] refuses, when the database fails, and OVERLOADED when the lane's queue is full or the service
    /// stops: then it was not begun.
    pub async fn revise(&self, order: RevisionOrder) -> Result<Revised, ReservationError> {
        submit(&self.revisions, order.id, order, |order| Job::Revise(Box::new(order))).await
    }
}

/// Queues an order in the lane of its hotel and waits for the result.
async fn submit<O, R>(
    lanes: &[mpsc::Sender<Job>],
    id: ReservationId,
    order: O,
    job: impl FnOnce(QueuedOrder<O, R>) -> Job,
) -> Result<R, ReservationError> {
    let deadline =
        RequestContext::current().map_or_else(|| Instant::now() + DEFAULT_DEADLINE, |context| context.deadline);
    let (queued, result) = QueuedOrder::new(order, deadline);
    let lane = &lanes[id.hotel_id().get().unsigned_abs() as usize % lanes.len()];
    lane.try_send(job(queued)).map_err(|_| overloaded())?;
    result.await.unwrap_or_else(|_| Err(overloaded()))
}

fn overloaded() -> ReservationError {
    Problem::new(Reason::Overloaded, "too many bookings are waiting; try again").retry_after(RETRY_AFTER).into()
}
