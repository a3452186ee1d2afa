//! Open-loop load: requests at a fixed rate, whether or not earlier ones were answered.
//!
//! Latency counts from the scheduled time of a request, so that a stalled server cannot hide the requests it delayed
//! (coordinated omission, Gil Tene).

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{runtime::Handle, sync::Semaphore, sync::mpsc};

use crate::{Outcome, Tally};

/// Most requests in flight. Further requests wait for a permit, and their latency runs from their scheduled time.
const MAX_IN_FLIGHT: usize = 4_000;

/// Sends requests `0..requests` at a rate of `per_second`.
///
/// # Errors
/// When the thread that schedules requests cannot be started or panics.
pub async fn open<F>(
    per_second: f64,
    requests: usize,
    send: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<Tally>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let (answers, mut answered) = mpsc::unbounded_channel();
    let started = Instant::now();
    // A dedicated thread: the runtime's timers have a resolution of a millisecond and need a free worker.
    let clock = thread::Builder::new().name("arrivals".to_owned()).spawn({
        let runtime = Handle::current();
        move || -> Result<()> {
            let permits = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
            for request in 0..requests {
                let due = started + due(request, per_second);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let permit = runtime.block_on(permits.clone().acquire_owned())?;
                let (answers, answer) = (answers.clone(), send(request));
                runtime.spawn(async move {
                    let outcome = answer.await;
                    // The receiver lives until every sender is dropped.
                    let _ = answers.send((request, outcome, due.elapsed()));
                    drop(permit);
                });
            }
            Ok(())
        }
    })?;
    let mut tally = Tally::new()?;
    while let Some((request, outcome, took)) = answered.recv().await {
        tally.record(request, outcome, took);
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
    async fn open_loop_charges_a_stall_to_every_request_scheduled_during_it() {
        // A shared lock: the first request stalls, and those behind it wait.
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        let send = move |request: usize| {
            let lock = lock.clone();
            async move {
                let _guard = lock.lock().await;
                if request == 0 {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Outcome::Accepted
            }
        };
        let tally = open(1000.0, 100, send).await.expect("runs");
        assert_eq!(tally.accepted, 100);
        // A closed loop would have measured one slow answer and 99 fast ones.
        assert!(tally.quantile_ms(0.5) > 100.0, "{}", tally.quantile_ms(0.5));
    }
}
