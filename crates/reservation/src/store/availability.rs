//! Rooms left per night: advice, read without a lock.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use staymesh_domain::{HotelId, RoomTypeId, StayDates};
use staymesh_store::{Cause, StoreError};

use super::Store;
use crate::error::ReservationError;

/// The inventory of a room type in one night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NightLeft {
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// The night.
    pub stay_date: Date,
    /// Rooms on sale, before overbooking.
    pub total_inventory: i32,
    /// Rooms sold or held.
    pub total_reserved: i32,
    /// Rooms that the CHECK would still let be reserved; negative when the inventory was reduced.
    pub rooms_left: i32,
}

impl Store {
    /// The nights of a stay that have inventory, in the order of room type and date, for all room types of the hotel when
    /// `room_types` is empty.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nights_left(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        room_types: &[RoomTypeId],
    ) -> Result<Vec<NightLeft>, ReservationError> {
        let rows: Vec<(i32, jiff_sqlx::Date, i32, i32, i32)> = sqlx::query_as(
            "select room_type_id, stay_date, total_inventory, total_reserved,
                 total_inventory * (100 + overbooking_percent) / 100 - total_reserved
             from room_type_inventory
             where hotel_id = $1 and stay_date >= $2 and stay_date < $3
                 and (cardinality($4::integer[]) = 0 or room_type_id = any($4))
             order by room_type_id, stay_date",
        )
        .bind(hotel_id.get())
        .bind(stay.check_in().to_sqlx())
        .bind(stay.check_out().to_sqlx())
        .bind(room_types.iter().map(|id| id.get()).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(room_type_id, date, total_inventory, total_reserved, rooms_left)| {
                Ok(NightLeft {
                    room_type_id: RoomTypeId::try_from(room_type_id).map_err(|_| invalid_room_type())?,
                    stay_date: date.to_jiff(),
                    total_inventory,
                    total_reserved,
                    rooms_left,
                })
            })
            .collect()
    }
}

/// A CHECK of the table rules this out.
fn invalid_room_type() -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: "room_type_inventory.room_type_id is not an id".into() })
}
