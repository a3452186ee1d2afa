//! Stays: the nights from check-in (inclusive) to check-out (exclusive).

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::{DateError, FieldError, FieldErrors, HotelTime, format_date, parse_date};

/// Why a stay is invalid. Every variant belongs to the field `check_in` or `check_out`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StayDatesError {
    /// The check-in is not a valid date.
    #[error("{0}")]
    CheckIn(DateError),
    /// The check-out is not a valid date.
    #[error("{0}")]
    CheckOut(DateError),
    /// The check-out is not after the check-in.
    #[error("must be after check_in")]
    NotAfterCheckIn,
    /// More than [`StayDates::MAX_NIGHTS`].
    #[error("must be at most {} nights after check_in", StayDates::MAX_NIGHTS)]
    TooLong,
    /// The check-in date has ended at the hotel.
    #[error("must not be in the past")]
    Past,
    /// The check-out is later than hotels have rooms on sale.
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

/// The half-open range of nights `[check_in, check_out)`, 1 to [`Self::MAX_NIGHTS`] nights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StayDates {
    check_in: Date,
    check_out: Date,
}

impl StayDates {
    /// The longest stay in nights. Longer ones are leases; the limit bounds the inventory rows that one booking locks.
    pub const MAX_NIGHTS: i32 = 90;
    /// Largest number of days from today to check-out: two years on sale, and one day for the date line.
    pub const MAX_DAYS_AHEAD: i32 = 731;

    /// The nights from `check_in` (inclusive) to `check_out` (exclusive).
    ///
    /// # Errors
    /// [`StayDatesError::NotAfterCheckIn`] or [`StayDatesError::TooLong`].
    pub fn new(check_in: Date, check_out: Date) -> Result<Self, StayDatesError> {
        match days_between(check_in, check_out) {
            ..1 => Err(StayDatesError::NotAfterCheckIn),
            1..=Self::MAX_NIGHTS => Ok(Self { check_in, check_out }),
            _ => Err(StayDatesError::TooLong),
        }
    }

    /// As [`Self::new`], from two `yyyy-mm-dd` texts.
    ///
    /// # Errors
    /// See [`StayDatesError`].
    pub fn parse(check_in: &str, check_out: &str) -> Result<Self, StayDatesError> {
        let check_in = parse_date(check_in).map_err(StayDatesError::CheckIn)?;
        let check_out = parse_date(check_out).map_err(StayDatesError::CheckOut)?;
        Self::new(check_in, check_out)
    }

    /// As [`Self::parse`]; adds every violation of `check_in` and `check_out` to `errors` and then returns `None`.
    pub fn collect(errors: &mut FieldErrors, check_in: &str, check_out: &str) -> Option<Self> {
        let check_in = errors.value(parse_date(check_in).map_err(StayDatesError::CheckIn));
        let check_out = errors.value(parse_date(check_out).map_err(StayDatesError::CheckOut));
        let (check_in, check_out) = check_in.zip(check_out)?;
        errors.value(Self::new(check_in, check_out))
    }

    /// The date of arrival, and the first night.
    pub const fn check_in(self) -> Date {
        self.check_in
    }

    /// The date of departure; not a night of the stay.
    pub const fn check_out(self) -> Date {
        self.check_out
    }

    /// The number of nights, 1 to [`Self::MAX_NIGHTS`].
    pub fn night_count(self) -> i32 {
        days_between(self.check_in, self.check_out)
    }

    /// Every night, as the date of its evening, in ascending order.
    pub fn nights(self) -> impl Iterator<Item = Date> {
        self.check_in.series(1.day()).take_while(move |night| *night < self.check_out)
    }

    /// Whether the night of `date` belongs to the stay.
    pub fn contains(self, date: Date) -> bool {
        self.check_in <= date && date < self.check_out
    }

    /// Whether the stays have a night in common. A stay that begins on the day on which the other ends does not overlap it.
    pub fn overlaps(self, other: Self) -> bool {
        self.check_in < other.check_out && other.check_in < self.check_out
    }

    /// Requires that the stay is neither in the past nor beyond the sales period of a hotel whose date is `today`.
    ///
    /// # Errors
    /// [`StayDatesError::Past`] or [`StayDatesError::TooFarAhead`].
    pub fn require_bookable(self, today: Date) -> Result<(), StayDatesError> {
        self.require_between(today, today)
    }

    /// Requires that the stay can be booked at `now` at some hotel; [`Self::require_bookable`] decides for one.
    ///
    /// # Errors
    /// [`StayDatesError::Past`] or [`StayDatesError::TooFarAhead`].
    pub fn require_bookable_anywhere(self, now: Timestamp) -> Result<(), StayDatesError> {
        let (first, last) = HotelTime::today_anywhere(now);
        self.require_between(first, last)
    }

