//! When what was agreed about a reservation may change. Pure.

use jiff::Timestamp;

use crate::{
    error::{NotChangeable, ReservationError},
    model::{Reservation, Status},
    room_status::RoomStatus,
    rooms_change::{PlacedRoom, RoomsChange},
};

/// Requires that what was agreed about a reservation may change at `now`.
///
/// # Errors
/// [`ReservationError::NotChangeable`] and [`ReservationError::ChangePending`].
pub(crate) fn require_changeable(booking: &Reservation, now: Timestamp) -> Result<(), ReservationError> {
    let standing = require_standing(booking);
    if matches!(standing, Ok(()) | Err(ReservationError::ChangePending)) && now >= booking.quote.terms.cancel_before {
        return Err(ReservationError::NotChangeable(NotChangeable::StayHasBegun));
    }
    standing
}

/// Requires that a reservation is paid, and that no change of it waits for its payment.
///
/// # Errors
/// As [`require_changeable`].
pub(crate) fn require_standing(booking: &Reservation) -> Result<(), ReservationError> {
    match booking.status {
        Status::PendingPayment => Err(ReservationError::NotChangeable(NotChangeable::Unpaid)),
        Status::Paid if booking.pending.is_some() => Err(ReservationError::ChangePending),
        Status::Paid => Ok(()),
        Status::Cancelled | Status::Refunded | Status::Rejected => {
            Err(ReservationError::NotChangeable(NotChangeable::Ended))
        }
    }
}

/// Requires that a change is possible at `now`: any before the stay begins, if it touches no room whose guests have arrived;
/// afterwards one of stays in the house.
///
/// # Errors
/// As [`require_changeable`] and [`require_rooms_not_arrived`].
pub(crate) fn require_possible(
    booking: &Reservation,
    change: &RoomsChange,
    now: Timestamp,
) -> Result<(), ReservationError> {
    if is_of_stays_in_house(booking, change) {
        return require_standing(booking);
    }
    require_changeable(booking, now)?;
    require_rooms_not_arrived(booking, change)
}

/// Whether a change touches only rooms whose guests are in the house, and gives each a later check-out date, or an earlier one
/// on which its guests move to a room that is added for their other nights.
pub(crate) fn is_of_stays_in_house(booking: &Reservation, change: &RoomsChange) -> bool {
    let (mut extended, mut left, mut entered) = (0, Vec::new(), Vec::new());
    for PlacedRoom { position, line } in &change.rooms {
        match booking.placed_lines().find(|(known, _)| known == position) {
            None => entered.push((line.stay.check_in(), &line.party)),
            Some((_, before)) => {
                let same = (before.room_type_id, before.stay.check_in(), &before.party)
                    == (line.room_type_id, line.stay.check_in(), &line.party);
                if !same || before.status != RoomStatus::InHouse || before.stay == line.stay {
                    return false;
                }
                if before.stay.check_out() < line.stay.check_out() {
                    extended += 1;
                } else {
                    left.push((line.stay.check_out(), &line.party));
                }
            }
        }
    }
    let dropped = booking.positions.len() != change.kept.len() + extended + left.len();
    !change.rooms.is_empty() && !dropped && left == entered
}

/// Whether the change that waits for its payment is no longer possible once the guests of these rooms have arrived.
pub(crate) fn arrival_ends_change(booking: &Reservation, arrived: &[i32]) -> bool {
    let Some(pending) = &booking.pending else { return false };
    let mut after = booking.clone();
    for (position, line) in after.positions.iter().zip(&mut after.lines) {
        if arrived.contains(position) {
            line.status = RoomStatus::InHouse;
        }
    }
    require_rooms_not_arrived(&after, &pending.change).is_err() && !is_of_stays_in_house(&after, &pending.change)
}

/// Requires that a change touches no room whose guests have arrived.
///
/// # Errors
/// [`ReservationError::CheckedIn`].
pub(crate) fn require_rooms_not_arrived(booking: &Reservation, change: &RoomsChange) -> Result<(), ReservationError> {
    let mut rooms = booking.placed_lines();
    let touched = rooms.any(|(position, line)| line.status.has_arrived() && !change.kept.contains(&position));
    if touched { Err(ReservationError::CheckedIn) } else { Ok(()) }
}
