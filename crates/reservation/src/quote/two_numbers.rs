//! The form that cancellation terms had before they were instants and amounts: free until some hours before 00:00 UTC of
//! the check-in date, and a share of the total after that. Reservations and offers of earlier releases have it; it reads
//! as the terms that those releases applied. It is still written, for the release before, while both serve.

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::{CancellationTerms, Deadline, EarlyDeparture, FreeUntil, Money, MoneyError, StayDates};

use super::QuoteError;
use crate::calendar::{DateOutOfRange, day_after, midnight_last_zone, midnight_utc};

/// The fields `free_until_hours_before` and `late_penalty_percent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TwoNumbers {
    /// Cancellation is free until so many hours before 00:00 UTC of the check-in date; negative after it.
    pub(super) free_until_hours_before: i32,
    /// Share of the total that is kept after that, in percent, 0 to 100.
    pub(super) late_penalty_percent: i32,
}

impl TwoNumbers {
    /// More hours than any stay is booked ahead: never free.
    const NEVER: i32 = 24 * (StayDates::MAX_DAYS_AHEAD + 1);

    /// The terms that the numbers state for a stay at this price. A stay could be cancelled until its check-in date was past
    /// in UTC-12, and reported as a no-show from the beginning of the check-in date to the end of the check-out date there.
    ///
    /// # Errors
    /// [`QuoteError::Date`] at the end of the calendar, [`QuoteError::Money`] when the penalty is out of range.
    pub(super) fn terms(self, stay: StayDates, total: Money) -> Result<CancellationTerms, QuoteError> {
        let penalty = total.percent_basis_points(self.late_penalty_percent * 100)?;
        let hours = SignedDuration::from_hours(self.free_until_hours_before.into());
        let free_until = midnight_utc(stay.check_in())?.checked_sub(hours).map_err(|_| DateOutOfRange)?;
        let free = Deadline { until: Some(free_until), penalty: Money::zero(total.currency()) };
        let last = Deadline { until: None, penalty };
        let no_show_end = midnight_last_zone(day_after(stay.check_out())?)?;
        Ok(CancellationTerms {
            deadlines: if self.late_penalty_percent == 0 { vec![last] } else { vec![free, last] },
            grace: None,
            cancel_before: midnight_last_zone(day_after(stay.check_in())?)?,
            no_show: penalty,
            no_show_from: midnight_last_zone(stay.check_in())?,
            no_show_until: no_show_end.checked_sub(SignedDuration::from_micros(1)).map_err(|_| DateOutOfRange)?,
            early_departure: EarlyDeparture::default(),
        })
    }

    /// The numbers by which the release before cancels a stay that has these terms: the same if they can state them, or else
    /// never more than the terms keep.
    ///
    /// # Errors
    /// [`QuoteError::Date`] at the end of the calendar, [`QuoteError::Money`] when a penalty is out of range.
    pub(super) fn of(terms: &CancellationTerms, stay: StayDates, total: Money) -> Result<Self, QuoteError> {
        let free_until_hours_before = match terms.free_until(Timestamp::MAX) {
            FreeUntil::Never => Self::NEVER,
            FreeUntil::Instant(until) => whole_hours(midnight_utc(stay.check_in())?.duration_since(until))?,
            FreeUntil::Always => 0,
        };
        let first = terms.deadlines.iter().map(|deadline| deadline.penalty).find(|penalty| penalty.minor() > 0);
        let late_penalty_percent = match first {
            Some(penalty) if terms.grace.is_none() => percent(penalty, total)?,
            _ => 0,
        };
        Ok(Self { free_until_hours_before, late_penalty_percent })
    }
}

/// Whole hours, rounded down, so that the deadline is not earlier.
fn whole_hours(duration: SignedDuration) -> Result<i32, DateOutOfRange> {
    i32::try_from(duration.as_secs().div_euclid(3_600)).map_err(|_| DateOutOfRange)
}

