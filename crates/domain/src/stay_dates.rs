//! The nights of a stay, `[check_in, check_out)`: the guest does not sleep the night of the check-out date.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::{DateError, FieldError, format_date, parse_date};

/// Why a stay was refused. Every variant belongs to `check_in` or to `check_out`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StayDatesError {
    /// The check-in text is no date.
    #[error("{0}")]
    CheckIn(DateError),
    /// The check-out text is no date.
    #[error("{0}")]
    CheckOut(DateError),
    /// Not a single night.
    #[error("must be after check_in")]
    NotAfterCheckIn,
    /// More than [`StayDates::MAX_NIGHTS`].
    #[error("must be at most {} nights after check_in", StayDates::MAX_NIGHTS)]
    TooLong,
    /// The night has begun and ended everywhere on earth.
    #[error("must not be in the past")]
    Past,
    /// Beyond what hotels have on sale.
    #[error("must be at most {} days from today", StayDates::MAX_DAYS_AHEAD)]
    TooFarAhead,
}

impl StayDatesError {
    /// `check_in` or `check_out`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::CheckIn(_) | Self::Past => "check_in",
            Self::CheckOut(_) | Self::NotAfterCheckIn | Self::TooLong | Self::TooFarAhead => "check_out",
        }
    }
}

impl From<StayDatesError> for FieldError {
    fn from(error: StayDatesError) -> Self {
        Self::new(error.field(), error.to_string())
    }
}

/// At least one and at most [`Self::MAX_NIGHTS`] nights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StayDates {
    check_in: Date,
    check_out: Date,
}

impl StayDates {
    /// The longest stay. Longer ones are leases, and a cap bounds the inventory rows one booking locks.
    pub const MAX_NIGHTS: i32 = 90;
    /// How far ahead a stay may end: the two years on sale, and a day for the turn of the date line.
    pub const MAX_DAYS_AHEAD: i32 = 731;

    /// The nights from `check_in` up to, not including, `check_out`.
    pub fn new(check_in: Date, check_out: Date) -> Result<Self, StayDatesError> {
        match days_between(check_in, check_out) {
            ..1 => Err(StayDatesError::NotAfterCheckIn),
            1..=Self::MAX_NIGHTS => Ok(Self { check_in, check_out }),
            _ => Err(StayDatesError::TooLong),
        }
    }

    /// As [`Self::new`], from two `yyyy-mm-dd` texts.
    pub fn parse(check_in: &str, check_out: &str) -> Result<Self, StayDatesError> {
        let check_in = parse_date(check_in).map_err(StayDatesError::CheckIn)?;
        let check_out = parse_date(check_out).map_err(StayDatesError::CheckOut)?;
        Self::new(check_in, check_out)
    }

    /// The day the guest arrives, and the first night.
    pub const fn check_in(self) -> Date {
        self.check_in
    }

    /// The day the guest leaves; not a night of the stay.
    pub const fn check_out(self) -> Date {
        self.check_out
    }

    /// How many nights, from 1 to [`Self::MAX_NIGHTS`].
    pub fn night_count(self) -> i32 {
        days_between(self.check_in, self.check_out)
    }

    /// Every night by the date of its evening, in order.
    pub fn nights(self) -> impl Iterator<Item = Date> {
        self.check_in.series(1.day()).take_while(move |night| *night < self.check_out)
    }

    /// Whether the guest sleeps here on the night of `date`.
    pub fn contains(self, date: Date) -> bool {
        self.check_in <= date && date < self.check_out
    }

    /// Whether both stays want the same night. One that begins the day the other ends does not overlap it.
    pub fn overlaps(self, other: Self) -> bool {
        self.check_in < other.check_out && other.check_in < self.check_out
    }

    /// Refuses stays that can no longer begin, or are not yet on sale.
    ///
    /// Where the hotel's own date is not known, the last place on earth decides (UTC-12): a walk-in at night in Honolulu
    /// must not be told that today is yesterday. The far end counts from the date in UTC.
    pub fn require_bookable(self, now: Timestamp) -> Result<(), StayDatesError> {
        let last_place_on_earth = TimeZone::fixed(Offset::constant(-12));
        if self.check_in < now.to_zoned(last_place_on_earth).date() {
            return Err(StayDatesError::Past);
        }
        if days_between(now.to_zoned(TimeZone::UTC).date(), self.check_out) > Self::MAX_DAYS_AHEAD {
            return Err(StayDatesError::TooFarAhead);
        }
        Ok(())
    }
}

