//! Guests who leave early: which nights go back on sale, and what is kept of their price. Pure; no I/O.

use std::collections::BTreeSet;

use jiff::civil::Date;
use staymesh_domain::{FieldError, Money, StayDates};

use crate::{
    calendar::day_after,
    error::ReservationError,
    lifecycle::Waiver,
    model::{Reservation, Status},
    room_line::RoomLine,
    room_status::RoomStatus,
    rooms_change::{BookedRoom, PlacedRoom, RoomsChange},
};

/// Guests of some rooms leave before their check-out date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EarlyDeparture {
    /// The positions of the rooms; empty for all whose guests are or were in the house. Rooms that guests in the house were to
    /// enter later are among them only by their positions.
    pub(crate) positions: BTreeSet<i32>,
    /// The date of the hotel's business day, on which they leave.
    pub(crate) today: Date,
    /// What the hotel keeps of all rooms together, instead of what it may keep.
    pub(crate) waiver: Option<Waiver>,
}

/// What an early departure makes of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departed {
    /// The change of its rooms: it only drops nights.
    pub(crate) change: RoomsChange,
    /// The rooms that complete.
    pub(crate) completed: Vec<i32>,
    /// What the terms keep of the nights not slept.
    pub(crate) due: Money,
}

impl EarlyDeparture {
    /// What the departure makes of a reservation; `None` if no night is left.
    ///
    /// # Errors
    /// [`ReservationError::IllegalTransition`] unless the reservation is paid, [`ReservationError::IllegalRoomTransition`],
    /// [`ReservationError::EarlyDepartureOutOfTime`], a room that the reservation does not have, and a waiver that keeps more, or
    /// of nothing.
    pub(crate) fn of(&self, booking: &Reservation) -> Result<Option<Departed>, ReservationError> {
        if booking.status != Status::Paid {
            return Err(ReservationError::IllegalTransition { from: booking.status, to: Status::Paid });
        }
        let mut due = Money::zero(booking.quote.currency());
        let (mut kept, mut rooms, mut completed) = (Vec::new(), Vec::new(), Vec::new());
        let all = self.rooms(booking)?;
        for PlacedRoom { position, line } in all.clone() {
            if self.is_never_entered(position, &line, &all) {
                due = due.checked_add(BookedRoom { line: &line, booked: booking.create_time }.never_entered()?)?;
                continue;
            }
            let Some(slept) = self.slept(position, &line)? else {
                kept.push(position);
                continue;
            };
            let left = BookedRoom { line: &line, booked: booking.create_time }.left_early(slept)?;
            due = due.checked_add(left.penalty)?;
            if line.status == RoomStatus::InHouse {
                completed.push(position);
            }
            rooms.push(PlacedRoom { position, line: RoomLine { stay: slept, quote: left.quote, ..line } });
        }
        if rooms.is_empty() && kept.len() == all.len() {
            return self.nothing(booking).map_or(Ok(None), Err);
        }
        let penalty = self.waiver.as_ref().map_or(Ok(due), |waiver| waiver.kept_of(due))?;
        let change = RoomsChange::new(&booking.placed(), kept, rooms, penalty)?;
        Ok(Some(Departed { change, completed, due }))
    }

    /// The rooms of the reservation.
    fn rooms(&self, booking: &Reservation) -> Result<Vec<PlacedRoom>, ReservationError> {
        let rooms = booking.placed();
        if self.positions.iter().all(|position| booking.positions.contains(position)) {
            return Ok(rooms);
        }
        Err(FieldError::new("positions", "must be positions of rooms of the reservation").into())
    }

    /// Whether a room is dropped whole: it was named, and guests who came before it begins will not enter it, for example when
    /// they were to move to it.
    fn is_never_entered(&self, position: i32, line: &RoomLine, all: &[PlacedRoom]) -> bool {
        let begins = line.stay.check_in();
        let came_before = |room: &PlacedRoom| room.line.status.has_arrived() && room.line.stay.check_in() < begins;
        self.positions.contains(&position)
            && line.status == RoomStatus::Live
            && begins >= self.today
            && all.iter().any(came_before)
    }

    /// The nights that were slept, if there are others. The night of the arrival always was.
    fn slept(&self, position: i32, line: &RoomLine) -> Result<Option<StayDates>, ReservationError> {
        let named = self.positions.contains(&position);
        if !named && (!self.positions.is_empty() || !line.status.has_arrived()) {
            return Ok(None);
        }
        if !line.status.has_arrived() {
            let (from, to) = (line.status, RoomStatus::Completed);
            return Err(ReservationError::IllegalRoomTransition { position, from, to });
        }
        let (check_in, check_out) = (line.stay.check_in(), line.stay.check_out());
        let leaves = self.today.max(day_after(check_in)?);
        if leaves < check_out {
            let slept = StayDates::new(check_in, leaves);
            return slept.map(Some).map_err(|_| self.out_of_time(line));
        }
        // A repeat on a later day, or a room that is not named.
        if line.status == RoomStatus::Completed || !named { Ok(None) } else { Err(self.out_of_time(line)) }
    }

    /// Why no room of those that are not named can be left early, or nothing can be waived; `None` if all have been left.
    fn nothing(&self, booking: &Reservation) -> Option<ReservationError> {
        if self.waiver.is_some() {
            return Some(FieldError::new("waive", "is for nights that go back on sale; none is left").into());
        }
        let to = RoomStatus::Completed;
        let (position, line) =
            booking.placed_lines().find(|(_, line)| line.status != to && self.positions.is_empty())?;
        let not_arrived = ReservationError::IllegalRoomTransition { position, from: line.status, to };
        Some(if line.status.has_arrived() { self.out_of_time(line) } else { not_arrived })
    }

    /// The refusal of a room that has no night to give back.
    fn out_of_time(&self, line: &RoomLine) -> ReservationError {
        let (from, until) = (line.stay.check_in(), line.stay.check_out());
        ReservationError::EarlyDepartureOutOfTime { from, until, today: self.today }
    }
}

#[cfg(test)]
mod tests;
