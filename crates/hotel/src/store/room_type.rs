//! Table `room_type`.

use sqlx::{PgConnection, PgExecutor, PgPool, types::Json};
use staymesh_domain::{HotelId, Page, RoomTypeId};
use staymesh_store::ResultExt;

use super::map_constraints;
use crate::{
    error::HotelError,
    model::{RoomType, RoomTypeFields, RowState},
};

// Room types that the release before has written have neither base_occupancy nor max_adults; see migration 0008.
macro_rules! columns {
    () => {
        "hotel_id, room_type_id, display_name, description, beds, \
         coalesce(base_occupancy, max_adults, max_occupancy) as base_occupancy, max_occupancy, \
         coalesce(max_adults, max_occupancy) as max_adults, max_children, max_infants, max_extra_beds, \
         amenities, photo_urls, version, create_time, update_time"
    };
}

/// A live room type.
///
/// # Errors
/// [`HotelError::RoomTypeNotFound`].
pub(crate) async fn get(pool: &PgPool, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomType, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from room_type where hotel_id = $1 and room_type_id = $2 and live"))
        .bind(hotel_id.get())
        .bind(room_type_id.get())
        .fetch_optional(pool)
        .await?
        .ok_or(HotelError::RoomTypeNotFound { hotel_id, room_type_id })
}

/// A page of the live room types of a hotel that sleep at least `min_occupancy` guests, in ascending order of id, plus
/// one row if there is a next page.
pub(crate) async fn list(
    pool: &PgPool,
    hotel_id: HotelId,
    min_occupancy: i32,
    page: &Page<RoomTypeId>,
) -> Result<Vec<RoomType>, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from room_type where hotel_id = $1 and live and room_type_id > $2 and max_occupancy >= $3",
        " order by room_type_id limit $4",
    );
    Ok(sqlx::query_as(sql)
        .bind(hotel_id.get())
        .bind(page.after.map_or(0, RoomTypeId::get))
        .bind(min_occupancy)
        .bind(page.size.limit())
        .fetch_all(pool)
        .await?)
}

/// Inserts a room type.
///
/// # Errors
/// [`HotelError::HotelNotFound`] and [`HotelError::RoomTypeNameTaken`].
pub(crate) async fn insert(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    fields: &RoomTypeFields,
) -> Result<RoomType, HotelError> {
    let sql = concat!(
        "insert into room_type (display_name, description, beds, base_occupancy, max_occupancy, max_adults,",
        " max_children, max_infants, max_extra_beds, amenities, photo_urls, hotel_id)",
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning ",
        columns!(),
    );
    map_constraints(bind(sqlx::query_as(sql), fields).bind(hotel_id.get()).fetch_one(connection).await, hotel_id, None)
}

/// A live room type, locked against updates by others until the transaction ends.
///
/// # Errors
/// [`HotelError::RoomTypeNotFound`].
pub(crate) async fn lock(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<RoomType, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from room_type where hotel_id = $1 and room_type_id = $2 and live for no key update",
    );
    sqlx::query_as(sql)
        .bind(hotel_id.get())
        .bind(room_type_id.get())
        .fetch_optional(connection)
        .await?
        .ok_or(HotelError::RoomTypeNotFound { hotel_id, room_type_id })
}

/// Updates a room type that is locked, and returns its new version.
///
/// # Errors
/// [`HotelError::RoomTypeNameTaken`].
pub(crate) async fn update(
    connection: &mut PgConnection,
    room_type: &RoomType,
    fields: &RoomTypeFields,
) -> Result<RoomType, HotelError> {
    let sql = concat!(
        "update room_type set display_name = $1, description = $2, beds = $3, base_occupancy = $4, max_occupancy = $5,",
        " max_adults = $6, max_children = $7, max_infants = $8, max_extra_beds = $9, amenities = $10,",
        " photo_urls = $11, version = version + 1, update_time = now() where room_type_id = $12 returning ",
        columns!(),
    );
    let updated = bind(sqlx::query_as(sql), fields).bind(room_type.id.get()).fetch_one(connection).await;
    map_constraints(updated, room_type.hotel_id, None)
}

/// Whether a room type is deleted, and its version; `None` if it never existed.
pub(crate) async fn state(
    pool: &PgPool,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<Option<RowState>, HotelError> {
    Ok(sqlx::query_as(
        "select live is null as deleted, version from room_type where hotel_id = $1 and room_type_id = $2",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .fetch_optional(pool)
    .await?)
}

/// Whether live rooms belong to a room type.
pub(crate) async fn has_rooms(pool: &PgPool, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<bool, HotelError> {
    Ok(sqlx::query_scalar("select exists (select from room where hotel_id = $1 and room_type_id = $2 and live)")
        .bind(hotel_id.get())
        .bind(room_type_id.get())
        .fetch_one(pool)
        .await?)
}

/// Soft-deletes a room type. Idempotent.
///
/// # Errors
/// [`HotelError::RoomTypeHasRooms`] while live rooms belong to it.
pub(crate) async fn delete(
    executor: impl PgExecutor<'_>,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<(), HotelError> {
    sqlx::query(
        "update room_type set delete_time = now(), version = version + 1
         where hotel_id = $1 and room_type_id = $2 and live",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .execute(executor)
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
        .bind(fields.base_occupancy)
        .bind(fields.max_occupancy)
        .bind(fields.max_adults)
        .bind(fields.max_children)
        .bind(fields.max_infants)
        .bind(fields.max_extra_beds)
        .bind(&fields.amenities)
        .bind(&fields.photo_urls)
}
