//! Times of the day on a hotel's clocks, as `hh:mm`.

use jiff::civil::Time;

/// A text that is not a time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time from 00:00 to 23:59, such as 15:00")]
pub struct LocalTimeError;

/// The time of the day that `text` states as `hh:mm`, 00:00 to 23:59.
///
/// # Errors
/// [`LocalTimeError`].
pub fn parse_local_time(text: &str) -> Result<Time, LocalTimeError> {
    let two_digits = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<i8>().map_err(|_| LocalTimeError) } else { Err(LocalTimeError) }
    };
    let (hour, minute) = text.split_once(':').ok_or(LocalTimeError)?;
    Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).map_err(|_| LocalTimeError)
}

/// The time as `hh:mm`, without its seconds.
pub fn format_local_time(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_read_and_written_as_hours_and_minutes() {
        for text in ["00:00", "06:05", "15:00", "23:59"] {
            assert_eq!(format_local_time(parse_local_time(text).unwrap()), text);
        }
        for text in ["", "24:00", "12:60", "9:00", "+9:00", "09:00:00", "09.00", "0９:00", "noon"] {
            assert_eq!(parse_local_time(text), Err(LocalTimeError), "{text:?}");
        }
    }
}