impl std::fmt::Display for StayDates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", format_date(self.check_in), format_date(self.check_out))
    }
}

/// Days from `from` to `until`; negative when `until` is earlier.
pub(crate) fn days_between(from: Date, until: Date) -> i32 {
    // Counting days between two dates of jiff's calendar cannot overflow an i32.
    (until - from).get_days()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn stay(check_in: &str, check_out: &str) -> StayDates {
        StayDates::parse(check_in, check_out).unwrap()
    }

    fn refused(check_in: &str, check_out: &str) -> FieldError {
        StayDates::parse(check_in, check_out).unwrap_err().into()
    }

    #[test]
    fn errors_name_the_date_that_is_wrong() {
        assert_eq!(refused("soon", "2027-03-01").field, "check_in");
        assert_eq!(refused("2027-03-01", "later").field, "check_out");
        assert_eq!(refused("2027-03-01", "2027-03-01"), FieldError::new("check_out", "must be after check_in"));
        assert_eq!(refused("2027-03-02", "2027-03-01"), FieldError::new("check_out", "must be after check_in"));
        assert_eq!(refused("2000-01-01", "2199-12-31").description, "must be at most 90 nights after check_in");
    }

    #[test]
    fn the_check_out_night_is_free() {
        let first = stay("2027-03-01", "2027-03-03");
        let next = stay("2027-03-03", "2027-03-04");
        assert_eq!(first.nights().collect::<Vec<_>>(), [date(2027, 3, 1), date(2027, 3, 2)]);
        assert!(!first.overlaps(next) && !next.overlaps(first));
        assert!(!first.contains(date(2027, 3, 3)));
    }

    #[test]
    fn ninety_nights_is_the_longest_stay() {
        assert_eq!(stay("2027-01-01", "2027-04-01").night_count(), 90);
        assert_eq!(StayDates::parse("2027-01-01", "2027-04-02"), Err(StayDatesError::TooLong));
    }

    #[test]
    fn today_lasts_as_long_as_anywhere_on_earth() {
        let tonight = stay("2027-03-01", "2027-03-02");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(tonight.require_bookable(at("2027-03-02T11:59:59Z")), Ok(()));
        assert_eq!(tonight.require_bookable(at("2027-03-02T12:00:00Z")), Err(StayDatesError::Past));
        assert_eq!(tonight.require_bookable(at("2025-03-01T00:00:00Z")), Ok(()));
        assert_eq!(tonight.require_bookable(at("2025-02-28T23:59:59Z")), Err(StayDatesError::TooFarAhead));
        assert_eq!(tonight.require_bookable(Timestamp::MAX), Err(StayDatesError::Past));
        assert_eq!(tonight.require_bookable(Timestamp::MIN), Err(StayDatesError::TooFarAhead));
    }

    fn any_stay() -> impl Strategy<Value = StayDates> {
        (0..70_000_i32, 1..=StayDates::MAX_NIGHTS).prop_map(|(day, nights)| {
            let check_in = date(2000, 1, 1) + day.days();
            StayDates::new(check_in, check_in + nights.days()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn nights_are_counted_listed_and_contained_alike(stay in any_stay()) {
            let nights: Vec<_> = stay.nights().collect();
            prop_assert_eq!(i32::try_from(nights.len()).unwrap(), stay.night_count());
            prop_assert!(nights.iter().all(|night| stay.contains(*night)));
            prop_assert!(nights.is_sorted());
        }

        #[test]
        fn stays_overlap_exactly_when_they_share_a_night(stay in any_stay(), shift in -100..100_i32, nights in 1..=90_i32) {
            let check_in = stay.check_in() + shift.days();
            let other = StayDates::new(check_in, check_in + nights.days()).unwrap();
            let share = stay.nights().any(|night| other.contains(night));
            prop_assert_eq!(stay.overlaps(other), share);
            prop_assert_eq!(other.overlaps(stay), share);
        }
    }
}
