//! Closed-loop load: a fixed number of clients, each of which sends its next request after the answer to the last.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{Outcome, Tally};

/// Sends requests `0..requests` from `clients` concurrent clients, until all are sent or `time` is over. Requests that are
/// in flight at that moment are awaited and counted.
///
/// # Errors
/// When a client task panics.
pub async fn closed<F>(
    clients: usize,
    requests: usize,
    time: Duration,
    send: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Result<Tally>
where
    F: Future<Output = Outcome> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (next, send) = (next.clone(), send.clone());
            tokio::spawn(async move {
                let mut tally = Tally::new()?;
                while started.elapsed() < time {
                    let request = next.fetch_add(1, Ordering::Relaxed);
                    if request >= requests {
                        break;
                    }
                    let began = Instant::now();
                    let outcome = send(request).await;
                    tally.record(request, outcome, began.elapsed());
                }
                anyhow::Ok(tally)
            })
        })
        .collect();
    let mut all = Tally::new()?;
    for task in tasks {
        all.merge(task.await??)?;
    }
    all.elapsed = started.elapsed();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn closed_loop_sends_each_request_once_with_at_most_one_in_flight_per_client() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counting, peak) = (now.clone(), most.clone());
        let send = move |_| {
            let (now, most) = (counting.clone(), peak.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Outcome::Accepted
            }
        };
        let mut tally = closed(3, 50, Duration::from_mins(1), send).await.expect("runs");
        tally.acknowledged.sort_unstable();
        assert_eq!(tally.acknowledged, (0..50).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= 3);
    }
}
