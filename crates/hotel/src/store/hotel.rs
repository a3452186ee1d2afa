//! Table `hotel`.

use sqlx::{PgConnection, PgPool, types::Json};
use staymesh_domain::{Currency, HotelId, Page};

use crate::{
    error::HotelError,
    model::{Hotel, HotelFields, HotelFilter, RowState},
};

macro_rules! columns {
    () => {
        "hotel_id, display_name, description, street, city, postal_code, country_code, latitude, longitude, time_zone, \
         check_in_time, day_rollover, currency_code, star_rating, amenities, photo_urls, age_bands, min_child_age, \
         room_required_at_check_in, version, create_time, update_time"
    };
}

/// A live hotel.
///
/// # Errors
/// [`HotelError::HotelNotFound`].
pub(crate) async fn get(pool: &PgPool, hotel_id: HotelId) -> Result<Hotel, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from hotel where hotel_id = $1 and live"))
        .bind(hotel_id.get())
        .fetch_optional(pool)
        .await?
        .ok_or(HotelError::HotelNotFound(hotel_id))
}

/// Checks that a hotel is live.
///
/// # Errors
/// [`HotelError::HotelNotFound`].
pub(crate) async fn require(pool: &PgPool, hotel_id: HotelId) -> Result<(), HotelError> {
    let found: bool = sqlx::query_scalar("select exists (select from hotel where hotel_id = $1 and live)")
        .bind(hotel_id.get())
        .fetch_one(pool)
        .await?;
    found.then_some(()).ok_or(HotelError::HotelNotFound(hotel_id))
}

/// A page of live hotels in ascending order of id, plus one row if there is a next page.
pub(crate) async fn list(pool: &PgPool, filter: &HotelFilter, page: &Page<HotelId>) -> Result<Vec<Hotel>, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from hotel where live and hotel_id > $1",
        " and ($2::text is null or text_key(city) = text_key($2))",
        " and ($3::text is null or country_code = $3)",
        " and star_rating >= $4",
        " order by hotel_id limit $5",
    );
    Ok(sqlx::query_as(sql)
        .bind(page.after.map_or(0, HotelId::get))
        .bind(&filter.city)
        .bind(&filter.country_code)
        .bind(filter.min_star_rating)
        .bind(page.size.limit())
        .fetch_all(pool)
        .await?)
}

/// Inserts a hotel.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    fields: &HotelFields,
    currency: Currency,
) -> Result<Hotel, HotelError> {
    let sql = concat!(
        "insert into hotel (display_name, description, street, city, postal_code, country_code, latitude, longitude,",
        " time_zone, check_in_time, day_rollover, star_rating, amenities, photo_urls, age_bands, min_child_age,",
        " room_required_at_check_in, currency_code)",
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) returning ",
        columns!(),
    );
    Ok(bind(sqlx::query_as(sql), fields).bind(currency.code()).fetch_one(connection).await?)
}

/// A live hotel, locked against updates by others until the transaction ends.
///
/// # Errors
/// [`HotelError::HotelNotFound`].
pub(crate) async fn lock(connection: &mut PgConnection, hotel_id: HotelId) -> Result<Hotel, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from hotel where hotel_id = $1 and live for no key update"))
        .bind(hotel_id.get())
        .fetch_optional(connection)
        .await?
        .ok_or(HotelError::HotelNotFound(hotel_id))
}

/// Updates a hotel that is locked, and returns its new version.
pub(crate) async fn update(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    fields: &HotelFields,
) -> Result<Hotel, HotelError> {
    let sql = concat!(
        "update hotel set display_name = $1, description = $2, street = $3, city = $4, postal_code = $5,",
        " country_code = $6, latitude = $7, longitude = $8, time_zone = $9, check_in_time = $10,",
        " day_rollover = $11, star_rating = $12, amenities = $13, photo_urls = $14, age_bands = $15,",
        " min_child_age = $16, room_required_at_check_in = $17, version = version + 1, update_time = now()",
        " where hotel_id = $18 returning ",
        columns!(),
    );
    Ok(bind(sqlx::query_as(sql), fields).bind(hotel_id.get()).fetch_one(connection).await?)
}

/// Whether a hotel is deleted, and its version; `None` if it never existed.
pub(crate) async fn state(pool: &PgPool, hotel_id: HotelId) -> Result<Option<RowState>, HotelError> {
    Ok(sqlx::query_as("select live is null as deleted, version from hotel where hotel_id = $1")
        .bind(hotel_id.get())
        .fetch_optional(pool)
        .await?)
}

/// Soft-deletes a hotel with its room types and rooms. Idempotent.
pub(crate) async fn delete(connection: &mut PgConnection, hotel_id: HotelId) -> Result<(), HotelError> {
    // The row lock comes first: concurrent inserts of rooms and room types wait for it on their foreign key, and then
    // fail with HOTEL_NOT_FOUND.
    sqlx::query("select from hotel where hotel_id = $1 for update")
        .bind(hotel_id.get())
        .execute(&mut *connection)
        .await?;
    for sql in [
        "update room set delete_time = now(), version = version + 1 where hotel_id = $1 and live",
        "update room_type set delete_time = now(), version = version + 1 where hotel_id = $1 and live",
        "update hotel set delete_time = now(), version = version + 1 where hotel_id = $1 and live",
    ] {
        sqlx::query(sql).bind(hotel_id.get()).execute(&mut *connection).await?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, Hotel, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, fields: &'q HotelFields) -> Query<'q> {
    query
        .bind(&fields.display_name)
        .bind(&fields.description)
        .bind(&fields.street)
        .bind(&fields.city)
        .bind(&fields.postal_code)
        .bind(&fields.country_code)
        .bind(fields.location.latitude)
        .bind(fields.location.longitude)
        .bind(&fields.time_zone)
        .bind(&fields.check_in_time)
        .bind(&fields.day_rollover)
        .bind(fields.star_rating)
        .bind(&fields.amenities)
        .bind(&fields.photo_urls)
        .bind(Json(&fields.age_bands))
        .bind(fields.min_child_age)
        .bind(fields.room_required_at_check_in)
}
