//! Inventory: what staff put on sale, and the plans that the daily job extends it by.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::FromRow;
use staymesh_domain::{DateRange, HotelId, RoomTypeId};
use staymesh_store::{Cause, ResultExt, StoreError};

use super::{
    Store,
    audit::{HOTEL_INVENTORY, INVENTORY},
    inventory_change::{InventoryChange, inventory_etag, lock_nights, require_etags, set_nights, set_plan, span},
    inventory_version,
};
use crate::error::ReservationError;

/// What a change of inventory did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventorySet {
    /// Nights that the changes name.
    pub nights: usize,
    /// The etag of the inventory of each of the room types after the change, in ascending order of id.
    pub etags: Vec<(RoomTypeId, String)>,
}

/// The inventory of one night.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct InventoryNight {
    /// The night.
    #[sqlx(try_from = "jiff_sqlx::Date")]
    pub stay_date: Date,
    /// Rooms on sale.
    pub total_inventory: i32,
    /// Rooms sold or held.
    pub total_reserved: i32,
    /// Overbooking, 0 to 100 percent of the rooms on sale.
    pub overbooking_percent: i16,
    /// Number of changes.
    pub version: i32,
    /// Whether staff have closed it.
    pub stop_sell: bool,
    /// Rooms that are out of order.
    pub out_of_order: i32,
}

impl InventoryNight {
    /// Guests who have to be moved: rooms reserved beyond those that can be used.
    pub fn relocations_due(&self) -> i32 {
        (self.total_reserved - (self.total_inventory - self.out_of_order).max(0)).max(0)
    }
}

/// The key of an inventory plan: hotel id and room type id.
pub type PlanKey = (i32, i32);

