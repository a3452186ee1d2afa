//! The front desk: arrivals and departures.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, ReservationId};
use staymesh_mesh::Caller;

use super::{BookingService, etag};
use crate::{
    error::ReservationError,
    model::Reservation,
    room_step::{RoomStep, changed_rooms},
    store::{DeskList, DeskPosition, DeskRoom, Store},
};

impl BookingService {
    /// The date of the hotel's business day.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, or that the hotel service is unavailable.
    pub(crate) async fn hotel_today(&self, hotel_id: HotelId, now: Timestamp) -> Result<Date, ReservationError> {
        Ok(self.hotels.hotel_time(hotel_id).await?.today(now)?)
    }

    /// Up to `limit` rooms of a list of a date after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn desk_rooms(
        &self,
        list: DeskList,
        hotel_id: HotelId,
        date: Date,
        after: Option<DeskPosition>,
        limit: i64,
    ) -> Result<Vec<DeskRoom>, ReservationError> {
        self.store.desk_rooms(list, hotel_id, date, after, limit).await
    }

    /// Checks rooms in or out, by their positions; all for which it is possible if there are none. Idempotent. If an etag is
    /// given, a step that changes something is of the reservation that has it.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also for staff of other hotels, [`ReservationError::ReservationChanged`], and as
    /// [`changed_rooms`].
    pub(crate) async fn step_rooms(
        &self,
        caller: &Caller,
        id: ReservationId,
        step: RoomStep,
        (positions, etag): (&[i32], &str),
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let today = self.hotel_today(id.hotel_id(), now).await?;
        let changed = step_rooms_of(&self.store, id, step, (positions, etag), today, &caller.subject).await?;
        if changed > 0 {
            tracing::info!(reservation_id = %id, step = ?step, rooms = changed, by = caller.subject, "rooms changed at the desk");
        }
        self.find(id).await
    }
}

/// [`step_rooms_of`] whatever has changed since it was read.
#[cfg(test)]
pub(crate) async fn step_rooms(
    store: &Store,
    id: ReservationId,
    step: RoomStep,
    positions: &[i32],
    today: Date,
    actor: &str,
) -> Result<usize, ReservationError> {
    step_rooms_of(store, id, step, (positions, ""), today, actor).await
}

/// Checks rooms in or out on date `today` of the hotel, in one transaction. The lock of the reservation orders it with
/// cancellations and no-shows. Yields the number of rooms that changed.
///
/// # Errors
/// As [`changed_rooms`], [`ReservationError::ReservationChanged`] unless the reservation has the etag, if one is given, and when
/// the database fails.
pub(crate) async fn step_rooms_of(
    store: &Store,
    id: ReservationId,
    step: RoomStep,
    (positions, read): (&[i32], &str),
    today: Date,
    actor: &str,
) -> Result<usize, ReservationError> {
    let mut transaction = store.begin().await?;
    let mut locked = transaction.lock_reservations(std::iter::once(id)).await?;
    let booking = locked.remove(&id.as_uuid()).ok_or(ReservationError::NotFound)?;
    let arrivals = transaction.arrivals(id).await?;
    let changed = changed_rooms(&booking, step, positions, today, &arrivals)?;
    if changed.is_empty() {
        return Ok(0);
    }
    if !read.is_empty() && read != etag(&booking)? {
        return Err(ReservationError::ReservationChanged);
    }
    let (_, status) = step.statuses();
    transaction.set_room_status(&booking, &changed, status, today, actor).await?;
    transaction.commit().await?;
    Ok(changed.len())
}
