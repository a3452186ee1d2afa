//! Cancellation policies as hotels set them.

use jiff::civil::Time;

use super::Penalty;
use crate::{DateRange, FieldErrors};

/// What an elapsed time is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The hotel's check-in time on the day of arrival.
    ArrivalTime,
    /// 00:00 of the day of arrival.
    StartOfDay,
}

/// Until when a tier counts; the deadline itself still belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// An elapsed time before the anchor.
    HoursBefore {
        /// 0 to [`CancellationPolicy::MAX_HOURS_BEFORE`].
        hours: i32,
        /// What the hours are counted from.
        anchor: Anchor,
    },
    /// A wall time some calendar days before the day of arrival.
    DaysBefore {
        /// 0 to [`CancellationPolicy::MAX_DAYS_BEFORE`].
        days: i32,
        /// The time of that day, by the hotel's clocks.
        at: Time,
    },
    /// Without end; in the last tier, and in it only.
    Always,
}

/// A penalty with its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Until when the penalty counts, if no tier before it does.
    pub until: Until,
    /// What is kept.
    pub penalty: Penalty,
}

/// Which price the penalties are shares of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PenaltyBase {
    /// The price with taxes and charges.
    #[default]
    WithTaxes,
    /// The price without them: they are refunded in full.
    WithoutTaxes,
}

/// Exceptions in favour of the guest; each beats every tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Free for so many hours after the booking: 0 (no grace), 1, 4 or 24. Not for bookings within
    /// [`CancellationPolicy::NO_GRACE_HOURS`] before check-in.
    pub free_hours_after_booking: i32,
    /// Free until so many weeks before arrival: 0 (no exception), 4, 8 or 12.
    pub free_weeks_before: i32,
}

/// A policy of at most [`Self::MAX_TIERS`] tiers, earliest deadline first, with penalties that never fall; the last tier
/// counts always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancellationPolicy {
    /// The tiers, earliest deadline first.
    pub tiers: Vec<Tier>,
    /// What is kept if the guest does not come; `None` is the penalty of the last tier.
    pub no_show: Option<Penalty>,
    /// Until when on the day of arrival the hotel waits for the guest, by its clocks; `None` is the end of that day. From
    /// then on a no-show can be reported.
    pub same_day_until: Option<Time>,
    /// Which price the penalties are shares of.
    pub base: PenaltyBase,
    /// Exceptions in favour of the guest.
    pub exceptions: Exceptions,
    /// Nights of events: a stay that touches one of them is kept in full whenever it is cancelled.
    pub non_refundable: Vec<DateRange>,
    /// What is kept of the nights not slept when guests leave early; `None` is all.
    pub early_departure: Option<Penalty>,
}

/// Why a later cancellation could be cheaper than an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum PolicyError {
    /// A deadline that is not after the one before it.
    #[error("must be later than the deadline of the tier before")]
    DeadlineOrder,
    /// A later cancellation would be cheaper.
    #[error("must not keep less than a tier before")]
    FallingPenalty,
}

impl CancellationPolicy {
    /// The most tiers.
    pub const MAX_TIERS: usize = 10;
    /// The earliest deadline in hours before the anchor: a year.
    pub const MAX_HOURS_BEFORE: i32 = 8_784;
    /// The earliest deadline in days before arrival: a year.
    pub const MAX_DAYS_BEFORE: i32 = 366;
    /// Bookings made within so many hours before check-in have no grace period.
    pub const NO_GRACE_HOURS: i32 = 48;
    /// The most ranges of non-refundable nights.
    pub const MAX_NON_REFUNDABLE: usize = 100;

    /// A policy of these tiers: with taxes, without exceptions, no-shows as the last tier.
    pub fn of_tiers(tiers: Vec<Tier>) -> Self {
        Self {
            tiers,
            no_show: None,
            same_day_until: None,
            base: PenaltyBase::WithTaxes,
            exceptions: Exceptions::default(),
            non_refundable: Vec::new(),
            early_departure: None,
        }
    }

