//! Nights in which more rooms are reserved than can be used.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::FromRow;
use staymesh_domain::{DateRange, HotelId, RoomTypeId};

use super::{Store, inventory::InventoryNight};
use crate::error::ReservationError;

/// A night of a room type in which guests have to be moved.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RelocationsDue {
    /// The room type.
    #[sqlx(try_from = "i32")]
    pub room_type_id: RoomTypeId,
    /// Its inventory; [`InventoryNight::relocations_due`] is at least 1.
    #[sqlx(flatten)]
    pub night: InventoryNight,
}

impl Store {
    /// Up to `limit` nights with relocations due after the date and room type `after`, in the order of date and room type.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_relocations_due(
        &self,
        hotel_id: HotelId,
        nights: DateRange,
        after: Option<(Date, i32)>,
        limit: i64,
    ) -> Result<Vec<RelocationsDue>, ReservationError> {
        Ok(sqlx::query_as(
            "select room_type_id, stay_date, total_inventory, total_reserved, overbooking_percent, version, stop_sell,
                 out_of_order
             from room_type_inventory
             where hotel_id = $1 and stay_date >= $2 and stay_date < $3
                 and total_reserved > greatest(total_inventory - out_of_order, 0)
                 and ($4::date is null or (stay_date, room_type_id) > ($4, $5))
             order by stay_date, room_type_id limit $6",
        )
        .bind(hotel_id.get())
        .bind(nights.from().to_sqlx())
        .bind(nights.until().to_sqlx())
        .bind(after.map(|(date, _)| date.to_sqlx()))
        .bind(after.map(|(_, room_type)| room_type))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}
