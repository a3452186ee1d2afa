//! Rooms left per night: advice, read without a lock.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use staymesh_domain::{HotelId, RoomTypeId, StayDates};
use staymesh_store::{Cause, StoreError};

use super::{Store, nights::limit_of_sale};
use crate::{error::ReservationError, night::NightSale};

/// The inventory of a room type in one night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NightLeft {
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// The night.
    pub stay_date: Date,
    /// Rooms on sale that can be used, before overbooking.
    pub usable_rooms: i32,
    /// Rooms sold or held.
    pub total_reserved: i32,
    /// Rooms up to the limit of sale; negative when more are reserved.
    pub rooms_left: i32,
    /// Whether staff have closed the night.
    pub stop_sell: bool,
}

impl NightLeft {
    /// What can still be sold of the night.
    pub(crate) const fn sale(&self) -> NightSale {
        NightSale { rooms_left: self.rooms_left, stop_sell: self.stop_sell }
    }
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
        let rows: Vec<(i32, jiff_sqlx::Date, i32, i32, i32, bool)> = sqlx::query_as(concat!(
            "select room_type_id, stay_date, greatest(total_inventory - out_of_order, 0), total_reserved, ",
            limit_of_sale!(),
            " - total_reserved, stop_sell
             from room_type_inventory i
             where hotel_id = $1 and stay_date >= $2 and stay_date < $3
                 and (cardinality($4::integer[]) = 0 or room_type_id = any($4))
             order by room_type_id, stay_date",
        ))
        .bind(hotel_id.get())
        .bind(stay.check_in().to_sqlx())
        .bind(stay.check_out().to_sqlx())
        .bind(room_types.iter().map(|id| id.get()).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(room_type_id, date, usable_rooms, total_reserved, rooms_left, stop_sell)| {
                Ok(NightLeft {
                    room_type_id: RoomTypeId::try_from(room_type_id).map_err(|_| invalid_room_type())?,
                    stay_date: date.to_jiff(),
                    usable_rooms,
                    total_reserved,
                    rooms_left,
                    stop_sell,
                })
            })
            .collect()
    }
}

/// A CHECK of the table rules this out.
fn invalid_room_type() -> StoreError {
    StoreError::Unexpected(Cause { sqlstate: None, summary: "room_type_inventory.room_type_id is not an id".into() })
}
