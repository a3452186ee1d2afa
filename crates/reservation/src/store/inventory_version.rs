//! Table `inventory_version`: how often staff changed the inventory of room types.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use staymesh_domain::{HotelId, RoomTypeId};

use crate::error::ReservationError;

/// Locks changes of a hotel's inventory until the end of the transaction, before any row is locked: one change at a time,
/// so that two of them cannot deadlock, and no night is created while its closure or its rooms out of order change.
pub(super) async fn lock_hotel(connection: &mut PgConnection, hotel_id: HotelId) -> Result<(), ReservationError> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('set_inventory'), $1)")
        .bind(hotel_id.get())
        .execute(connection)
        .await?;
    Ok(())
}

/// The version of the inventory of a room type; 0 before the first change.
pub(super) async fn get(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<i64, ReservationError> {
    Ok(sqlx::query_scalar(
        "select coalesce((select version from inventory_version where hotel_id = $1 and room_type_id = $2), 0)",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .fetch_one(connection)
    .await?)
}

/// The version of the inventory of each of these room types; 0 before the first change.
pub(super) async fn list(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_types: &BTreeSet<RoomTypeId>,
) -> Result<BTreeMap<RoomTypeId, i64>, ReservationError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select asked.id as room_type_id, coalesce(version, 0) as version
         from unnest($2::integer[]) as asked (id)
             left join inventory_version v on v.hotel_id = $1 and v.room_type_id = asked.id",
    )
    .bind(hotel_id.get())
    .bind(ids(room_types))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.room_type_id, row.version)).collect())
}

/// Adds one to the version of the inventory of these room types. The caller holds the lock on changes of the hotel's
/// inventory.
pub(super) async fn increment(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_types: &BTreeSet<RoomTypeId>,
) -> Result<(), ReservationError> {
    sqlx::query(
        "insert into inventory_version as v (hotel_id, room_type_id, version)
         select $1, asked.id, 1 from unnest($2::integer[]) as asked (id)
         on conflict on constraint inventory_version_pkey do update set version = v.version + 1",
    )
    .bind(hotel_id.get())
    .bind(ids(room_types))
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(try_from = "i32")]
    room_type_id: RoomTypeId,
    version: i64,
}

/// The ids as parameters of a statement.
pub(super) fn ids(room_types: &BTreeSet<RoomTypeId>) -> Vec<i32> {
    room_types.iter().map(|id| id.get()).collect()
}
