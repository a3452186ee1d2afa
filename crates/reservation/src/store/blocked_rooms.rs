//! Rooms that guests cannot use: what blocks mean for assignments.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use staymesh_domain::{HotelId, RoomId};

use super::{Assignment, NewOutOfOrder, Transaction, room_status::unexpected};
use crate::{error::ReservationError, room_status::RoomStatus};

impl Transaction {
    /// The rooms of a hotel that guests cannot use in the nights from `from` until the day before `until`, each with its dates.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn rooms_out_of_order(
        &mut self,
        hotel_id: HotelId,
        (from, until): (Date, Date),
    ) -> Result<Vec<(RoomId, Date, Date)>, ReservationError> {
        let rows: Vec<(i32, jiff_sqlx::Date, jiff_sqlx::Date)> = sqlx::query_as(
            "select room_id, from_date, coalesce(end_date, until_date) from out_of_order
             where hotel_id = $1 and until_date > $2 and from_date < $3
                 and coalesce(end_date, until_date) > greatest(from_date, $2)",
        )
        .bind(hotel_id.get())
        .bind(from.to_sqlx())
        .bind(until.to_sqlx())
        .fetch_all(&mut *self.0)
        .await?;
        let room = |(id, from, until): (i32, jiff_sqlx::Date, jiff_sqlx::Date)| {
            let id = RoomId::try_from(id).map_err(|_| unexpected("out_of_order.room_id does not fit"))?;
            Ok((id, from.to_jiff(), until.to_jiff()))
        };
        rows.into_iter().map(room).collect()
    }

    /// Requires that guests can use a room in all of the nights.
    ///
    /// # Errors
    /// [`ReservationError::RoomOutOfOrder`], and when the database fails.
    pub(crate) async fn require_in_order(
        &mut self,
        hotel_id: HotelId,
        room_id: RoomId,
        nights: (Date, Date),
    ) -> Result<(), ReservationError> {
        let blocked = self.rooms_out_of_order(hotel_id, nights).await?;
        let is_blocked = blocked.iter().any(|(id, ..)| *id == room_id);
        if is_blocked { Err(ReservationError::RoomOutOfOrder { room_id }) } else { Ok(()) }
    }

    /// Takes a room that is to be blocked away from its guests: from those who are expected for all of the nights of the
    /// assignment, from those in the house from the first night of the block on. Yields the assignments that were removed, with
    /// the nights that they lost.
    ///
    /// # Errors
    /// [`ReservationError::RoomAssigned`] if the room has guests and the block is not forced, and when the database fails.
    pub(crate) async fn vacate(
        &mut self,
        hotel_id: HotelId,
        block: &NewOutOfOrder,
    ) -> Result<Vec<Assignment>, ReservationError> {
        let (room_id, from) = (block.room_id, block.nights.from());
        let nights = (from, block.nights.until());
        self.lock_assignments(hotel_id).await?;
        let found = self.assigned_rooms(hotel_id, Some(room_id), nights).await?;
        if found.is_empty() {
            return Ok(found);
        }
        // A change or a cancellation may free some of them until their reservations are locked; none can be added.
        let ids: BTreeSet<_> = found.iter().map(|assignment| assignment.reservation_id).collect();
        let bookings = self.lock_reservations(ids.into_iter()).await?;
        let mut found = self.assigned_rooms(hotel_id, Some(room_id), nights).await?;
        if !block.force && !found.is_empty() {
            return Err(ReservationError::RoomAssigned { room_id });
        }
        for assignment in &mut found {
            let arrived = bookings.get(&assignment.reservation_id.as_uuid()).is_some_and(|booking| {
                let mut lines = booking.placed_lines();
                lines.any(|(at, line)| at == assignment.position && line.status != RoomStatus::Live)
            });
            let lost_from = if arrived { from.max(assignment.from) } else { assignment.from };
            self.remove_assignment(assignment, lost_from).await?;
            assignment.from = lost_from;
        }
        let changed: Vec<_> =
            found.iter().map(|removed| (removed.reservation_id, removed.position, None, removed.from)).collect();
        self.record_assignments(hotel_id, &changed).await?;
        Ok(found)
    }
}
