//! Requests that come at their own times, whether or not the answers to those before have come.
//!
//! The latency of each counts from the time at which it was meant to be sent, so that a server that stalls cannot hide
//! the requests it kept from being sent (coordinated omission).

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{runtime::Handle, sync::Semaphore, sync::mpsc};

use super::{Outcome, Tally};

/// Requests that may be in progress at once. What is meant to be sent beyond that waits, and its time runs.
const IN_PROGRESS: usize = 4_000;

/// Sends requests `0..requests` at so many a second.
pub(crate) async fn open<F>(
    per_second: f64,
    requests: usize,
    send: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<Tally>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let (answers, mut answered) = mpsc::unbounded_channel();
    let started = Instant::now();
    // A thread of its own: the runtime's timers are a millisecond coarse, and it must not wait for a free worker.
    let clock = thread::Builder::new().name("arrivals".to_owned()).spawn({
        let runtime = Handle::current();
        move || -> Result<()> {
            let places = Arc::new(Semaphore::new(IN_PROGRESS));
            for request in 0..requests {
                let due = started + due(request, per_second);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let place = runtime.block_on(places.clone().acquire_owned())?;
                let (answers, answer) = (answers.clone(), send(request));
                runtime.spawn(async move {
                    let outcome = answer.await;
                    // Whoever counts is there as long as there are answers.
                    let _ = answers.send((request, outcome, due.elapsed()));
                    drop(place);
                });
            }
            Ok(())
        }
    })?;
    let mut tally = Tally::new()?;
    while let Some((request, outcome, took)) = answered.recv().await {
        tally.note(request, outcome, took);
    }
    tally.elapsed = started.elapsed();
    clock.join().ok().context("the clock panicked")??;
    Ok(tally)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests stay far below 2^52")]
fn due(request: usize, per_second: f64) -> Duration {
    Duration::from_secs_f64(request as f64 / per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stall_is_charged_to_every_request_that_was_due_meanwhile() {
        // One lock for all: the first request stalls, and those behind it have waited.
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        let send = move |request: usize| {
            let lock = lock.clone();
            async move {
                let _turn = lock.lock().await;
                if request == 0 {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Outcome::Accepted
            }
        };
        let tally = open(1000.0, 100, send).await.expect("runs");
        assert_eq!(tally.accepted, 100);
        // A client that waits for its answers would have seen one slow answer and 99 quick ones.
        assert!(tally.quantile_ms(0.5) > 100.0, "{}", tally.quantile_ms(0.5));
    }
}
