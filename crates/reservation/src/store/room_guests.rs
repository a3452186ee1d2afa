//! The guests and wishes of rooms.

use sqlx::types::Json;
use staymesh_domain::ReservationId;

use super::Transaction;
use crate::{error::ReservationError, room_guest::RoomGuest};

impl Transaction {
    /// Replaces the guests of the rooms at these positions of a reservation that is locked.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn set_room_guests(
        &mut self,
        id: ReservationId,
        positions: &[i32],
        guests: &[Option<RoomGuest>],
    ) -> Result<(), ReservationError> {
        sqlx::query(
            // The reservation changes with its rooms: see `change_xid`.
            "with changed as (
                 update reservation set guest_name = guest_name where hotel_id = $1 and reservation_id = $2
             )
             update reservation_room l set guest = g.guest
             from unnest($3::integer[], $4::jsonb[]) g (room_position, guest)
             where l.hotel_id = $1 and l.reservation_id = $2 and l.room_position = g.room_position",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(positions)
        .bind(guests.iter().map(|guest| guest.as_ref().map(Json)).collect::<Vec<_>>())
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }
}
