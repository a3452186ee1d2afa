//! What a check has found.

use std::{collections::BTreeMap, fmt};

use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A booking has a night that has no inventory, and that is not in the archive.
    NightMissing,
    /// A night's `total_reserved` is not the rooms of its active bookings.
    ReservedDiffers,
    /// A night is sold beyond its limit, or below nothing.
    Overbooked,
    /// A booking's history is no legal way to the state it is in.
    IllegalHistory,
    /// A hold has outlived its expiry by more than the bound.
    HoldOverdue,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::NightMissing, Self::ReservedDiffers, Self::Overbooked, Self::IllegalHistory, Self::HoldOverdue];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NightMissing => "night_missing",
            Self::ReservedDiffers => "reserved_differs",
            Self::Overbooked => "overbooked",
            Self::IllegalHistory => "illegal_history",
            Self::HoldOverdue => "hold_overdue",
        }
    }
}

/// One row that is not as it must be. Names no guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What is wrong.
    pub kind: Kind,
    /// The hotel.
    pub hotel_id: i32,
    /// The room type, of a night.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_type_id: Option<i32>,
    /// The night.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stay_date: Option<Date>,
    /// The booking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<Uuid>,
    /// What was found, for people.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hotel {}", self.kind.as_str(), self.hotel_id)?;
        if let Some(room_type) = self.room_type_id {
            write!(f, " room type {room_type}")?;
        }
        if let Some(date) = self.stay_date {
            write!(f, " night {date}")?;
        }
        if let Some(id) = self.reservation_id {
            write!(f, " reservation {id}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// What a check has looked at and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nights that were looked at.
    pub nights: u64,
    /// Bookings that were looked at.
    pub reservations: u64,
    /// How many violations there are of each kind that has some.
    pub counts: BTreeMap<Kind, u64>,
    /// The first violations of each kind.
    pub listed: Vec<Violation>,
}

impl Report {
    /// Whether all is as it must be.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many violations there are.
    pub fn violations(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn count(&mut self, kind: Kind, more: u64) {
        if more > 0 {
            *self.counts.entry(kind).or_default() += more;
        }
    }

    /// Lists what there is room for, so that a database where everything is wrong does not fill the memory.
    pub(super) fn list(&mut self, found: Vec<Violation>, most: usize) {
        for violation in found {
            let listed = self.listed.iter().filter(|known| known.kind == violation.kind).count();
            if listed < most {
                self.listed.push(violation);
            }
        }
    }
}