    fn require_between(self, first: Date, last: Date) -> Result<(), StayDatesError> {
        if self.check_in < first {
            return Err(StayDatesError::Past);
        }
        if days_between(last, self.check_out) > Self::MAX_DAYS_AHEAD {
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

/// Days from `from` to `until`; negative if `until` is earlier.
pub(crate) fn days_between(from: Date, until: Date) -> i32 {
    // The days between any two dates of jiff's calendar fit into an i32.
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
    fn error_names_the_invalid_date() {
        assert_eq!(refused("soon", "2027-03-01").field, "check_in");
        assert_eq!(refused("2027-03-01", "later").field, "check_out");
        assert_eq!(refused("2027-03-01", "2027-03-01"), FieldError::new("check_out", "must be after check_in"));
        assert_eq!(refused("2027-03-02", "2027-03-01"), FieldError::new("check_out", "must be after check_in"));
        assert_eq!(refused("2000-01-01", "2199-12-31").description, "must be at most 90 nights after check_in");
    }

    #[test]
    fn check_out_date_is_no_night_of_the_stay() {
        let first = stay("2027-03-01", "2027-03-03");
        let next = stay("2027-03-03", "2027-03-04");
        assert_eq!(first.nights().collect::<Vec<_>>(), [date(2027, 3, 1), date(2027, 3, 2)]);
        assert!(!first.overlaps(next) && !next.overlaps(first));
        assert!(!first.contains(date(2027, 3, 3)));
    }

    #[test]
    fn stay_of_90_nights_is_the_longest() {
        assert_eq!(stay("2027-01-01", "2027-04-01").night_count(), 90);
        assert_eq!(StayDates::parse("2027-01-01", "2027-04-02"), Err(StayDatesError::TooLong));
    }

    #[test]
    fn stay_is_bookable_from_today_at_the_hotel_to_the_end_of_the_sales_period() {
        let tonight = stay("2027-03-01", "2027-03-02");
        assert_eq!(tonight.require_bookable(date(2027, 3, 1)), Ok(()));
        assert_eq!(tonight.require_bookable(date(2027, 3, 2)), Err(StayDatesError::Past));
        assert_eq!(tonight.require_bookable(date(2025, 3, 1)), Ok(()));
        assert_eq!(tonight.require_bookable(date(2025, 2, 28)), Err(StayDatesError::TooFarAhead));
    }

    #[test]
    fn stay_is_past_anywhere_when_the_last_business_day_has_ended() {
        let tonight = stay("2027-03-01", "2027-03-02");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(tonight.require_bookable_anywhere(at("2027-03-02T17:59:59Z")), Ok(()));
        assert_eq!(tonight.require_bookable_anywhere(at("2027-03-02T18:00:00Z")), Err(StayDatesError::Past));
        assert_eq!(tonight.require_bookable_anywhere(at("2025-02-28T10:00:00Z")), Ok(()));
        assert_eq!(tonight.require_bookable_anywhere(at("2025-02-28T09:59:59Z")), Err(StayDatesError::TooFarAhead));
        assert_eq!(tonight.require_bookable_anywhere(Timestamp::MAX), Err(StayDatesError::Past));
        assert_eq!(tonight.require_bookable_anywhere(Timestamp::MIN), Err(StayDatesError::TooFarAhead));
    }

    fn any_stay() -> impl Strategy<Value = StayDates> {
        (0..70_000_i32, 1..=StayDates::MAX_NIGHTS).prop_map(|(day, nights)| {
            let check_in = date(2000, 1, 1) + day.days();
            StayDates::new(check_in, check_in + nights.days()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn night_count_nights_and_contains_agree(stay in any_stay()) {
            let nights: Vec<_> = stay.nights().collect();
            prop_assert_eq!(i32::try_from(nights.len()).unwrap(), stay.night_count());
            prop_assert!(nights.iter().all(|night| stay.contains(*night)));
            prop_assert!(nights.is_sorted());
        }

        #[test]
        fn stays_overlap_if_and_only_if_they_share_a_night(stay in any_stay(), shift in -100..100_i32, nights in 1..=90_i32) {
            let check_in = stay.check_in() + shift.days();
            let other = StayDates::new(check_in, check_in + nights.days()).unwrap();
            let share = stay.nights().any(|night| other.contains(night));
            prop_assert_eq!(stay.overlaps(other), share);
            prop_assert_eq!(other.overlaps(stay), share);
        }
    }
}
