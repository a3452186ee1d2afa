//! Table `room`.

use sqlx::{PgConnection, PgPool};
use staymesh_domain::{HotelId, Page, RoomId, RoomTypeId};

use super::map_constraints;
use crate::{
    error::HotelError,
    model::{Room, RoomFields, RowState},
};

macro_rules! columns {
    () => {
        "hotel_id, room_id, room_type_id, room_number, floor, version, create_time, update_time"
    };
}

/// A live room.
///
/// # Errors
/// [`HotelError::RoomNotFound`].
pub(crate) async fn get(pool: &PgPool, hotel_id: HotelId, room_id: RoomId) -> Result<Room, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from room where hotel_id = $1 and room_id = $2 and live"))
        .bind(hotel_id.get())
        .bind(room_id.get())
        .fetch_optional(pool)
        .await?
        .ok_or(HotelError::RoomNotFound { hotel_id, room_id })
}

/// A page of the live rooms of a hotel, or of one of its room types, in ascending order of id, plus one row if there is
/// a next page.
pub(crate) async fn list(
    pool: &PgPool,
    hotel_id: HotelId,
    room_type_id: Option<RoomTypeId>,
    page: &Page<RoomId>,
) -> Result<Vec<Room>, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from room where hotel_id = $1 and live and room_id > $2 and ($3::integer is null or room_type_id = $3)",
        " order by room_id limit $4",
    );
    Ok(sqlx::query_as(sql)
        .bind(hotel_id.get())
        .bind(page.after.map_or(0, RoomId::get))
        .bind(room_type_id.map(RoomTypeId::get))
        .bind(page.size.limit())
        .fetch_all(pool)
        .await?)
}

/// Inserts a room.
///
/// # Errors
/// [`HotelError::HotelNotFound`], [`HotelError::RoomTypeNotFound`] and [`HotelError::RoomNumberTaken`].
pub(crate) async fn insert(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    fields: &RoomFields,
) -> Result<Room, HotelError> {
    let sql = concat!(
        "insert into room (room_type_id, room_number, floor, hotel_id) values ($1, $2, $3, $4) returning ",
        columns!(),
    );
    let inserted = bind(sqlx::query_as(sql), fields).bind(hotel_id.get()).fetch_one(connection).await;
    map_constraints(inserted, hotel_id, fields.room_type_id)
}

/// A live room, locked against updates by others until the transaction ends.
///
/// # Errors
/// [`HotelError::RoomNotFound`].
pub(crate) async fn lock(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_id: RoomId,
) -> Result<Room, HotelError> {
    let sql =
        concat!("select ", columns!(), " from room where hotel_id = $1 and room_id = $2 and live for no key update");
    sqlx::query_as(sql)
        .bind(hotel_id.get())
        .bind(room_id.get())
        .fetch_optional(connection)
        .await?
        .ok_or(HotelError::RoomNotFound { hotel_id, room_id })
}

/// Updates a room that is locked, and returns its new version.
///
/// # Errors
/// [`HotelError::RoomTypeNotFound`] and [`HotelError::RoomNumberTaken`].
pub(crate) async fn update(
    connection: &mut PgConnection,
    room: &Room,
    fields: &RoomFields,
) -> Result<Room, HotelError> {
    let sql = concat!(
        "update room set room_type_id = $1, room_number = $2, floor = $3, version = version + 1, update_time = now()",
        " where room_id = $4 returning ",
        columns!(),
    );
    let updated = bind(sqlx::query_as(sql), fields).bind(room.id.get()).fetch_one(connection).await;
    map_constraints(updated, room.hotel_id, fields.room_type_id)
}

/// Whether a room is deleted, and its version; `None` if it never existed. The row is locked until the transaction ends.
pub(crate) async fn lock_state(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_id: RoomId,
) -> Result<Option<RowState>, HotelError> {
    Ok(sqlx::query_as(
        "select live is null as deleted, version from room where hotel_id = $1 and room_id = $2 for update",
    )
    .bind(hotel_id.get())
    .bind(room_id.get())
    .fetch_optional(connection)
    .await?)
}

/// Soft-deletes a room. Idempotent.
pub(crate) async fn delete(connection: &mut PgConnection, room_id: RoomId) -> Result<(), HotelError> {
    sqlx::query("update room set delete_time = now(), version = version + 1 where room_id = $1 and live")
        .bind(room_id.get())
        .execute(connection)
        .await?;
    Ok(())
}

type Query<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, Room, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, fields: &'q RoomFields) -> Query<'q> {
    query.bind(fields.room_type_id.get()).bind(&fields.room_number).bind(fields.floor)
}
