//! One lane: gathers what waits, books it in one transaction, answers one by one.

use std::{collections::BTreeMap, time::Duration};

use staymesh_store::{StoreError, bounded};
use tokio::{sync::mpsc, time::Instant};

use super::Job;
use crate::{
    error::ReservationError,
    model::NewReservation,
    store::{Created, Store},
};

/// Most bookings of one transaction: enough that the commit does not matter any more, few enough that the first does
/// not wait long for the last.
const BATCH: usize = 200;

/// How long a transaction may take when the database hangs; its own limits end what is merely slow.
const LIMIT: Duration = Duration::from_secs(8);

type Outcome = Result<Created, ReservationError>;

/// Books what comes until nobody can send any more.
pub(super) async fn run(store: Store, mut queue: mpsc::Receiver<Job>) {
    let mut lane = Lane { store, refused: false };
    let mut jobs = Vec::new();
    // Waits for the first, then takes what is there: no timer, so an idle lane adds no delay.
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        gather(&mut queue, &mut jobs).await;
        lane.book_together(std::mem::take(&mut jobs)).await;
    }
}

/// Adds what is about to come. The answers of a transaction bring the next bookings all at once; beginning with the first
/// of them would make every other transaction a small one. So whoever is ready to run goes first, for as long as that
/// brings more.
async fn gather(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>) {
    while jobs.len() < BATCH {
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

struct Lane {
    store: Store,
    /// Somebody was refused last time. When rooms run out, trying to book all at once is mostly in vain.
    refused: bool,
}

impl Lane {
    /// Books all in one transaction. When that fails, the hotels are tried one after another, so that a hotel whose rows
    /// are locked or whose booking is odd does not take the others along.
    async fn book_together(&mut self, jobs: Vec<Job>) {
        let Err((jobs, error)) = self.attempt(jobs).await else {
            return;
        };
        tracing::warn!(error.cause = %error, bookings = jobs.len(), "a batch failed; booking hotel by hotel");
        let mut hotels: BTreeMap<i32, Vec<Job>> = BTreeMap::new();
        for job in jobs {
            hotels.entry(job.order.id.hotel_id().get()).or_default().push(job);
        }
        for jobs in hotels.into_values() {
            self.book_hotel(jobs).await;
        }
    }

    /// Books what is for one hotel. When its rows are locked, all of it is refused at once: waiting again for each
    /// booking would keep the other hotels of the lane waiting too.
    async fn book_hotel(&mut self, jobs: Vec<Job>) {
        let Err((jobs, error)) = self.attempt(jobs).await else {
            return;
        };
        if let ReservationError::Store(StoreError::Timeout(cause)) = error {
            answer_all(jobs, || StoreError::Timeout(cause.clone()));
            return;
        }
        for job in jobs {
            if let Err((jobs, error)) = self.attempt(vec![job]).await {
                // The one job that was given.
                let mut error = Some(error);
                for job in jobs {
                    let error = error.take().unwrap_or(ReservationError::NotFound);
                    let _: Result<(), Outcome> = job.answer.send(Err(error));
                }
            }
        }
    }

    /// Books in one transaction and answers, or gives the jobs back with what went wrong. Jobs whose callers have gone
    /// or stopped waiting are dropped: nothing is begun for them.
    async fn attempt(&mut self, mut jobs: Vec<Job>) -> Result<(), (Vec<Job>, ReservationError)> {
        let now = Instant::now();
        jobs.retain(|job| !job.answer.is_closed() && now < job.deadline);
        if jobs.is_empty() {
            return Ok(());
        }
        let (orders, waiting): (Vec<NewReservation>, Vec<_>) =
            jobs.into_iter().map(|job| (job.order, (job.answer, job.deadline))).unzip();
        match bounded(LIMIT, self.book(&orders)).await {
            Ok(outcomes) => {
                self.refused = outcomes.iter().any(Result::is_err);
                for ((answer, _), outcome) in waiting.into_iter().zip(outcomes) {
                    // A caller who has gone finds the booking by repeating the request.
                    let _: Result<(), Outcome> = answer.send(outcome);
                }
                Ok(())
            }
            Err(error) => {
                let jobs = orders
                    .into_iter()
                    .zip(waiting)
                    .map(|(order, (answer, deadline))| Job { order, answer, deadline })
                    .collect();
                if let ReservationError::Store(StoreError::Unavailable(cause)) = error {
                    // Whether it was committed is not known; repeating is safe and tells.
                    answer_all(jobs, || StoreError::Unavailable(cause.clone()));
                    return Ok(());
                }
                Err((jobs, error))
            }
        }
    }

    async fn book(&self, orders: &[NewReservation]) -> Result<Vec<Outcome>, ReservationError> {
        if !self.refused
            && let Some(outcomes) = self.store.admit_all(orders).await?
        {
            return Ok(outcomes);
        }
        self.store.admit(orders).await
    }
}

fn answer_all(jobs: Vec<Job>, error: impl Fn() -> StoreError) {
    for job in jobs {
        let _: Result<(), Outcome> = job.answer.send(Err(error().into()));
    }
}