impl Store {
    /// Sets the inventory of nights, all or nothing. A change without effect keeps the version.
    ///
    /// # Errors
    /// [`ReservationError::EtagMismatch`], and [`ReservationError::BelowReserved`] when a night would have fewer rooms than
    /// are reserved.
    pub async fn set_inventory(
        &self,
        hotel_id: HotelId,
        changes: &[InventoryChange],
    ) -> Result<InventorySet, ReservationError> {
        for change in changes {
            self.ensure_partitions(change.nights.from(), change.nights.until()).await?;
        }
        let mut transaction = self.pool.begin().await?;
        inventory_version::lock_hotel(&mut transaction, hotel_id).await?;
        let room_types: BTreeSet<_> = changes.iter().map(|change| change.room_type_id).collect();
        let versions = inventory_version::list(&mut transaction, hotel_id, &room_types).await?;
        require_etags(changes.iter().map(|change| (change.room_type_id, &*change.etag)), &versions)?;
        if let Some((from, until)) = span(changes) {
            lock_nights(&mut transaction, hotel_id, &room_types, from, until).await?;
        }
        let mut watched = Vec::new();
        for room_type_id in &room_types {
            watched.push(INVENTORY.before(&mut transaction, &format!("{hotel_id}/{room_type_id}")).await?);
        }
        let mut nights = 0;
        let mut updated = BTreeSet::new();
        for change in changes {
            nights += change.nights.dates().count();
            let mut rows = set_nights(&mut transaction, hotel_id, change).await?;
            if change.for_future_nights {
                rows += set_plan(&mut transaction, hotel_id, change).await?;
            }
            if rows > 0 {
                updated.insert(change.room_type_id);
            }
        }
        inventory_version::increment(&mut transaction, hotel_id, &updated).await?;
        let versions = inventory_version::list(&mut transaction, hotel_id, &room_types).await?;
        for watched in watched {
            watched.record(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(InventorySet {
            nights,
            etags: versions.into_iter().map(|(id, version)| (id, inventory_etag(id, version))).collect(),
        })
    }

    /// The etag of the inventory of a room type.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inventory_etag(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
    ) -> Result<String, ReservationError> {
        let mut connection = self.pool.acquire().await?;
        let version = inventory_version::get(&mut connection, hotel_id, room_type_id).await?;
        Ok(inventory_etag(room_type_id, version))
    }

    /// The inventory of up to `limit` nights after `after`, in date order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_inventory(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        nights: DateRange,
        after: Option<Date>,
        limit: i64,
    ) -> Result<Vec<InventoryNight>, ReservationError> {
        Ok(sqlx::query_as(
            "select stay_date, total_inventory, total_reserved, overbooking_percent, version, stop_sell, out_of_order
             from room_type_inventory
             where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
                 and ($5::date is null or stay_date > $5)
             order by stay_date limit $6",
        )
        .bind(hotel_id.get())
        .bind(room_type_id.get())
        .bind(nights.from().to_sqlx())
        .bind(nights.until().to_sqlx())
        .bind(after.map(ToSqlx::to_sqlx))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Takes a hotel, or one room type, off sale from `today` on.
    ///
    /// # Errors
    /// [`ReservationError::HasFutureReservations`] when the CHECK refuses it because a night is reserved.
    pub async fn retire(
        &self,
        hotel_id: HotelId,
        room_type_id: Option<RoomTypeId>,
        today: Date,
    ) -> Result<(), ReservationError> {
        let room_type = room_type_id.map(RoomTypeId::get);
        let mut transaction = self.pool.begin().await?;
        inventory_version::lock_hotel(&mut transaction, hotel_id).await?;
        let watched = match room_type {
            Some(room_type) => INVENTORY.before(&mut transaction, &format!("{hotel_id}/{room_type}")).await?,
            None => HOTEL_INVENTORY.before(&mut transaction, &hotel_id).await?,
        };
        sqlx::query(
            "with plan as (
                 delete from inventory_plan where hotel_id = $1 and ($2::integer is null or room_type_id = $2)
                 returning room_type_id
             ), night as materialized (
                 select room_type_id, stay_date from room_type_inventory
                 where hotel_id = $1 and ($2::integer is null or room_type_id = $2) and stay_date >= $3
                     and total_inventory > 0
                 order by room_type_id, stay_date for no key update
             ), closed as (
                 update room_type_inventory i set total_inventory = 0, version = version + 1
                 from night
                 where i.hotel_id = $1 and i.room_type_id = night.room_type_id and i.stay_date = night.stay_date
                     and i.stay_date >= $3
                 returning i.room_type_id
             )
             insert into inventory_version as v (hotel_id, room_type_id, version)
             select $1, room_type_id, 1 from (select room_type_id from closed union select room_type_id from plan) changed
             on conflict on constraint inventory_version_pkey do update set version = v.version + 1",
        )
        .bind(hotel_id.get())
        .bind(room_type)
        .bind(today.to_sqlx())
        .execute(&mut *transaction)
        .await
        .on_constraint("room_type_inventory_not_overbooked", |_| ReservationError::HasFutureReservations)?;
        watched.record(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Creates the partitions that nights need, outside of any other transaction: their locks must not be held.
    async fn ensure_partitions(&self, from: Date, until: Date) -> Result<(), ReservationError> {
        sqlx::query("select ensure_inventory_partitions($1, $2)")
            .bind(from.to_sqlx())
            .bind(until.to_sqlx())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Up to `limit` plans after `after`, in key order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_after(&self, after: Option<PlanKey>, limit: i64) -> Result<Vec<PlanKey>, ReservationError> {
        let (hotel_id, room_type_id) = after.unwrap_or((0, 0));
        Ok(sqlx::query_as(
            "select hotel_id, room_type_id from inventory_plan where (hotel_id, room_type_id) > ($1, $2)
             order by hotel_id, room_type_id limit $3",
        )
        .bind(hotel_id)
        .bind(room_type_id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Number of plans.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_size(&self) -> Result<u64, ReservationError> {
        let count: i64 = sqlx::query_scalar("select count(*) from inventory_plan").fetch_one(&self.pool).await?;
        row_count(count)
    }

    /// Creates the nights from `today` up to the day before `horizon` that have no inventory, for the plans after `after`
    /// up to `last`. Yields how many nights were created. Idempotent, also when run concurrently.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn extend(
        &self,
        after: Option<PlanKey>,
        last: PlanKey,
        today: Date,
        horizon: Date,
    ) -> Result<u64, ReservationError> {
        let (hotel_id, room_type_id) = after.unwrap_or((0, 0));
        self.ensure_partitions(today, horizon).await?;
        let mut transaction = self.pool.begin().await?;
        // A statement of its own, so that the next one sees the closures and the blocks that were committed before.
        sqlx::query(
            "select pg_advisory_xact_lock(hashtext('set_inventory'), hotel_id) from (
                 select distinct hotel_id from inventory_plan
                 where (hotel_id, room_type_id) > ($1, $2) and (hotel_id, room_type_id) <= ($3, $4) and next_date < $5
                 order by hotel_id
             ) due",
        )
        .bind(hotel_id)
        .bind(room_type_id)
        .bind(last.0)
        .bind(last.1)
        .bind(horizon.to_sqlx())
        .execute(&mut *transaction)
        .await?;
        let new: i64 = sqlx::query_scalar(
            "with due as materialized (
                 select * from inventory_plan
                 where (hotel_id, room_type_id) > ($1, $2) and (hotel_id, room_type_id) <= ($3, $4) and next_date < $6
                 order by hotel_id, room_type_id for no key update
             ), new as (
                 insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory, overbooking_percent,
                     stop_sell, out_of_order)
                 select hotel_id, room_type_id, night::date, total_inventory, overbooking_percent,
                     (hotel_id, room_type_id, night::date) in (select a.* from stop_sell_ahead a),
                     rooms_out_of_order(hotel_id, room_type_id, night::date)
                 from due, generate_series(greatest(next_date, $5), $6 - 1, interval '1 day') night
                 on conflict (hotel_id, room_type_id, stay_date) do nothing
                 returning 1
             ), past as (
                 delete from stop_sell_ahead a using due
                 where a.hotel_id = due.hotel_id and a.room_type_id = due.room_type_id and a.stay_date < $5
             ), moved as (
                 update inventory_plan p set next_date = $6 from due
                 where p.hotel_id = due.hotel_id and p.room_type_id = due.room_type_id
             )
             select count(*) from new",
        )
        .bind(hotel_id)
        .bind(room_type_id)
        .bind(last.0)
        .bind(last.1)
        .bind(today.to_sqlx())
        .bind(horizon.to_sqlx())
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        row_count(new)
    }
}

/// A count of rows, which is never negative.
fn row_count(rows: i64) -> Result<u64, ReservationError> {
    u64::try_from(rows)
        .map_err(|_| StoreError::Unexpected(Cause { sqlstate: None, summary: "a count is negative".into() }).into())
}
