//! Prices of single nights.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool};
use staymesh_domain::{DateRange, Money, Page};

use super::stored;
use crate::RateError;

/// A page of the nights of a range that have a price of their own, by date, and one more when there is another page.
pub async fn list(
    pool: &PgPool,
    hotel_id: i32,
    room_type_id: i32,
    range: DateRange,
    page: &Page<Date>,
) -> Result<Vec<(Date, Money)>, RateError> {
    let rows: Vec<(jiff_sqlx::Date, i64, String)> = sqlx::query_as(
        "select stay_date, price_minor, currency_code from nightly_price
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
           and ($5::date is null or stay_date > $5)
         order by stay_date limit $6",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .bind(range.from().to_sqlx())
    .bind(range.until().to_sqlx())
    .bind(page.after.map(ToSqlx::to_sqlx))
    .bind(page.size.limit())
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(|(date, minor, currency)| Ok((date.to_jiff(), stored(minor, &currency)?))).collect()
}

/// Gives these nights a price of their own.
pub async fn set(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_type_id: i32,
    nights: &[Date],
    price: Money,
) -> Result<(), RateError> {
    sqlx::query(
        "insert into nightly_price (hotel_id, room_type_id, stay_date, currency_code, price_minor)
         select $1, $2, night, $4, $5 from unnest($3::date[]) as night
         on conflict on constraint nightly_price_pkey do update set price_minor = excluded.price_minor
         where nightly_price.price_minor <> excluded.price_minor",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .bind(dates(nights))
    .bind(price.currency().code())
    .bind(price.minor())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes these nights back to the base price.
pub async fn clear(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_type_id: i32,
    nights: &[Date],
) -> Result<(), RateError> {
    sqlx::query("delete from nightly_price where hotel_id = $1 and room_type_id = $2 and stay_date = any ($3)")
        .bind(hotel_id)
        .bind(room_type_id)
        .bind(dates(nights))
        .execute(connection)
        .await?;
    Ok(())
}

fn dates(nights: &[Date]) -> Vec<jiff_sqlx::Date> {
    nights.iter().map(|night| night.to_sqlx()).collect()
}
