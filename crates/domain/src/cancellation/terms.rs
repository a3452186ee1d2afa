//! Terms of one booking: the policy resolved into instants and amounts.

use jiff::{SignedDuration, Timestamp};

use super::EarlyDeparture;
use crate::{Money, MoneyError};

/// What a cancellation keeps until an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The last instant at which the penalty counts; `None` in the last deadline, which counts always.
    pub until: Option<Timestamp>,
    /// What is kept.
    pub penalty: Money,
}

/// A time after the booking in which cancellation is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// Hours after the booking is made.
    pub hours: i32,
    /// Only bookings made before this instant have the grace.
    pub booked_before: Timestamp,
}

/// What a cancellation or a no-show keeps of a booking, at every instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancellationTerms {
    /// The deadlines, earliest first, with penalties that never fall; the last one is without end.
    pub deadlines: Vec<Deadline>,
    /// The grace period after the booking, if there is one.
    pub grace: Option<Grace>,
    /// Until when the booking can be cancelled (exclusive): the stay has begun.
    pub cancel_before: Timestamp,
    /// What is kept if the guest does not come.
    pub no_show: Money,
    /// From when on the guest can be reported as not come.
    pub no_show_from: Timestamp,
    /// Until when the guest can be reported as not come (inclusive).
    pub no_show_until: Timestamp,
    /// What is kept of the nights not slept when guests leave early.
    pub early_departure: EarlyDeparture,
}

impl CancellationTerms {
    /// What is kept if a booking made at `booked` is cancelled at `now`. A deadline itself still belongs to the time before it.
    pub fn penalty_at(&self, booked: Timestamp, now: Timestamp) -> Money {
        if self.grace_ends(booked).is_some_and(|end| now <= end) {
            return Money::zero(self.no_show.currency());
        }
        self.tier_penalty(Some(now))
    }

    /// The deadlines of a booking made at `booked`: its grace period is the first, and replaces those that end within it.
    pub fn deadlines_of(&self, booked: Timestamp) -> Vec<Deadline> {
        let Some(end) = self.grace_ends(booked) else { return self.deadlines.clone() };
        let mut deadlines = self.deadlines.clone();
        deadlines.retain(|deadline| deadline.until.is_none_or(|until| end < until));
        // A first deadline that is free already includes the grace period.
        if deadlines.first().is_none_or(|first| first.penalty.minor() != 0) {
            deadlines.insert(0, Deadline { until: Some(end), penalty: Money::zero(self.no_show.currency()) });
        }
        deadlines
    }

    /// Until when a booking made at `booked` can be cancelled for nothing (inclusive), or without end.
    pub fn free_until(&self, booked: Timestamp) -> FreeUntil {
        let deadlines = self.deadlines_of(booked);
        match deadlines.iter().rev().find(|deadline| deadline.penalty.minor() == 0) {
            None => FreeUntil::Never,
            Some(Deadline { until: Some(until), .. }) => FreeUntil::Instant(*until),
            Some(Deadline { until: None, .. }) => FreeUntil::Always,
        }
    }

    /// Whether the stay could be cancelled for nothing when it was offered, its grace period not counted.
    pub fn is_refundable(&self) -> bool {
        self.deadlines.first().is_some_and(|deadline| deadline.penalty.minor() == 0)
    }

    /// Whether a no-show can be reported at `now`.
    pub fn accepts_no_show(&self, now: Timestamp) -> bool {
        (self.no_show_from..=self.no_show_until).contains(&now)
    }

