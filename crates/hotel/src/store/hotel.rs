//! Hotels.

use sqlx::{PgConnection, PgPool};
use staymesh_domain::Page;

use super::State;
use crate::{
    HotelError,
    model::{Hotel, HotelFields},
};

macro_rules! columns {
    () => {
        "hotel_id, display_name, description, street, city, postal_code, country_code, latitude, longitude, time_zone, \
         currency_code, star_rating, amenities, photo_urls, version, create_time, update_time"
    };
}

/// Which hotels a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this city, whatever its capitals.
    pub city: Option<String>,
    /// Of this country.
    pub country_code: Option<String>,
    /// With at least so many stars.
    pub min_star_rating: i32,
}

/// One hotel that is not deleted.
pub async fn get(pool: &PgPool, hotel_id: i32) -> Result<Hotel, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from hotel where hotel_id = $1 and live"))
        .bind(hotel_id)
        .fetch_optional(pool)
        .await?
        .ok_or(HotelError::HotelNotFound(hotel_id))
}

/// Refuses hotels that are unknown or deleted.
pub async fn require(pool: &PgPool, hotel_id: i32) -> Result<(), HotelError> {
    let found: bool = sqlx::query_scalar("select exists (select from hotel where hotel_id = $1 and live)")
        .bind(hotel_id)
        .fetch_one(pool)
        .await?;
    found.then_some(()).ok_or(HotelError::HotelNotFound(hotel_id))
}

/// A page of hotels, by id, and one row more when there is another page.
pub async fn list(pool: &PgPool, filter: &Filter, page: &Page<i32>) -> Result<Vec<Hotel>, HotelError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from hotel where live and hotel_id > $1",
        " and ($2::text is null or lower(city collate \"und-x-icu\") = lower($2 collate \"und-x-icu\"))",
        " and ($3::text is null or country_code = $3)",
        " and star_rating >= $4",
        " order by hotel_id limit $5",
    );
    Ok(sqlx::query_as(sql)
        .bind(page.after.unwrap_or(0))
        .bind(&filter.city)
        .bind(&filter.country_code)
        .bind(filter.min_star_rating)
        .bind(page.size.limit())
        .fetch_all(pool)
        .await?)
}

/// Adds a hotel.
pub async fn insert(
    connection: &mut PgConnection,
    fields: &HotelFields,
    currency_code: &str,
) -> Result<Hotel, HotelError> {
    let sql = concat!(
        "insert into hotel (display_name, description, street, city, postal_code, country_code, latitude, longitude,",
        " time_zone, star_rating, amenities, photo_urls, currency_code)",
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ",
        columns!(),
    );
    Ok(bind(sqlx::query_as(sql), fields).bind(currency_code).fetch_one(connection).await?)
}

/// One hotel that is not deleted, which nobody else changes before this transaction ends.
pub async fn lock(connection: &mut PgConnection, hotel_id: i32) -> Result<Hotel, HotelError> {
    sqlx::query_as(concat!("select ", columns!(), " from hotel where hotel_id = $1 and live for no key update"))
        .bind(hotel_id)
        .fetch_optional(connection)
        .await?
        .ok_or(HotelError::HotelNotFound(hotel_id))
}

/// Changes a hotel that is locked.
pub async fn update(connection: &mut PgConnection, hotel_id: i32, fields: &HotelFields) -> Result<Hotel, HotelError> {
    let sql = concat!(
        "update hotel set display_name = $1, description = $2, street = $3, city = $4, postal_code = $5,",
        " country_code = $6, latitude = $7, longitude = $8, time_zone = $9, star_rating = $10, amenities = $11,",
        " photo_urls = $12, version = version + 1, update_time = now() where hotel_id = $13 returning ",
        columns!(),
    );
    Ok(bind(sqlx::query_as(sql), fields).bind(hotel_id).fetch_one(connection).await?)
}

/// Whether a hotel is there, deleted or not.
pub async fn state(pool: &PgPool, hotel_id: i32) -> Result<Option<State>, HotelError> {
    Ok(sqlx::query_as("select live is null as deleted, version from hotel where hotel_id = $1")
        .bind(hotel_id)
        .fetch_optional(pool)
        .await?)
}

/// Hides a hotel and all that is in it.
pub async fn delete(connection: &mut PgConnection, hotel_id: i32) -> Result<(), HotelError> {
    // Locked first, so that rooms and room types that are being added wait, and then find the hotel gone.
    sqlx::query("select from hotel where hotel_id = $1 for update").bind(hotel_id).execute(&mut *connection).await?;
    for sql in [
        "update room set delete_time = now(), version = version + 1 where hotel_id = $1 and live",
        "update room_type set delete_time = now(), version = version + 1 where hotel_id = $1 and live",
        "update hotel set delete_time = now(), version = version + 1 where hotel_id = $1 and live",
    ] {
        sqlx::query(sql).bind(hotel_id).execute(&mut *connection).await?;
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
        .bind(fields.latitude)
        .bind(fields.longitude)
        .bind(&fields.time_zone)
        .bind(fields.star_rating)
        .bind(&fields.amenities)
        .bind(&fields.photo_urls)
}
