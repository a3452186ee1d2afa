//! Check-in, its undoing, and check-out: which rooms of a reservation change their status. Pure; no I/O.

use std::collections::BTreeMap;

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

/// The rooms of a reservation, by their places from 0, whose status the step changes on date `today` of the hotel. `rooms` are
/// those that the request names; empty for all for which the step is possible. `arrivals` has the date of the latest check-in of
/// each room. Rooms that are where the step leads are left out: a repeat changes nothing.
///
/// # Errors
/// [`ReservationError::IllegalTransition`] unless the reservation is paid, [`ReservationError::IllegalRoomTransition`],
/// [`ReservationError::CheckInOutOfTime`], and a room that the reservation does not have.
pub(crate) fn changed_rooms(
    booking: &Reservation,
    step: RoomStep,
    rooms: &[usize],
    today: Date,
    arrivals: &BTreeMap<usize, Date>,
) -> Result<Vec<usize>, ReservationError> {
    if booking.status != Status::Paid {
        return Err(ReservationError::IllegalTransition { from: booking.status, to: Status::Paid });
    }
    let judge = |room: usize| {
        let line = booking.lines.get(room).ok_or_else(|| unknown(booking))?;
        judge(line, room, step, today, arrivals.get(&room).copied())
    };
    if !rooms.is_empty() {
        let judged = rooms.iter().map(|room| Ok(judge(*room)?.then_some(*room)));
        let mut changed: Vec<_> = judged.collect::<Result<Vec<_>, ReservationError>>()?.into_iter().flatten().collect();
        changed.sort_unstable();
        changed.dedup();
        return Ok(changed);
    }
    let judged: Vec<_> = (0..booking.lines.len()).map(|room| (room, judge(room))).collect();
    if judged.iter().any(|(_, judged)| judged.is_ok()) {
        return Ok(judged.into_iter().filter(|(_, judged)| matches!(judged, Ok(true))).map(|(room, _)| room).collect());
    }
    // Of the reasons the one that says when it is possible.
    let mut errors = judged.into_iter().filter_map(|(_, judged)| judged.err()).collect::<Vec<_>>();
    errors.sort_by_key(|error| !matches!(error, ReservationError::CheckInOutOfTime { .. }));
    errors.into_iter().next().map_or_else(|| Ok(Vec::new()), Err)
}

/// Whether the step changes a room.
fn judge(
    line: &RoomLine,
    room: usize,
    step: RoomStep,
    today: Date,
    arrival: Option<Date>,
) -> Result<bool, ReservationError> {
    let (from, to) = step.statuses();
    if line.status == to {
        return Ok(false);
    }
    if line.status != from {
        return Err(ReservationError::IllegalRoomTransition { room, from: line.status, to });
    }
    let (from, until) = match (step, arrival) {
        (RoomStep::CheckIn, _) => (line.stay.check_in(), line.stay.check_out()),
        (RoomStep::UndoCheckIn, Some(arrival)) => (arrival, day_after(arrival)?),
        (RoomStep::UndoCheckIn, None) => {
            return Err(ReservationError::IllegalRoomTransition { room, from: line.status, to });
        }
        (RoomStep::CheckOut, _) => return Ok(true),
    };
    if from <= today && today < until {
        Ok(true)
    } else {
        Err(ReservationError::CheckInOutOfTime { from, until, today })
    }
}

fn unknown(booking: &Reservation) -> ReservationError {
    FieldError::new("rooms", format!("must be places of rooms, from 0 to {}", booking.lines.len().saturating_sub(1)))
        .into()
}

#[cfg(test)]
mod tests;
