//! Date ranges for bulk changes of prices and inventory: half-open `[from, until)`, on some or all weekdays.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::stay_dates::days_between;
use crate::{DateError, FieldError, FieldErrors, parse_date};

/// Why a range is invalid. Requests name the two ends differently, so the caller says which fields they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateRangeError {
    /// The first day is not a valid date.
    #[error("{0}")]
    From(DateError),
    /// The end is not a valid date.
    #[error("{0}")]
    Until(DateError),
    /// The end is not after the first day.
    #[error("must be after the first day")]
    Empty,
    /// More than [`DateRange::MAX_DAYS`].
    #[error("must be at most {} days after the first day", DateRange::MAX_DAYS)]
    TooLong,
}

impl DateRangeError {
    /// This error, reported for the request field of the invalid end.
    pub fn at(&self, from: &str, until: &str) -> FieldError {
        let field = if matches!(self, Self::From(_)) { from } else { until };
        FieldError::new(field, self.to_string())
    }
}

/// A set of weekdays; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day of the week.
    pub const ALL: Self = Self(0b111_1111);

    /// These weekdays; none means all, like an absent filter.
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Self {
        match days.into_iter().fold(0, |mask, day| mask | Self::bit(day)) {
            0 => Self::ALL,
            mask => Self(mask),
        }
    }

    /// Whether the day is in the set.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    fn bit(day: Weekday) -> u8 {
        1 << day.to_monday_zero_offset()
    }
}

/// A half-open range of 1 to [`Self::MAX_DAYS`] days, restricted to a set of weekdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateRange {
    from: Date,
    until: Date,
    weekdays: Weekdays,
}

impl DateRange {
    /// Three years and a few days: more than can be on sale. Bounds the work of one request.
    pub const MAX_DAYS: i32 = 1100;

    /// The days from `from` (inclusive) to `until` (exclusive), on all weekdays.
    ///
    /// # Errors
    /// [`DateRangeError::Empty`] or [`DateRangeError::TooLong`].
    pub fn new(from: Date, until: Date) -> Result<Self, DateRangeError> {
        match days_between(from, until) {
            ..1 => Err(DateRangeError::Empty),
            1..=Self::MAX_DAYS => Ok(Self { from, until, weekdays: Weekdays::ALL }),
            _ => Err(DateRangeError::TooLong),
        }
    }

    /// As [`Self::new`], from two `yyyy-mm-dd` texts.
    ///
    /// # Errors
    /// See [`DateRangeError`].
    pub fn parse(from: &str, until: &str) -> Result<Self, DateRangeError> {
        let from = parse_date(from).map_err(DateRangeError::From)?;
        let until = parse_date(until).map_err(DateRangeError::Until)?;
        Self::new(from, until)
    }

    /// As [`Self::parse`] of the fields `from_date` and `until_date`; adds every violation to `errors` and then returns
    /// `None`.
    pub fn collect(errors: &mut FieldErrors, from: &str, until: &str) -> Option<Self> {
        let at = |error: DateRangeError| error.at("from_date", "until_date");
        let from = errors.value(parse_date(from).map_err(|error| at(DateRangeError::From(error))));
        let until = errors.value(parse_date(until).map_err(|error| at(DateRangeError::Until(error))));
        let (from, until) = from.zip(until)?;
        errors.value(Self::new(from, until).map_err(at))
    }

    /// The same range restricted to these weekdays. It may then contain no day.
    #[must_use]
    pub fn on(self, weekdays: Weekdays) -> Self {
        Self { weekdays, ..self }
    }

    /// The first day of the range, whatever its weekday.
    pub const fn from(self) -> Date {
        self.from
    }

    /// The day after the last one.
    pub const fn until(self) -> Date {
        self.until
    }

    /// The weekdays to which the range is restricted.
    pub const fn weekdays(self) -> Weekdays {
        self.weekdays
    }

    /// Every day of the range on its weekdays, in ascending order.
    pub fn dates(self) -> impl Iterator<Item = Date> {
        self.from
            .series(1.day())
            .take_while(move |day| *day < self.until)
            .filter(move |day| self.weekdays.contains(day.weekday()))
    }

    /// Whether [`Self::dates`] has this day.
    pub fn contains(self, date: Date) -> bool {
        self.from <= date && date < self.until && self.weekdays.contains(date.weekday())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn error_names_the_invalid_end() {
        let refused = |from, until| DateRange::parse(from, until).unwrap_err().at("start_date", "end_date").field;
        assert_eq!(refused("x", "2027-01-01"), "start_date");
        assert_eq!(refused("2027-01-01", "x"), "end_date");
        assert_eq!(refused("2027-01-01", "2027-01-01"), "end_date");
        assert_eq!(refused("2027-01-02", "2027-01-01"), "end_date");
        assert_eq!(refused("2000-01-01", "2199-01-01"), "end_date");
    }

    #[test]
    fn range_of_1100_days_is_the_longest() {
        let from = date(2027, 1, 1);
        assert_eq!(DateRange::new(from, from + 1100.days()).unwrap().dates().count(), 1100);
        assert_eq!(DateRange::new(from, from + 1101.days()), Err(DateRangeError::TooLong));
    }

    #[test]
    fn dates_are_restricted_to_weekdays() {
        let march = DateRange::parse("2027-03-01", "2027-04-01").unwrap();
        let weekend = march.on(Weekdays::new([Weekday::Saturday, Weekday::Sunday]));
        let days: Vec<_> = weekend.dates().map(Date::day).collect();
        assert_eq!(days, [6, 7, 13, 14, 20, 21, 27, 28]);
        assert_eq!(Weekdays::new([]), Weekdays::ALL);
    }

    #[test]
    fn range_without_a_matching_weekday_has_no_dates() {
        let monday = DateRange::parse("2027-03-01", "2027-03-02").unwrap();
        assert_eq!(monday.on(Weekdays::new([Weekday::Sunday])).dates().count(), 0);
    }

    proptest! {
        #[test]
        fn contains_agrees_with_dates(start in 0..70_000_i32, days in 1..=400_i32, mask in 0..128_u8) {
            let from = date(2000, 1, 1) + start.days();
            let picked = (0..7).filter(|bit| mask & (1 << bit) != 0)
                .map(|bit| Weekday::from_monday_zero_offset(bit).unwrap());
            let range = DateRange::new(from, from + days.days()).unwrap().on(Weekdays::new(picked));
            let listed: Vec<_> = range.dates().collect();
            let contained: Vec<_> = from.series(1.day()).take(usize::try_from(days + 1).unwrap())
                .filter(|day| range.contains(*day)).collect();
            prop_assert_eq!(listed, contained);
        }
    }
}
