//! Soft changes: the guests and wishes of rooms. They cost nothing and make no revision.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use staymesh_domain::{FieldError, FieldErrors, ReservationId};
use staymesh_mesh::{Caller, Problem};

use super::BookingService;
use crate::{
    error::ReservationError,
    model::Reservation,
    room_guest::{RoomGuest, hash_of},
    room_line::RoomLine,
};

/// Guests of rooms to be stored, and the etag of the reservation that they were read with, if any.
pub(crate) struct RoomGuestsUpdate {
    pub(crate) guests: Vec<Option<RoomGuest>>,
    pub(crate) etag: String,
}

impl BookingService {
    /// Replaces the guests of all rooms of a reservation of the caller. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::Field`] as [`one_for_each`],
    /// [`ReservationError::ReservationChanged`] with another etag, [`ReservationError::StayHasBegun`], and
    /// [`ReservationError::Ended`] when the rooms are released.
    pub(crate) async fn update_room_guests(
        &self,
        caller: &Caller,
        id: ReservationId,
        update: RoomGuestsUpdate,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let mut transaction = self.store.begin().await?;
        transaction.lock_reservations([id].into_iter()).await?;
        // The rooms are not locked: a change that held the lock before is visible to a second statement only.
        let mut locked = transaction.lock_reservations([id].into_iter()).await?;
        let booking = locked.remove(&id.as_uuid()).ok_or(ReservationError::NotFound)?;
        let guests = one_for_each(&booking.lines, update.guests)?;
        if booking.room_guests == guests {
            return Ok(booking);
        }
        if !booking.status.holds_rooms() {
            return Err(ReservationError::Ended { status: booking.status });
        }
        if now >= booking.quote.terms.cancel_before {
            return Err(ReservationError::StayHasBegun);
        }
        if !update.etag.is_empty() && update.etag != etag(&booking)? {
            return Err(ReservationError::ReservationChanged);
        }
        transaction.set_room_guests(&booking, &guests).await?;
        transaction.commit().await?;
        Ok(Reservation { room_guests: guests, ..booking })
    }
}

/// The guests of these rooms.
///
/// # Errors
/// A violation of `room_guests` unless there is one for each room, and of each late arrival in no night of its room.
pub(super) fn one_for_each(
    lines: &[RoomLine],
    guests: Vec<Option<RoomGuest>>,
) -> Result<Vec<Option<RoomGuest>>, ReservationError> {
    if guests.len() != lines.len() {
        let text = format!("must be one for each of the {} rooms", lines.len());
        return Err(FieldError::new("room_guests", text).into());
    }
    let mut errors = FieldErrors::default();
    for (at, (line, guest)) in lines.iter().zip(&guests).enumerate() {
        let late = guest.as_ref().and_then(|guest| guest.late_arrival_until);
        let fits = late.is_none_or(|date| line.stay.check_in() <= date && date < line.stay.check_out());
        errors.holds(fits, format!("room_guests[{at}].late_arrival_until"), "must be a night of the room");
    }
    errors.into_result().map_err(Problem::from)?;
    Ok(guests)
}

/// The etag of a reservation: new with every change that callers see. A status that comes back, of a room that is checked in,
/// out of it, and in again, comes with another time.
///
/// # Errors
/// When a guest cannot be serialized, which is a defect.
pub(crate) fn etag(booking: &Reservation) -> Result<String, ReservationError> {
    let mut hash = Sha256::new();
    hash.update(booking.update_time.as_microsecond().to_be_bytes());
    hash.update(booking.hold_expire_time.map_or(0, Timestamp::as_microsecond).to_be_bytes());
    hash.update(booking.pending.as_ref().map_or(0, |pending| pending.revision).to_be_bytes());
    hash.update(booking.payment_mode.as_str());
    let guests = hash_of(&booking.room_guests).map_err(|error| Problem::internal(&error))?;
    hash.update(guests.unwrap_or_default());
    let said: Vec<_> = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}.{}-{}", booking.version, booking.revision, said.concat()))
}

#[cfg(test)]
mod tests;
