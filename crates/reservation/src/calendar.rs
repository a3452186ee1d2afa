//! Calendar rules that sales, cancellations, no-shows and the jobs share.
//!
//! A date begins and ends at different instants in different places. Until a hotel's own time zone is used, every rule
//! takes the last place where a date begins, UTC-12 ("anywhere on earth"): a night is past only when it is past
//! everywhere.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};
pub use staymesh_domain::DateOutOfRange;

/// How far ahead nights are on sale, in days from [`today`]: two years and a day for the date line.
pub const HORIZON_DAYS: i64 = 731;

/// The zone where a date begins last.
const LAST_ZONE: Offset = Offset::constant(-12);

/// The date in UTC-12 at `now`. Nights before it are past everywhere on earth.
pub fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::fixed(LAST_ZONE)).date()
}

/// The instant at which `date` begins in UTC-12: the first instant whose [`today`] is `date`.
///
/// # Errors
/// [`DateOutOfRange`] for the last days of year 9999.
pub fn begins(date: Date) -> Result<Timestamp, DateOutOfRange> {
    midnight(date, TimeZone::fixed(LAST_ZONE))
}

/// 00:00 UTC of `date`.
///
/// # Errors
/// [`DateOutOfRange`] at the ends of the supported range.
pub fn midnight_utc(date: Date) -> Result<Timestamp, DateOutOfRange> {
    midnight(date, TimeZone::UTC)
}

/// The day after `date`.
///
/// # Errors
/// [`DateOutOfRange`] for the last day of year 9999.
pub fn day_after(date: Date) -> Result<Date, DateOutOfRange> {
    date.checked_add(1.day()).map_err(|_| DateOutOfRange)
}

fn midnight(date: Date, zone: TimeZone) -> Result<Timestamp, DateOutOfRange> {
    date.to_zoned(zone).map(|start| start.timestamp()).map_err(|_| DateOutOfRange)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, civil::date};

    use super::*;

    #[test]
    fn today_changes_at_the_instant_the_date_begins_in_utc_minus_12() {
        let day = date(2030, 1, 2);
        let start = begins(day).expect("in range");
        assert_eq!(start.to_string(), "2030-01-02T12:00:00Z");
        assert_eq!(today(start), day);
        assert_eq!(today(start - SignedDuration::from_nanos(1)), date(2030, 1, 1));
    }

    #[test]
    fn dates_at_the_end_of_the_calendar_are_errors() {
        assert_eq!(begins(Date::MAX), Err(DateOutOfRange));
        assert_eq!(day_after(Date::MAX), Err(DateOutOfRange));
        assert!(midnight_utc(date(2030, 1, 1)).is_ok());
    }
}
