//! Check-in, its undoing, and check-out: which rooms of a reservation change their status. Pure; no I/O.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use staymesh_domain::FieldError;

use crate::{
    calendar::day_after,
    error::ReservationError,
    model::{Reservation, Status},
    room_line::RoomLine,
    room_status::RoomStatus,
};

/// A step of a stay that the front desk records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomStep {
    /// Guests arrive.
    CheckIn,
    /// They have not arrived after all.
    UndoCheckIn,
    /// Guests depart.
    CheckOut,
}

impl RoomStep {
    /// The status of a room before and after the step.
    pub(crate) const fn statuses(self) -> (RoomStatus, RoomStatus) {
        match self {
            Self::CheckIn => (RoomStatus::Live, RoomStatus::InHouse),
            Self::UndoCheckIn => (RoomStatus::InHouse, RoomStatus::Live),
            Self::CheckOut => (RoomStatus::InHouse, RoomStatus::Completed),
        }
    }
}

/// The positions of the rooms whose status the step changes on date `today` of the hotel. `positions` are those that the request
/// names; empty for all for which the step is possible. `arrivals` has the date of the latest check-in of
/// each room. Rooms that are where the step leads are left out: a repeat changes nothing.
///
/// # Errors
/// [`ReservationError::IllegalTransition`] unless the reservation is paid, [`ReservationError::IllegalRoomTransition`],
/// [`ReservationError::CheckInOutOfTime`], and a room that the reservation does not have.
pub(crate) fn changed_rooms(
    booking: &Reservation,
    step: RoomStep,
    positions: &[i32],
    today: Date,
    arrivals: &BTreeMap<i32, Date>,
) -> Result<Vec<i32>, ReservationError> {
    if booking.status != Status::Paid {
        return Err(ReservationError::IllegalTransition { from: booking.status, to: Status::Paid });
    }
    let rooms: BTreeMap<i32, &RoomLine> = booking.placed_lines().collect();
    let judge = |position: i32| {
        let line = rooms.get(&position).ok_or_else(unknown)?;
        judge(line, position, step, today, arrivals.get(&position).copied())
    };
    if !positions.is_empty() {
        let named: BTreeSet<i32> = positions.iter().copied().collect();
        let judged = named.into_iter().map(|position| Ok(judge(position)?.then_some(position)));
        return Ok(judged.collect::<Result<Vec<_>, ReservationError>>()?.into_iter().flatten().collect());
    }
    let judged: Vec<_> = rooms.keys().map(|position| (*position, judge(*position))).collect();
    if judged.iter().any(|(_, judged)| judged.is_ok()) {
        let changed = judged.into_iter().filter(|(_, judged)| matches!(judged, Ok(true)));
        return Ok(changed.map(|(position, _)| position).collect());
    }
    // Of the reasons the one that says when it is possible.
    let mut errors = judged.into_iter().filter_map(|(_, judged)| judged.err()).collect::<Vec<_>>();
    errors.sort_by_key(|error| !matches!(error, ReservationError::CheckInOutOfTime { .. }));
    errors.into_iter().next().map_or_else(|| Ok(Vec::new()), Err)
}

/// Whether the step changes a room.
fn judge(
    line: &RoomLine,
    position: i32,
    step: RoomStep,
    today: Date,
    arrival: Option<Date>,
) -> Result<bool, ReservationError> {
    let (from, to) = step.statuses();
    if line.status == to {
        return Ok(false);
    }
    if line.status != from {
        return Err(ReservationError::IllegalRoomTransition { position, from: line.status, to });
    }
    let (from, until) = match (step, arrival) {
        (RoomStep::CheckIn, _) => (line.stay.check_in(), line.stay.check_out()),
        (RoomStep::UndoCheckIn, Some(arrival)) => (arrival, day_after(arrival)?),
        (RoomStep::UndoCheckIn, None) => {
            return Err(ReservationError::IllegalRoomTransition { position, from: line.status, to });
        }
        (RoomStep::CheckOut, _) => return Ok(true),
    };
    if from <= today && today < until {
        Ok(true)
    } else {
        Err(ReservationError::CheckInOutOfTime { from, until, today })
    }
}

fn unknown() -> ReservationError {
    FieldError::new("positions", "must be positions of rooms of the reservation").into()
}

#[cfg(test)]
mod tests;
