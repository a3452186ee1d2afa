//! Tests of what happens "today" must not begin on one day and end on another.

use std::time::{Duration, SystemTime};

/// The seconds of a day, as Unix time has them: UTC without leaps.
const DAY: u64 = 24 * 60 * 60;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits until midnight UTC has passed, if a test that begins now and takes `longest` could meet it.
pub async fn clear_of_midnight(longest: Duration) {
    while is_near(now(), longest) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Seconds since 1970.
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
    fn midnight_is_near_before_it_and_not_after() {
        let midnight = 1_769_904_000;
        let near = |second| is_near(second, Duration::from_mins(2));
        assert!(near(midnight - 1) && near(midnight - 120));
        assert!(!near(midnight) && !near(midnight - 121) && !near(midnight + 1));
    }
}
