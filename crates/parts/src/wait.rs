//! Waiting for a condition, never for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at. Short enough not to be felt, long enough to cost nothing.
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// Looks at `probe` until it yields a value, and gives up after `limit`, saying what it waited for.
///
/// An error of `probe` ends the wait at once: it means that the condition can no longer become true.
pub fn wait_until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let give_up = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() >= give_up {
            bail!("{what}: not within {} s", limit.as_secs_f32());
        }
        sleep(PROBE_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_the_value_the_error_or_the_limit() {
        let mut looks = 0;
        let third = wait_until("third look", Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(third.ok(), Some(3));

        let failed: Result<()> = wait_until("never", Duration::from_mins(1), || bail!("it exited"));
        assert_eq!(failed.map_err(|e| e.to_string()), Err("it exited".to_owned()));

        let late: Result<()> = wait_until("a sign of life", Duration::from_millis(30), || Ok(None));
        assert!(late.is_err_and(|e| e.to_string().starts_with("a sign of life: not within")));
    }
}
