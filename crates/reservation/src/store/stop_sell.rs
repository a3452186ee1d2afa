//! Stop-sell: nights that staff have closed.

use std::collections::{BTreeMap, BTreeSet};

use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{DateRange, HotelId, RoomTypeId};

use super::{
    Store,
    audit::INVENTORY,
    inventory::InventorySet,
    inventory_change::{inventory_etag, lock_nights, require_etags, weekday_numbers},
    inventory_version,
};
use crate::error::ReservationError;

/// Closes or reopens nights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSellChange {
    /// The room types.
    pub room_types: BTreeSet<RoomTypeId>,
    /// The nights.
    pub nights: DateRange,
    /// Whether they are closed afterwards.
    pub stop_sell: bool,
    /// The etags that the change is based on; a room type without one accepts any version.
    pub etags: BTreeMap<RoomTypeId, String>,
}

impl Store {
    /// Closes or reopens nights, all or nothing. When it returns, no booking takes rooms of a closed night any more: it
    /// locks the nights as bookings do. A change without effect keeps the versions.
    ///
    /// # Errors
    /// [`ReservationError::EtagMismatch`].
    pub async fn set_stop_sell(
        &self,
        hotel_id: HotelId,
        change: &StopSellChange,
    ) -> Result<InventorySet, ReservationError> {
        let StopSellChange { room_types, nights, etags, .. } = change;
        let mut transaction = self.pool.begin().await?;
        inventory_version::lock_hotel(&mut transaction, hotel_id).await?;
        let versions = inventory_version::list(&mut transaction, hotel_id, room_types).await?;
        require_etags(etags.iter().map(|(id, etag)| (*id, &**etag)), &versions)?;
        lock_nights(&mut transaction, hotel_id, room_types, nights.from(), nights.until()).await?;
        let mut watched = Vec::new();
        for room_type_id in room_types {
            watched.push(INVENTORY.before(&mut transaction, &format!("{hotel_id}/{room_type_id}")).await?);
        }
        let updated = set_nights(&mut transaction, hotel_id, change).await?;
        inventory_version::increment(&mut transaction, hotel_id, &updated).await?;
        let versions = inventory_version::list(&mut transaction, hotel_id, room_types).await?;
        for watched in watched {
            watched.record(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(InventorySet {
            nights: nights.dates().count() * room_types.len(),
            etags: versions.into_iter().map(|(id, version)| (id, inventory_etag(id, version))).collect(),
        })
    }
}

/// Sets the nights that have inventory, and remembers those that do not. Yields the room types of which any changed.
async fn set_nights(
    transaction: &mut PgConnection,
    hotel_id: HotelId,
    change: &StopSellChange,
) -> Result<BTreeSet<RoomTypeId>, ReservationError> {
    let updated: Vec<Updated> = sqlx::query_as(
        "with night as (
             select room_type_id, day::date as stay_date
             from unnest($2::integer[]) room_type_id, generate_series($3::date, $4::date - 1, interval '1 day') day
             where extract(isodow from day)::integer = any($5)
         ), existing as (
             update room_type_inventory i set stop_sell = $6, version = i.version + 1
             from night
             where i.hotel_id = $1 and i.room_type_id = night.room_type_id and i.stay_date = night.stay_date
                 and i.stay_date >= $3 and i.stay_date < $4 and i.stop_sell <> $6
             returning i.room_type_id
         ), closed as (
             insert into stop_sell_ahead (hotel_id, room_type_id, stay_date)
             select $1, night.room_type_id, night.stay_date from night
             where $6 and not exists (
                 select from room_type_inventory i
                 where i.hotel_id = $1 and i.room_type_id = night.room_type_id and i.stay_date = night.stay_date)
             on conflict on constraint stop_sell_ahead_pkey do nothing
             returning room_type_id
         ), reopened as (
             delete from stop_sell_ahead a using night
             where not $6 and a.hotel_id = $1 and a.room_type_id = night.room_type_id and a.stay_date = night.stay_date
             returning a.room_type_id
         )
         select room_type_id from existing union select room_type_id from closed
         union select room_type_id from reopened",
    )
    .bind(hotel_id.get())
    .bind(inventory_version::ids(&change.room_types))
    .bind(change.nights.from().to_sqlx())
    .bind(change.nights.until().to_sqlx())
    .bind(weekday_numbers(change.nights))
    .bind(change.stop_sell)
    .fetch_all(transaction)
    .await?;
    Ok(updated.into_iter().map(|row| row.room_type_id).collect())
}

#[derive(sqlx::FromRow)]
struct Updated {
    #[sqlx(try_from = "i32")]
    room_type_id: RoomTypeId,
}