    /// Requires that the policy can be carried out.
    ///
    /// # Errors
    /// Violations of `tiers`, `tiers[i].days_before`, `tiers[i].hours_before`, `tiers[i].penalty`, `no_show_penalty`,
    /// `early_departure_penalty`, `free_hours_after_booking`, `free_weeks_before` and `non_refundable`.
    pub fn validate(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        let max = Self::MAX_TIERS;
        let count = self.tiers.len();
        errors.holds((1..=max).contains(&count), "tiers", format!("must have 1 to {max} entries"));
        for (i, tier) in self.tiers.iter().enumerate().take(max) {
            check_until(&mut errors, i, tier.until);
            check_penalty(&mut errors, &format!("tiers[{i}].penalty"), tier.penalty);
            let is_last = i + 1 == count;
            let fits = (tier.until == Until::Always) == is_last;
            errors.holds(fits, format!("tiers[{i}]"), "must have a deadline, except the last tier, which has none");
        }
        if let Some(no_show) = self.no_show {
            check_penalty(&mut errors, "no_show_penalty", no_show);
        }
        if let Some(early) = self.early_departure {
            check_penalty(&mut errors, "early_departure_penalty", early);
        }
        let Exceptions { free_hours_after_booking: hours, free_weeks_before: weeks } = self.exceptions;
        errors.holds([0, 1, 4, 24].contains(&hours), "free_hours_after_booking", "must be 0, 1, 4 or 24");
        errors.holds([0, 4, 8, 12].contains(&weeks), "free_weeks_before", "must be 0, 4, 8 or 12");
        let max = Self::MAX_NON_REFUNDABLE;
        let few = self.non_refundable.len() <= max;
        errors.holds(few, "non_refundable", format!("must have at most {max} entries"));
        errors.into_result()
    }

    /// Requires that a later cancellation is never cheaper, as far as that shows without a price; at a price,
    /// [`CancellationTerms`](super::CancellationTerms) keep at least what the tier before kept.
    ///
    /// `check_in_time` is the hotel's, for the order of deadlines that are counted from it.
    ///
    /// # Errors
    /// Violations of `tiers[i]` (deadline), `tiers[i].penalty` and `no_show_penalty`.
    pub fn require_monotone(&self, check_in_time: Time) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        for (i, pair) in self.tiers.windows(2).enumerate() {
            let [before, tier] = pair else { continue };
            let (i, minutes) = (i + 1, |until| minutes_before(until, check_in_time));
            if let (Some(earlier), Some(later)) = (minutes(before.until), minutes(tier.until)) {
                errors.holds(later < earlier, format!("tiers[{i}]"), PolicyError::DeadlineOrder.to_string());
            }
            // Penalties of another kind may stand between two that can be compared.
            let falls = falls_below_any(tier.penalty, &self.tiers[..i]);
            errors.holds(!falls, format!("tiers[{i}].penalty"), PolicyError::FallingPenalty.to_string());
        }
        if let Some(no_show) = self.no_show {
            let falls = falls_below_any(no_show, &self.tiers);
            errors.holds(!falls, "no_show_penalty", PolicyError::FallingPenalty.to_string());
        }
        errors.into_result()
    }
}

fn falls_below_any(penalty: Penalty, before: &[Tier]) -> bool {
    before.iter().any(|tier| penalty.falls_below(tier.penalty))
}

fn check_until(errors: &mut FieldErrors, tier: usize, until: Until) {
    match until {
        Until::HoursBefore { hours, .. } => {
            errors.range(format!("tiers[{tier}].hours_before.hours"), hours, 0, CancellationPolicy::MAX_HOURS_BEFORE);
        }
        Until::DaysBefore { days, .. } => {
            errors.range(format!("tiers[{tier}].days_before.days"), days, 0, CancellationPolicy::MAX_DAYS_BEFORE);
        }
        Until::Always => {}
    }
}

fn check_penalty(errors: &mut FieldErrors, field: &str, penalty: Penalty) {
    match penalty {
        Penalty::Percent(basis_points) => errors.range(format!("{field}.basis_points"), basis_points, 1, Penalty::ALL),
        Penalty::Nights(nights) => errors.range(format!("{field}.nights"), nights, 1, crate::StayDates::MAX_NIGHTS),
        Penalty::Fixed(amount) => {
            errors.holds(amount.minor() > 0, format!("{field}.fixed"), "must be more than zero");
        }
        Penalty::None | Penalty::Full => {}
    }
}

/// Minutes from the deadline to 00:00 of the day of arrival, negative after it, on a calendar whose clocks never change.
fn minutes_before(until: Until, check_in_time: Time) -> Option<i64> {
    const DAY: i64 = 24 * 60;
    let of_day = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
    match until {
        Until::HoursBefore { hours, anchor: Anchor::StartOfDay } => Some(i64::from(hours) * 60),
        Until::HoursBefore { hours, anchor: Anchor::ArrivalTime } => {
            Some(i64::from(hours) * 60 - of_day(check_in_time))
        }
        Until::DaysBefore { days, at } => Some(i64::from(days) * DAY - of_day(at)),
        Until::Always => None,
    }
}

#[cfg(test)]
mod tests;
