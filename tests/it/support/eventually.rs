//! Polling with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than any work of a test takes, even if it passes through two outboxes whose receivers were unavailable: each
/// waits up to 15 s between attempts, and an attempt takes up to 10 s.
const LONGEST_WORK: Duration = Duration::from_mins(1);

/// Polls `probe` every 50 ms until it returns a value. Panics with `what` after [`LONGEST_WORK`].
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(started.elapsed() < LONGEST_WORK, "not within {LONGEST_WORK:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}
