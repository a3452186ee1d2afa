//! Clients that each wait for their answer before they ask again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Outcome, Tally};

/// Sends requests `0..requests` from so many clients, until all are sent or the time is over. Requests in progress then
/// are waited for and counted.
pub(crate) async fn closed<F>(
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
                    tally.note(request, outcome, began.elapsed());
                }
                anyhow::Ok(tally)
            })
        })
        .collect();
    let mut all = Tally::new()?;
    for task in tasks {
        all.add(task.await??)?;
    }
    all.elapsed = started.elapsed();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_request_is_sent_once_and_no_more_at_once_than_there_are_clients() {
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
