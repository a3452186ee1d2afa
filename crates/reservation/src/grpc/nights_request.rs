//! Parses ranges of nights that staff change or list.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
};
use staymesh_domain::{DateRange, FieldError, FieldErrors, Weekdays, format_date, parse_date};

use crate::calendar::{HORIZON_DAYS, today};

/// How far ahead nights may be set, in days. Each month is a partition, and the daily job continues after the last.
const MAX_DAYS_AHEAD: i64 = 1_100;

/// Refuses changes that begin before today at the hotel, in these fields.
pub(super) fn refuse_past(fields: impl Iterator<Item = String>) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    fields.for_each(|field| errors.holds(false, field, "must not be in the past"));
    errors.into_result()
}

/// Refuses nights that are past at every hotel, and nights so far ahead that they must be a mistake.
pub(super) fn require_sellable(errors: &mut FieldErrors, nights: DateRange, now: Timestamp) -> bool {
    let today = today(now);
    let (from, until) = (nights.from() >= today, nights.until() <= today.saturating_add(MAX_DAYS_AHEAD.days()));
    errors.holds(from, "from_date", "must not be in the past");
    errors.holds(until, "until_date", format!("must be at most {MAX_DAYS_AHEAD} days from today"));
    from && until
}

/// Parses the weekdays of a change; none stands for all.
pub(super) fn weekdays(errors: &mut FieldErrors, days: &[i32]) -> Option<Weekdays> {
    let weekday = |day: &i32| i8::try_from(*day).ok().and_then(|day| Weekday::from_monday_one_offset(day).ok());
    let known: Option<Vec<_>> = days.iter().map(weekday).collect();
    errors.holds(known.is_some(), "weekdays", "must be 1 (Monday) to 7 (Sunday)");
    known.map(Weekdays::new)
}

/// The nights to list: from today up to the horizon by default.
pub(super) fn listed_nights(errors: &mut FieldErrors, from: &str, until: &str) -> Option<DateRange> {
    let today = today(Timestamp::now());
    if !until.is_empty() {
        let first = format_date(today);
        return DateRange::collect(errors, if from.is_empty() { &first } else { from }, until);
    }
    let from = if from.is_empty() { Some(today) } else { date(errors, from) }?;
    let range = DateRange::new(from, from.saturating_add(HORIZON_DAYS.days()));
    errors.value(range.map_err(|error| error.at("from_date", "until_date")))
}

fn date(errors: &mut FieldErrors, from: &str) -> Option<Date> {
    errors.value(parse_date(from).map_err(|error| FieldError::new("from_date", error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_of_past_or_far_future_nights_is_refused() {
        let now: Timestamp = "2026-11-22T18:00:00Z".parse().expect("a time");
        let refused = |from: &str, until: &str| {
            let range = DateRange::parse(from, until).expect("a range");
            let mut errors = FieldErrors::default();
            let sellable = require_sellable(&mut errors, range, now);
            assert_eq!(sellable, errors.is_empty());
            errors.into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        assert_eq!(refused("2026-11-22", "2026-11-23"), [""; 0]);
        assert_eq!(refused("2026-11-20", "2026-11-23"), ["from_date"]);
        assert_eq!(refused("2001-01-01", "2001-01-02"), ["from_date"]);
        assert_eq!(refused("2026-12-01", "2029-11-26"), [""; 0]);
        assert_eq!(refused("2026-12-01", "2029-11-27"), ["until_date"]);
        assert_eq!(refused("2150-01-01", "2150-01-02"), ["until_date"]);
    }
}
