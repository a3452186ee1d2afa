//! Rooms.

use sqlx::{PgConnection, PgPool};
use staymesh_domain::Page;

use super::{State, refused};
use crate::{
    HotelError,
    model::{Room, RoomFields},
};

macro_rules! columns {
    () => {
        "hotel_id, room_id, room_type_id, room_number, floor, version, create_time, update_time"
    };
}

/// One room that is not deleted.
pub async fn get(pool: &PgPool, hotel_id: i32, room_id: i32) -> Result<Room, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from room where hotel_id = $1 and room_id = $2 and live"))
        .bind(hotel_id)
        .bind(room_id)
        .fetch_optional(pool)
        .await?
        .ok_or(HotelError::RoomNotFound { hotel_id, room_id })
}

/// A page of a hotel's rooms, by id, and one row more when there is another page.
pub async fn list(
    pool: &PgPool,
    hotel_id: i32,
    room_type_id: Option<i32>,
    page: &Page<i32>,
) -> Result<Vec<Room>, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from room where hotel_id = $1 and live and room_id > $2 and ($3::integer is null or room_type_id = $3)",
        " order by room_id limit $4",
    );
    Ok(sqlx::query_as(sql)
        .bind(hotel_id)
        .bind(page.after.unwrap_or(0))
        .bind(room_type_id)
        .bind(page.size.limit())
        .fetch_all(pool)
        .await?)
}

/// Adds a room.
pub async fn insert(connection: &mut PgConnection, hotel_id: i32, fields: &RoomFields) -> Result<Room, HotelError> {
    let sql = concat!(
        "insert into room (room_type_id, room_number, floor, hotel_id) values ($1, $2, $3, $4) returning ",
        columns!(),
    );
    let inserted = bind(sqlx::query_as(sql), fields).bind(hotel_id).fetch_one(connection).await;
    refused(inserted, hotel_id, fields.room_type_id)
}

/// One room that is not deleted, which nobody else changes before this transaction ends.
pub async fn lock(connection: &mut PgConnection, hotel_id: i32, room_id: i32) -> Result<Room, HotelError> {
    let sql =
        concat!("select ", columns!(), " from room where hotel_id = $1 and room_id = $2 and live for no key update");
    sqlx::query_as(sql)
        .bind(hotel_id)
        .bind(room_id)
        .fetch_optional(connection)
        .await?
        .ok_or(HotelError::RoomNotFound { hotel_id, room_id })
}

/// Changes a room that is locked.
pub async fn update(connection: &mut PgConnection, room: &Room, fields: &RoomFields) -> Result<Room, HotelError> {
    let sql = concat!(
        "update room set room_type_id = $1, room_number = $2, floor = $3, version = version + 1, update_time = now()",
        " where room_id = $4 returning ",
        columns!(),
    );
    let updated = bind(sqlx::query_as(sql), fields).bind(room.room_id).fetch_one(connection).await;
    refused(updated, room.hotel_id, fields.room_type_id)
}

/// Whether a room is there, deleted or not; it then stays so until this transaction ends.
pub async fn lock_state(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_id: i32,
) -> Result<Option<State>, HotelError> {
    Ok(sqlx::query_as(
        "select live is null as deleted, version from room where hotel_id = $1 and room_id = $2 for update",
    )
    .bind(hotel_id)
    .bind(room_id)
    .fetch_optional(connection)
    .await?)
}

/// Hides a room.
pub async fn delete(connection: &mut PgConnection, room_id: i32) -> Result<(), HotelError> {
    sqlx::query("update room set delete_time = now(), version = version + 1 where room_id = $1 and live")
        .bind(room_id)
        .execute(connection)
        .await?;
    Ok(())
}

type Query<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, Room, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, fields: &'q RoomFields) -> Query<'q> {
    query.bind(fields.room_type_id).bind(&fields.room_number).bind(fields.floor)
}
