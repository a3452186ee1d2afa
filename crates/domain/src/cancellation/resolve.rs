//! Resolution of a policy for one stay and one price.

use jiff::Timestamp;
use jiff::civil::Time;

use super::penalty::greater;
use super::{Anchor, CancellationPolicy, CancellationTerms, Deadline, EarlyDeparture, Grace, Penalty, Until};
use crate::hotel_time::hours_before;
use crate::{DateOutOfRange, HotelTime, Money, MoneyError, RoomCount, StayDates};

/// Hours after 00:00 of the check-out date until which a no-show can be reported.
const NO_SHOW_HOURS: i32 = 48;

/// A stay for which a policy is resolved.
#[derive(Debug, Clone, Copy)]
pub struct Stay<'a> {
    /// The nights.
    pub dates: StayDates,
    /// The calendar of the hotel.
    pub time: &'a HotelTime,
    /// The number of rooms.
    pub rooms: RoomCount,
    /// What is paid for each night in all rooms, in date order, in the policy's [`PenaltyBase`](super::PenaltyBase).
    pub nights: &'a [Money],
    /// Zero in the currency of the prices.
    pub zero: Money,
}

/// Why a policy cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A deadline outside the supported range of dates.
    #[error(transparent)]
    Date(#[from] DateOutOfRange),
    /// Amounts that cannot be combined.
    #[error("a penalty {0}")]
    Money(#[from] MoneyError),
}

impl CancellationPolicy {
    /// The terms of this policy for a stay that is offered at `now`, as instants and amounts. Deadlines that have passed are
    /// left out: the first one that remains is in force.
    ///
    /// Of penalties whose order depends on the price, each keeps at least what the tier before it keeps.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub fn resolve(&self, stay: &Stay<'_>, now: Timestamp) -> Result<CancellationTerms, ResolveError> {
        let check_in = stay.dates.check_in();
        let arrival = stay.time.arrival(check_in)?;
        let cancel_before = stay.time.day_ends(check_in)?;
        let mut deadlines = self.tiers(stay, arrival)?;
        let last = deadlines.last().map_or(stay.zero, |deadline| deadline.penalty);
        if let Some(free) = self.free_until(stay)? {
            deadlines.retain(|deadline| deadline.until.is_none_or(|until| free < until));
            deadlines.insert(0, Deadline { until: Some(free), penalty: stay.zero });
        }
        let no_show = match self.no_show {
            Some(penalty) => greater(last, stay.penalty(penalty)?)?,
            None => last,
        };
        let no_show_from = match self.same_day_until {
            Some(until) => stay.time.days_before(check_in, 0, until)?,
            None => cancel_before,
        };
        let check_out = stay.time.days_before(stay.dates.check_out(), 0, Time::midnight())?;
        Ok(CancellationTerms {
            deadlines: in_force_after(deadlines, now),
            grace: self.grace(arrival)?.filter(|grace| now < grace.booked_before),
            cancel_before,
            no_show,
            no_show_from,
            no_show_until: hours_before(check_out, -NO_SHOW_HOURS)?,
            early_departure: EarlyDeparture { penalty: self.early_departure.unwrap_or(Penalty::Full), base: self.base },
        })
    }

    /// What the tiers keep. A stay that touches a non-refundable night has one tier, which keeps all.
    fn tiers(&self, stay: &Stay<'_>, arrival: Timestamp) -> Result<Vec<Deadline>, ResolveError> {
        let is_event = |night| self.non_refundable.iter().any(|range| range.contains(night));
        if stay.dates.nights().any(is_event) {
            return Ok(vec![Deadline { until: None, penalty: stay.penalty(Penalty::Full)? }]);
        }
        let mut deadlines = Vec::with_capacity(self.tiers.len());
        let mut least = stay.zero;
        for tier in &self.tiers {
            least = greater(least, stay.penalty(tier.penalty)?)?;
            deadlines.push(Deadline { until: stay.deadline(tier.until, arrival)?, penalty: least });
        }
        Ok(deadlines)
    }

    fn grace(&self, arrival: Timestamp) -> Result<Option<Grace>, DateOutOfRange> {
        let hours = self.exceptions.free_hours_after_booking;
        if hours == 0 {
            return Ok(None);
        }
        Ok(Some(Grace { hours, booked_before: hours_before(arrival, Self::NO_GRACE_HOURS)? }))
    }

    fn free_until(&self, stay: &Stay<'_>) -> Result<Option<Timestamp>, DateOutOfRange> {
        let weeks = self.exceptions.free_weeks_before;
        if weeks == 0 {
            return Ok(None);
        }
        Ok(Some(stay.time.days_before(stay.dates.check_in(), weeks * 7, stay.time.check_in_time())?))
    }
}

/// The deadlines that count at `now` or later. A deadline that is not after the one before it never counts: clocks that
/// change can bring two that lie close together out of order.
fn in_force_after(deadlines: Vec<Deadline>, now: Timestamp) -> Vec<Deadline> {
    let mut latest = None;
    let mut in_force = |deadline: &Deadline| {
        let Some(until) = deadline.until else { return true };
        let counts = now <= until && latest.is_none_or(|latest| latest < until);
        if counts {
            latest = Some(until);
        }
        counts
    };
    deadlines.into_iter().filter(|deadline| in_force(deadline)).collect()
}

impl Stay<'_> {
    fn penalty(&self, penalty: Penalty) -> Result<Money, MoneyError> {
        penalty.of(self.nights, self.rooms, self.zero)
    }

    fn deadline(&self, until: Until, arrival: Timestamp) -> Result<Option<Timestamp>, DateOutOfRange> {
        let check_in = self.dates.check_in();
        Ok(match until {
            Until::HoursBefore { hours, anchor: Anchor::ArrivalTime } => Some(hours_before(arrival, hours)?),
            Until::HoursBefore { hours, anchor: Anchor::StartOfDay } => {
                Some(hours_before(self.time.days_before(check_in, 0, Time::midnight())?, hours)?)
            }
            Until::DaysBefore { days, at } => Some(self.time.days_before(check_in, days, at)?),
            Until::Always => None,
        })
    }
}
