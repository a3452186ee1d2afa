//! The guests and wishes of rooms.

use serde_json::json;
use sqlx::types::Json;
use staymesh_store::audit::{self, Origin};

use super::Transaction;
use crate::{error::ReservationError, model::Reservation, room_guest::RoomGuest};

impl Transaction {
    /// Replaces the guests of the rooms of a reservation that is locked.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn set_room_guests(
        &mut self,
        booking: &Reservation,
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
        .bind(booking.id.hotel_id().get())
        .bind(booking.id.as_uuid())
        .bind(&booking.positions)
        .bind(guests.iter().map(|guest| guest.as_ref().map(Json)).collect::<Vec<_>>())
        .execute(&mut *self.0)
        .await?;
        if let Some(origin) = Origin::current() {
            // Of which rooms, and not who: audit records have no personal data.
            let rooms = booking.positions.iter().zip(booking.room_guests.iter().zip(guests));
            let changed: Vec<_> = rooms.filter(|(_, (before, after))| before != after).map(|(room, _)| room).collect();
            let (object, after) = (("reservation", &*booking.id.to_string()), json!({ "guests_of_rooms": changed }));
            audit::insert(&mut self.0, &origin, object, None, Some(&after)).await?;
        }
        Ok(())
    }
}
