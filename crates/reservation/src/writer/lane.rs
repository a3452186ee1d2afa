//! One lane: gathers what waits, books it in one transaction, answers one by one.

use staymesh_store::StoreError;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::Job;
use crate::{
    error::ReservationError,
    model::NewReservation,
    store::{Created, Store},
};

/// Most bookings of one transaction: enough that the commit does not matter any more, few enough that the first does
/// not wait long for the last.
const BATCH: usize = 200;

type Outcome = Result<Created, ReservationError>;

/// Books what comes until `stop`.
pub(super) async fn run(store: Store, mut queue: mpsc::Receiver<Job>, stop: CancellationToken) {
    let mut jobs = Vec::with_capacity(BATCH);
    // Waits for the first, then takes what is there: no timer, so an idle lane adds no delay.
    while let Some(1..) = stop.run_until_cancelled(queue.recv_many(&mut jobs, BATCH)).await {
        let now = Instant::now();
        // Whoever has gone, or stopped waiting, gets nothing begun.
        jobs.retain(|job| !job.answer.is_closed() && now < job.deadline);
        let (orders, answers): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.order, job.answer)).unzip();
        for (answer, outcome) in answers.into_iter().zip(book(&store, &orders).await) {
            // A caller who has gone finds the booking by repeating the request.
            let _ = answer.send(outcome);
        }
    }
}

/// Books together; when that fails for a reason that may be one booking's own, one by one, so that a booking can only
/// ever fail by itself.
async fn book(store: &Store, orders: &[NewReservation]) -> Vec<Outcome> {
    match store.admit(orders).await {
        Ok(outcomes) => outcomes,
        Err(ReservationError::Store(StoreError::Unavailable(cause))) => {
            // Whether it was committed is not known; repeating is safe and tells.
            orders.iter().map(|_| Err(StoreError::Unavailable(cause.clone()).into())).collect()
        }
        Err(error) if orders.len() == 1 => vec![Err(error)],
        Err(error) => {
            tracing::warn!(error.cause = %error, bookings = orders.len(), "a batch failed; booking one by one");
            let mut outcomes = Vec::with_capacity(orders.len());
            for order in orders {
                outcomes.push(alone(store, order).await);
            }
            outcomes
        }
    }
}

async fn alone(store: &Store, order: &NewReservation) -> Outcome {
    let mut outcomes = store.admit(std::slice::from_ref(order)).await?;
    outcomes.pop().unwrap_or(Err(ReservationError::NotFound))
}
