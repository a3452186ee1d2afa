//! Terms of one booking: the policy resolved into instants and amounts.

use jiff::{SignedDuration, Timestamp};

use crate::Money;

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
}

impl CancellationTerms {
    /// What is kept if a booking made at `booked` is cancelled at `now`. A deadline itself still belongs to the time before it.
    pub fn penalty_at(&self, booked: Timestamp, now: Timestamp) -> Money {
        if self.grace_ends(booked).is_some_and(|end| now <= end) {
            return Money::zero(self.no_show.currency());
        }
        let counts = |deadline: &&Deadline| deadline.until.is_none_or(|until| now <= until);
        self.deadlines.iter().find(counts).map_or(self.no_show, |deadline| deadline.penalty)
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

    fn grace_ends(&self, booked: Timestamp) -> Option<Timestamp> {
        let grace = self.grace.filter(|grace| booked < grace.booked_before)?;
        booked.checked_add(SignedDuration::from_hours(grace.hours.into())).ok()
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
