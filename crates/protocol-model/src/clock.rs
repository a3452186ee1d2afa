//! Time: the moments between which the rules differ.

use jiff::{SignedDuration, Timestamp, civil::date};
use staymesh_domain::{CancellationTerms, Deadline, EarlyDeparture, Money, MoneyError};

/// What is paid for the booking, in cents.
pub(crate) const TOTAL: i64 = 10_000;
/// What a cancellation keeps after its deadline, in cents.
pub(crate) const PENALTY: i64 = 3_000;
/// What a no-show keeps, in cents.
pub(crate) const NO_SHOW: i64 = 6_000;

/// A moment in the life of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Moment {
    /// The unpaid hold runs.
    Held,
    /// The hold has expired, and cancellation is free.
    Expired,
    /// Cancellation has a penalty.
    Penalized,
    /// Check-in has ended, and a no-show can be reported.
    Arrived,
    /// A no-show can no longer be reported.
    Over,
}

impl Moment {
    /// The next moment; `None` after the last.
    pub(crate) const fn next(self) -> Option<Self> {
        match self {
            Self::Held => Some(Self::Expired),
            Self::Expired => Some(Self::Penalized),
            Self::Penalized => Some(Self::Arrived),
            Self::Arrived => Some(Self::Over),
            Self::Over => None,
        }
    }

    /// The time of this moment.
    pub(crate) fn time(self) -> Timestamp {
        match self {
            Self::Held => booked(),
            Self::Expired => booked() + SignedDuration::from_hours(1),
            Self::Penalized => booked() + SignedDuration::from_hours(29 * 24),
            Self::Arrived => booked() + SignedDuration::from_hours(33 * 24),
            Self::Over => booked() + SignedDuration::from_hours(60 * 24),
        }
    }
}

/// When the booking is made: 31 days before check-in.
pub(crate) fn booked() -> Timestamp {
    // 2030-01-01: messages carry dates from 2000 on.
    Timestamp::constant(1_893_456_000, 0)
}

/// When its hold and the checkout page end.
pub(crate) fn hold_end() -> Timestamp {
    booked() + SignedDuration::from_mins(15)
}

/// The day of arrival. The stay is one night.
pub(crate) const fn check_in() -> jiff::civil::Date {
    date(2030, 2, 1)
}

/// A date as days since 1970-01-01.
pub(crate) fn day_of(date: jiff::civil::Date) -> i32 {
    (date - jiff::civil::date(1970, 1, 1)).get_days()
}

/// An amount in euros, from cents.
pub(crate) fn euros(minor: i64) -> Result<Money, MoneyError> {
    Money::from_minor(minor, "EUR".parse()?)
}

/// Free for four weeks, then a penalty until check-in; a no-show may be reported for two days from the day after.
pub(crate) fn terms() -> Result<CancellationTerms, MoneyError> {
    let days = |days: i64| booked() + SignedDuration::from_hours(24 * days);
    Ok(CancellationTerms {
        deadlines: vec![
            Deadline { until: Some(days(28)), penalty: euros(0)? },
            Deadline { until: None, penalty: euros(PENALTY)? },
        ],
        grace: None,
        cancel_before: days(31) + SignedDuration::from_hours(15),
        no_show: euros(NO_SHOW)?,
        no_show_from: days(32),
        no_show_until: days(34),
        early_departure: EarlyDeparture::default(),
    })
}
