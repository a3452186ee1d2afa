//! The report of a check: counts and violations.

use std::{collections::BTreeMap, fmt};

use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

/// The invariant that a violation breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A reserved night has no inventory, and is not archived.
    NightMissing,
    /// `total_reserved` of a night is not the number of live lines over it of active reservations.
    ReservedDiffers,
    /// A night is reserved beyond its overbooking limit, or below zero.
    Overbooked,
    /// `out_of_order` of a night is not the number of rooms that are blocked in it.
    OutOfOrderDiffers,
    /// The history of a reservation has an illegal transition, or does not end in its status.
    IllegalHistory,
    /// The lines of a reservation are not what its latest revision agreed, have another status than it or than their last
    /// arrival or departure, or do not add up to its price.
    RoomsDiffer,
    /// The revisions of a reservation have a gap, or the latest is not the one that it has.
    IllegalRevision,
    /// A room of the hotel is assigned to guests who do not stay there, to guests who have another, or although it is blocked.
    AssignmentDiffers,
    /// An unpaid hold outlived its expiry by more than the bound.
    HoldOverdue,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::NightMissing,
        Self::ReservedDiffers,
        Self::Overbooked,
        Self::OutOfOrderDiffers,
        Self::IllegalHistory,
        Self::RoomsDiffer,
        Self::IllegalRevision,
        Self::AssignmentDiffers,
        Self::HoldOverdue,
    ];

    /// Its name in the JSON report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NightMissing => "night_missing",
            Self::ReservedDiffers => "reserved_differs",
            Self::Overbooked => "overbooked",
            Self::OutOfOrderDiffers => "out_of_order_differs",
            Self::IllegalHistory => "illegal_history",
            Self::RoomsDiffer => "rooms_differ",
            Self::IllegalRevision => "illegal_revision",
            Self::AssignmentDiffers => "assignment_differs",
            Self::HoldOverdue => "hold_overdue",
        }
    }
}

/// One row that breaks an invariant. Contains no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The invariant.
    pub kind: Kind,
    /// The hotel.
    pub hotel_id: i32,
    /// The room type, when a night is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_type_id: Option<i32>,
    /// The night, when a night is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stay_date: Option<Date>,
    /// The reservation, when a reservation is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<Uuid>,
    /// What was found, as text for operators.
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

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nights checked.
    pub nights: u64,
    /// Reservations checked.
    pub reservations: u64,
    /// Number of violations by kind; kinds without any are absent.
    pub counts: BTreeMap<Kind, u64>,
    /// The first violations of each kind.
    pub listed: Vec<Violation>,
}

impl Report {
    /// Whether there are no violations.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// Number of violations of all kinds.
    pub fn violations(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Adds `more` violations of a kind.
    pub(super) fn count(&mut self, kind: Kind, more: u64) {
        if more > 0 {
            *self.counts.entry(kind).or_default() += more;
        }
    }

    /// Lists violations up to `most` per kind, so that a database full of violations does not exhaust memory.
    pub(super) fn list(&mut self, found: Vec<Violation>, most: usize) {
        for violation in found {
            let listed = self.listed.iter().filter(|known| known.kind == violation.kind).count();
            if listed < most {
                self.listed.push(violation);
            }
        }
    }
}
