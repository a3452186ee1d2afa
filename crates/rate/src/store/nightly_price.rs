//! Table `nightly_price`: prices of single nights that replace the base price.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgExecutor, PgPool};
use staymesh_domain::{DateRange, HotelId, Money, Page, RoomTypeId};

use super::stored_money;
use crate::error::RateError;

/// A page of the nightly prices in `range`, in ascending order of date, plus one row if there is a next page.
pub(crate) async fn list(
    pool: &PgPool,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    range: DateRange,
    page: &Page<Date>,
) -> Result<Vec<(Date, Money)>, RateError> {
    let rows: Vec<(jiff_sqlx::Date, i64, String)> = sqlx::query_as(
        "select stay_date, price_minor, currency_code from nightly_price
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
           and ($5::date is null or stay_date > $5)
         order by stay_date limit $6",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .bind(range.from().to_sqlx())
    .bind(range.until().to_sqlx())
    .bind(page.after.map(ToSqlx::to_sqlx))
    .bind(page.size.limit())
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(|(date, minor, currency)| Ok((date.to_jiff(), stored_money(minor, &currency)?))).collect()
}

/// Sets the nightly price of these nights. Yields how many changed. The currency must be that of the room rate
/// (`nightly_price_room_rate_fkey`).
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    nights: &[Date],
    price: Money,
) -> Result<u64, RateError> {
    let done = sqlx::query(
        "insert into nightly_price (hotel_id, room_type_id, stay_date, currency_code, price_minor)
         select $1, $2, night, $4, $5 from unnest($3::date[]) as night
         on conflict on constraint nightly_price_pkey do update set price_minor = excluded.price_minor
         where nightly_price.price_minor <> excluded.price_minor",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .bind(dates(nights))
    .bind(price.currency().code())
    .bind(price.minor())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes the nightly prices of these nights. Yields how many there were.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    nights: &[Date],
) -> Result<u64, RateError> {
    let done =
        sqlx::query("delete from nightly_price where hotel_id = $1 and room_type_id = $2 and stay_date = any ($3)")
            .bind(hotel_id.get())
            .bind(room_type_id.get())
            .bind(dates(nights))
            .execute(connection)
            .await?;
    Ok(done.rows_affected())
}

/// The version of the nightly prices of a room type, 0 before the first; `None` for a room type without a rate.
pub(crate) async fn version(
    executor: impl PgExecutor<'_>,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<Option<i64>, RateError> {
    let version = sqlx::query_scalar(
        "select coalesce((
                 select version from nightly_price_version v
                 where v.hotel_id = r.hotel_id and v.room_type_id = r.room_type_id
             ), 0)
         from room_rate r where hotel_id = $1 and room_type_id = $2",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .fetch_optional(executor)
    .await?;
    Ok(version)
}

/// Adds one to the version of the nightly prices, whose rate is locked, and yields it.
pub(crate) async fn next_version(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<i64, RateError> {
    let version = sqlx::query_scalar(
        "insert into nightly_price_version as v (hotel_id, room_type_id, version) values ($1, $2, 1)
         on conflict on constraint nightly_price_version_pkey do update set version = v.version + 1
         returning version",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .fetch_one(connection)
    .await?;
    Ok(version)
}

fn dates(nights: &[Date]) -> Vec<jiff_sqlx::Date> {
    nights.iter().map(|night| night.to_sqlx()).collect()
}
