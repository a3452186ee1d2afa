//! Keeps tests that depend on today's date clear of midnight UTC.

use std::time::{Duration, SystemTime};

/// Seconds of a day in Unix time, which has no leap seconds.
const DAY: u64 = 24 * 60 * 60;
const POLL_EVERY: Duration = Duration::from_millis(200);

/// Waits until midnight UTC has passed if a test that starts now and takes up to `longest` could cross it.
pub async fn clear_of_midnight(longest: Duration) {
    while is_near(now(), longest) {
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Seconds since 1970-01-01.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn is_near(second: u64, longest: Duration) -> bool {
    DAY - second % DAY <= longest.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_near_is_true_only_before_midnight() {
        let midnight = 1_769_904_000;
        let near = |second| is_near(second, Duration::from_mins(2));
        assert!(near(midnight - 1) && near(midnight - 120));
        assert!(!near(midnight) && !near(midnight - 121) && !near(midnight + 1));
    }
}
