//! When what was agreed about a reservation may change. Pure.

use jiff::Timestamp;

use crate::{
    error::{NotChangeable, ReservationError},
    model::{Reservation, Status},
    rooms_change::RoomsChange,
};

/// Requires that what was agreed about a reservation may change at `now`.
///
/// # Errors
/// [`ReservationError::NotChangeable`] and [`ReservationError::ChangePending`].
pub(crate) fn require_changeable(booking: &Reservation, now: Timestamp) -> Result<(), ReservationError> {
    let refused = |why| Err(ReservationError::NotChangeable(why));
    match booking.status {
        Status::PendingPayment => return refused(NotChangeable::Unpaid),
        Status::Paid => {}
        Status::Cancelled | Status::Refunded | Status::Rejected => return refused(NotChangeable::Ended),
    }
    if now >= booking.quote.terms.cancel_before {
        return refused(NotChangeable::StayHasBegun);
    }
    if booking.pending.is_some() { Err(ReservationError::ChangePending) } else { Ok(()) }
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
