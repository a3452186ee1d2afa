//! Room types.

use sqlx::{PgConnection, PgPool, types::Json};
use staymesh_domain::Page;
use staymesh_store::ResultExt;

use super::{State, refused};
use crate::{
    HotelError,
    model::{RoomType, RoomTypeFields},
};

macro_rules! columns {
    () => {
        "hotel_id, room_type_id, display_name, description, beds, max_occupancy, amenities, photo_urls, version, \
         create_time, update_time"
    };
}

/// One room type that is not deleted.
pub async fn get(pool: &PgPool, hotel_id: i32, room_type_id: i32) -> Result<RoomType, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from room_type where hotel_id = $1 and room_type_id = $2 and live"))
        .bind(hotel_id)
        .bind(room_type_id)
        .fetch_optional(pool)
        .await?
        .ok_or(HotelError::RoomTypeNotFound { hotel_id, room_type_id })
}

/// A page of a hotel's room types, by id, and one row more when there is another page.
pub async fn list(
    pool: &PgPool,
    hotel_id: i32,
    min_occupancy: i32,
    page: &Page<i32>,
) -> Result<Vec<RoomType>, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from room_type where hotel_id = $1 and live and room_type_id > $2 and max_occupancy >= $3",
        " order by room_type_id limit $4",
    );
    Ok(sqlx::query_as(sql)
        .bind(hotel_id)
        .bind(page.after.unwrap_or(0))
        .bind(min_occupancy)
        .bind(page.size.limit())
        .fetch_all(pool)
        .await?)
}

/// Adds a room type.
pub async fn insert(
    connection: &mut PgConnection,
    hotel_id: i32,
    fields: &RoomTypeFields,
) -> Result<RoomType, HotelError> {
    let sql = concat!(
        "insert into room_type (display_name, description, beds, max_occupancy, amenities, photo_urls, hotel_id)",
        " values ($1, $2, $3, $4, $5, $6, $7) returning ",
        columns!(),
    );
    refused(bind(sqlx::query_as(sql), fields).bind(hotel_id).fetch_one(connection).await, hotel_id, None)
}

/// One room type that is not deleted, which nobody else changes before this transaction ends.
pub async fn lock(connection: &mut PgConnection, hotel_id: i32, room_type_id: i32) -> Result<RoomType, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from room_type where hotel_id = $1 and room_type_id = $2 and live for no key update",
    );
    sqlx::query_as(sql)
        .bind(hotel_id)
        .bind(room_type_id)
        .fetch_optional(connection)
        .await?
        .ok_or(HotelError::RoomTypeNotFound { hotel_id, room_type_id })
}

/// Changes a room type that is locked.
pub async fn update(
    connection: &mut PgConnection,
    room_type: &RoomType,
    fields: &RoomTypeFields,
) -> Result<RoomType, HotelError> {
    let sql = concat!(
        "update room_type set display_name = $1, description = $2, beds = $3, max_occupancy = $4, amenities = $5,",
        " photo_urls = $6, version = version + 1, update_time = now() where room_type_id = $7 returning ",
        columns!(),
    );
    let updated = bind(sqlx::query_as(sql), fields).bind(room_type.room_type_id).fetch_one(connection).await;
    refused(updated, room_type.hotel_id, None)
}

/// Whether a room type is there, deleted or not.
pub async fn state(pool: &PgPool, hotel_id: i32, room_type_id: i32) -> Result<Option<State>, HotelError> {
    Ok(sqlx::query_as(
        "select live is null as deleted, version from room_type where hotel_id = $1 and room_type_id = $2",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .fetch_optional(pool)
    .await?)
}

/// Whether a room is of this type.
pub async fn has_rooms(pool: &PgPool, hotel_id: i32, room_type_id: i32) -> Result<bool, HotelError> {
    Ok(sqlx::query_scalar("select exists (select from room where hotel_id = $1 and room_type_id = $2 and live)")
        .bind(hotel_id)
        .bind(room_type_id)
        .fetch_one(pool)
        .await?)
}

/// Hides a room type. The database refuses while a room is of this type.
pub async fn delete(pool: &PgPool, hotel_id: i32, room_type_id: i32) -> Result<(), HotelError> {
    sqlx::query(
        "update room_type set delete_time = now(), version = version + 1
         where hotel_id = $1 and room_type_id = $2 and live",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .execute(pool)
    .await
    .on_constraint("room_live_room_type_fkey", |_| HotelError::RoomTypeHasRooms)?;
    Ok(())
}

type Query<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, RoomType, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, fields: &'q RoomTypeFields) -> Query<'q> {
    query
        .bind(&fields.display_name)
        .bind(&fields.description)
        .bind(Json(&fields.beds))
        .bind(fields.max_occupancy)
        .bind(&fields.amenities)
        .bind(&fields.photo_urls)
}