    /// The terms of each of several rooms with these totals, whose terms together are these. Amounts are split to the minor
    /// unit and add up; the penalty of a room is at most its total, and falls only where that of all rooms falls.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn split(&self, totals: &[Money]) -> Result<Vec<Self>, MoneyError> {
        let mut rooms = vec![Self { deadlines: Vec::new(), ..self.clone() }; totals.len()];
        let mut shares = Shares::of(Money::zero(self.no_show.currency()), totals);
        for deadline in &self.deadlines {
            for (room, penalty) in rooms.iter_mut().zip(shares.change_to(deadline.penalty)?) {
                room.deadlines.push(Deadline { penalty: *penalty, ..*deadline });
            }
        }
        for (room, no_show) in rooms.iter_mut().zip(shares.change_to(self.no_show)?) {
            room.no_show = *no_show;
        }
        Ok(rooms)
    }

    /// What these terms and `other` keep together: at every time the sum, a grace period only if both have one. The stay
    /// begins with the first of the two; the window for reporting a no-show opens and closes with the last one. Of the rules for an early
    /// departure it is the stricter one; each room has its own.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn together(&self, other: &Self) -> Result<Self, MoneyError> {
        let grace = self.grace.zip(other.grace).map(|(one, two)| Grace {
            hours: one.hours.min(two.hours),
            booked_before: one.booked_before.min(two.booked_before),
        });
        Ok(Self {
            deadlines: self.merged(other, Money::checked_add)?,
            grace,
            cancel_before: self.cancel_before.min(other.cancel_before),
            no_show: self.no_show.checked_add(other.no_show)?,
            no_show_from: self.no_show_from.max(other.no_show_from),
            no_show_until: self.no_show_until.max(other.no_show_until),
            early_departure: self.early_departure.stricter(other.early_departure),
        })
    }

    /// The deadlines of both terms, each with the penalty that is made of what both keep until then.
    pub(super) fn merged(
        &self,
        other: &Self,
        penalty: impl Fn(Money, Money) -> Result<Money, MoneyError>,
    ) -> Result<Vec<Deadline>, MoneyError> {
        let mut ends: Vec<Timestamp> =
            self.deadlines.iter().chain(&other.deadlines).filter_map(|deadline| deadline.until).collect();
        ends.sort_unstable();
        ends.dedup();
        let ends = ends.into_iter().map(Some).chain([None]);
        let deadline =
            |until| Ok(Deadline { until, penalty: penalty(self.tier_penalty(until), other.tier_penalty(until))? });
        ends.map(deadline).collect()
    }

    /// What the deadlines keep at an instant, or after all of them.
    fn tier_penalty(&self, now: Option<Timestamp>) -> Money {
        let counts = |deadline: &&Deadline| deadline.until.is_none_or(|until| now.is_some_and(|now| now <= until));
        self.deadlines.iter().find(counts).map_or(self.no_show, |deadline| deadline.penalty)
    }

    fn grace_ends(&self, booked: Timestamp) -> Option<Timestamp> {
        let grace = self.grace.filter(|grace| booked < grace.booked_before)?;
        booked.checked_add(SignedDuration::from_hours(grace.hours.into())).ok()
    }
}

/// The shares that rooms have in a penalty that changes. Only the change is split, in proportion to what is left of the
/// totals, or if the penalty falls, to what is kept: a split of the whole penalty can give a room less of a higher one.
struct Shares {
    amount: Money,
    /// What is kept of each room.
    kept: Vec<Money>,
    /// The rest of the total of each room.
    left: Vec<Money>,
}

impl Shares {
    fn of(zero: Money, totals: &[Money]) -> Self {
        Self { amount: zero, kept: vec![zero; totals.len()], left: totals.to_vec() }
    }

    fn change_to(&mut self, amount: Money) -> Result<&[Money], MoneyError> {
        let change = amount.checked_sub(self.amount)?;
        let parts = change.spread(if change.is_negative() { &self.kept } else { &self.left })?;
        for ((kept, left), part) in self.kept.iter_mut().zip(&mut self.left).zip(parts) {
            *kept = kept.checked_add(part)?;
            *left = left.checked_sub(part)?;
        }
        self.amount = amount;
        Ok(&self.kept)
    }
}

/// How long a booking can be cancelled for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreeUntil {
    /// Not at all.
    Never,
    /// Until this instant, which is included.
    Instant(Timestamp),
    /// As long as it can be cancelled.
    Always,
}

#[cfg(test)]
mod tests;