/// The percentage of `total` that is `penalty`: exactly, or else rounded down.
fn percent(penalty: Money, total: Money) -> Result<i32, MoneyError> {
    let scaled = i128::from(penalty.minor()) * 100;
    let down = scaled.checked_div(i128::from(total.minor())).unwrap_or_default();
    let down = i32::try_from(down).map_err(|_| MoneyError::TooLarge)?;
    for percent in [down, down + 1] {
        if percent <= 100 && total.percent_basis_points(percent * 100)? == penalty {
            return Ok(percent);
        }
    }
    Ok(down)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{calendar::today_last_zone, quote::tests::euros};

    fn stay() -> StayDates {
        StayDates::parse("2030-01-01", "2030-01-03").expect("a stay")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn numbers_become_the_terms_that_earlier_releases_applied() {
        let numbers = TwoNumbers { free_until_hours_before: 48, late_penalty_percent: 30 };
        let terms = numbers.terms(stay(), euros(10_001)).expect("terms");
        let kept = |now| terms.penalty_at(at("2029-12-01T00:00:00Z"), at(now)).minor();
        assert_eq!(kept("2029-12-30T00:00:00Z"), 0, "00:00 UTC");
        assert_eq!(kept("2029-12-30T00:00:01Z"), 3_000);
        assert_eq!(terms.cancel_before, at("2030-01-02T12:00:00Z"));
        assert!(!terms.accepts_no_show(at("2030-01-01T11:59:59.999999Z")));
        assert!(terms.accepts_no_show(at("2030-01-01T12:00:00Z")));
        assert!(terms.accepts_no_show(at("2030-01-04T11:59:59.999999Z")));
        assert!(!terms.accepts_no_show(at("2030-01-04T12:00:00Z")));
    }

    #[test]
    fn terms_that_the_numbers_cannot_state_are_never_stricter_for_the_release_before() {
        let of = |terms: &CancellationTerms| TwoNumbers::of(terms, stay(), euros(10_000)).expect("numbers");
        let base = TwoNumbers { free_until_hours_before: 48, late_penalty_percent: 100 };
        let base = base.terms(stay(), euros(10_000)).expect("terms");
        // 18:00 in Calcutta, half an hour before a whole hour of UTC.
        let free = Deadline { until: Some(at("2029-12-30T12:30:00Z")), penalty: euros(0) };
        let night = Deadline { until: Some(at("2029-12-31T12:30:00Z")), penalty: euros(3_333) };
        let all = Deadline { until: None, penalty: euros(10_000) };
        let tiers = CancellationTerms { deadlines: vec![free, night, all], ..base.clone() };
        assert_eq!(of(&tiers), TwoNumbers { free_until_hours_before: 35, late_penalty_percent: 33 });
        let never = CancellationTerms { deadlines: vec![all], ..base };
        assert_eq!(of(&never), TwoNumbers { free_until_hours_before: TwoNumbers::NEVER, late_penalty_percent: 100 });
    }

    proptest! {
        /// The rules of earlier releases, written out.
        #[test]
        fn numbers_keep_what_earlier_releases_kept(
            total in 1..=1_000_000_000_i64, hours in 0..=8_760_i32, percent in 0..=100_i32,
            now in 1_860_000_000..1_900_000_000_i64,
        ) {
            let (total, now) = (euros(total), Timestamp::from_second(now).expect("a time"));
            let numbers = TwoNumbers { free_until_hours_before: hours, late_penalty_percent: percent };
            let terms = numbers.terms(stay(), total).expect("terms");
            let free_until = midnight_utc(stay().check_in()).expect("in range") - SignedDuration::from_hours(hours.into());
            let late = total.percent_basis_points(percent * 100).expect("in range");
            let kept = if now <= free_until { euros(0) } else { late };
            prop_assert_eq!(terms.penalty_at(now, now), kept);
            prop_assert_eq!(terms.no_show, late);
            prop_assert_eq!(now < terms.cancel_before, today_last_zone(now) <= stay().check_in());
            let today = today_last_zone(now);
            let in_window = stay().check_in() <= today && today <= stay().check_out();
            prop_assert_eq!(terms.accepts_no_show(now), in_window);
            let written = TwoNumbers::of(&terms, stay(), total).expect("numbers").terms(stay(), total).expect("terms");
            prop_assert_eq!(written.penalty_at(now, now), kept, "and are written again with the same meaning");
        }
    }
}
