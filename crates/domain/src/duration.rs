//! Durations as settings write them.

use std::time::Duration;

/// Parses a duration such as `2s`, `500ms` or `1m`, from 1 ms to 24 h. Zero is rejected: to `PostgreSQL` it means "no
/// limit".
///
/// # Errors
/// The accepted format or range.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "write it as 2s, 500ms or 1m".to_owned())?;
    Duration::try_from(parsed)
        .ok()
        .filter(|duration| (Duration::from_millis(1)..=Duration::from_hours(24)).contains(duration))
        .ok_or_else(|| "must be from 1ms to 24h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_duration_accepts_1ms_to_24h() {
        for good in ["1ms", "2s", "1m", "24h"] {
            assert!(parse_duration(good).is_ok(), "{good}");
        }
        for bad in ["", "0s", "-1s", "25h", "5"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
