//! Calendar rules that the jobs and reads over many hotels share.
//!
//! A hotel's days are in its own time zone, see [`HotelTime`]. Where the hotel is not known, a night is past only when its
//! business day has ended at every hotel.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};
pub use staymesh_domain::DateOutOfRange;
use staymesh_domain::HotelTime;

/// How far ahead nights are on sale, in days from [`today`]: two years and a day for the date line.
pub const HORIZON_DAYS: i64 = 731;

/// The zone where a date begins last.
const LAST_ZONE: Offset = Offset::constant(-12);

/// The date of the business day of the hotel whose days end last, at `now`. Nights before it are past at every hotel.
pub fn today(now: Timestamp) -> Date {
    HotelTime::today_anywhere(now).0
}

/// The first instant whose [`today`] is `date`: 06:00 in UTC-12.
///
/// # Errors
/// [`DateOutOfRange`] for the last days of year 9999.
#[cfg(test)]
pub(crate) fn begins(date: Date) -> Result<Timestamp, DateOutOfRange> {
    midnight(date, TimeZone::fixed(Offset::constant(-18)))
}

/// The date in UTC-12 at `now`.
#[cfg(test)]
pub(crate) fn today_last_zone(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::fixed(LAST_ZONE)).date()
}

/// The instant at which `date` begins in UTC-12.
///
/// # Errors
/// [`DateOutOfRange`] for the last days of year 9999.
pub fn midnight_last_zone(date: Date) -> Result<Timestamp, DateOutOfRange> {
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
    fn today_changes_when_the_last_hotel_ends_its_business_day() {
        let day = date(2030, 1, 2);
        let start: Timestamp = "2030-01-02T18:00:00Z".parse().expect("a time");
        assert_eq!(begins(day), Ok(start));
        assert_eq!(today(start), day, "06:00 in UTC-12");
        assert_eq!(today(start - SignedDuration::from_nanos(1)), date(2030, 1, 1));
        assert_eq!(midnight_last_zone(day).expect("in range").to_string(), "2030-01-02T12:00:00Z");
    }

    #[test]
    fn dates_at_the_end_of_the_calendar_are_errors() {
        assert_eq!(midnight_last_zone(Date::MAX), Err(DateOutOfRange));
        assert_eq!(day_after(Date::MAX), Err(DateOutOfRange));
        assert!(midnight_utc(date(2030, 1, 1)).is_ok());
    }
}
