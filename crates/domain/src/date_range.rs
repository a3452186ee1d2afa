//! Dates that staff set prices or inventory for at once: `[from, until)`, on some or all weekdays.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use crate::stay_dates::days_between;
use crate::{DateError, FieldError, parse_date};

/// Why a range was refused. The contract names the two ends differently in different requests, so the caller says
/// which fields they stand in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateRangeError {
    /// The first day is no date.
    #[error("{0}")]
    From(DateError),
    /// The end is no date.
    #[error("{0}")]
    Until(DateError),
    /// Not a single day.
    #[error("must be after the first day")]
    Empty,
    /// More than [`DateRange::MAX_DAYS`].
    #[error("must be at most {} days after the first day", DateRange::MAX_DAYS)]
    TooLong,
}

impl DateRangeError {
    /// This error, for a range whose ends stand in fields of these names.
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

    /// These weekdays; none given means all of them, as an absent filter does.
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

/// At least one and at most [`Self::MAX_DAYS`] days, before weekdays are picked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateRange {
    from: Date,
    until: Date,
    weekdays: Weekdays,
}

impl DateRange {
    /// Three years and a little: all that can be on sale, and an end to what one request can ask for.
    pub const MAX_DAYS: i32 = 1100;

    /// The days from `from` up to, not including, `until`.
    pub fn new(from: Date, until: Date) -> Result<Self, DateRangeError> {
        match days_between(from, until) {
            ..1 => Err(DateRangeError::Empty),
            1..=Self::MAX_DAYS => Ok(Self { from, until, weekdays: Weekdays::ALL }),
            _ => Err(DateRangeError::TooLong),
        }
    }

    /// As [`Self::new`], from two `yyyy-mm-dd` texts.
    pub fn parse(from: &str, until: &str) -> Result<Self, DateRangeError> {
        let from = parse_date(from).map_err(DateRangeError::From)?;
        let until = parse_date(until).map_err(DateRangeError::Until)?;
        Self::new(from, until)
    }

    /// The same range, on these weekdays only. It may then hold no day at all.
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

    /// The weekdays picked out.
    pub const fn weekdays(self) -> Weekdays {
        self.weekdays
    }

    /// Every day of the range on its weekdays, in order.
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
    fn errors_name_the_end_that_is_wrong() {
        let refused = |from, until| DateRange::parse(from, until).unwrap_err().at("start_date", "end_date").field;
        assert_eq!(refused("x", "2027-01-01"), "start_date");
        assert_eq!(refused("2027-01-01", "x"), "end_date");
        assert_eq!(refused("2027-01-01", "2027-01-01"), "end_date");
        assert_eq!(refused("2027-01-02", "2027-01-01"), "end_date");
        assert_eq!(refused("2000-01-01", "2199-01-01"), "end_date");
    }

    #[test]
    fn the_longest_range_holds_1100_days() {
        let from = date(2027, 1, 1);
        assert_eq!(DateRange::new(from, from + 1100.days()).unwrap().dates().count(), 1100);
        assert_eq!(DateRange::new(from, from + 1101.days()), Err(DateRangeError::TooLong));
    }

    #[test]
    fn weekdays_pick_out_days() {
        let march = DateRange::parse("2027-03-01", "2027-04-01").unwrap();
        let weekend = march.on(Weekdays::new([Weekday::Saturday, Weekday::Sunday]));
        let days: Vec<_> = weekend.dates().map(Date::day).collect();
        assert_eq!(days, [6, 7, 13, 14, 20, 21, 27, 28]);
        assert_eq!(Weekdays::new([]), Weekdays::ALL);
    }

    #[test]
    fn a_range_without_its_weekday_is_empty() {
        let monday = DateRange::parse("2027-03-01", "2027-03-02").unwrap();
        assert_eq!(monday.on(Weekdays::new([Weekday::Sunday])).dates().count(), 0);
    }

    proptest! {
        #[test]
        fn listed_and_contained_agree(start in 0..70_000_i32, days in 1..=400_i32, mask in 0..128_u8) {
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
