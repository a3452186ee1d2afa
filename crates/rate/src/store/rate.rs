//! How room types are priced.

use sqlx::{FromRow, PgConnection, PgPool};

use super::stored;
use crate::{
    RateError,
    pricing::{CancellationPolicy, OccupancyRule, Rate},
};

/// A rate, and which of its states it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRate {
    /// The hotel.
    pub hotel_id: i32,
    /// The room type.
    pub room_type_id: i32,
    /// The rate.
    pub rate: Rate,
    /// Counts the changes.
    pub version: i64,
}

impl RoomRate {
    /// See `RoomRate.etag` of the contract.
    pub fn etag(&self) -> String {
        format!("{:x}-{:x}", self.room_type_id, self.version)
    }
}

#[derive(FromRow)]
struct Row {
    hotel_id: i32,
    room_type_id: i32,
    currency_code: String,
    base_price_minor: i64,
    free_until_hours_before: i32,
    late_penalty_percent: i32,
    version: i64,
}

/// The rate of a room type.
pub async fn get(pool: &PgPool, hotel_id: i32, room_type_id: i32) -> Result<RoomRate, RateError> {
    // One transaction at one point in time, so that the rules are those of the rate.
    let mut tx = pool.begin_with("begin isolation level repeatable read read only").await?;
    let row: Option<Row> = sqlx::query_as(
        "select hotel_id, room_type_id, currency_code, base_price_minor, free_until_hours_before,
                late_penalty_percent, version
         from room_rate where hotel_id = $1 and room_type_id = $2",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .fetch_optional(&mut *tx)
    .await?;
    with_rules(&mut tx, row.ok_or(RateError::RateNotFound { hotel_id, room_type_id })?).await
}

/// The rate of a room type, if it has one; nobody else changes it before this transaction ends.
pub async fn lock(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_type_id: i32,
) -> Result<Option<RoomRate>, RateError> {
    let row: Option<Row> = sqlx::query_as(
        "select hotel_id, room_type_id, currency_code, base_price_minor, free_until_hours_before,
                late_penalty_percent, version
         from room_rate where hotel_id = $1 and room_type_id = $2 for no key update",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .fetch_optional(&mut *connection)
    .await?;
    match row {
        Some(row) => with_rules(connection, row).await.map(Some),
        None => Ok(None),
    }
}

async fn with_rules(connection: &mut PgConnection, row: Row) -> Result<RoomRate, RateError> {
    let rules: Vec<(i32, i32)> = sqlx::query_as(
        "select sold_percent, price_change_percent from occupancy_rule
         where hotel_id = $1 and room_type_id = $2 order by sold_percent",
    )
    .bind(row.hotel_id)
    .bind(row.room_type_id)
    .fetch_all(connection)
    .await?;
    let rules = rules
        .into_iter()
        .map(|(sold_percent, price_change_percent)| OccupancyRule { sold_percent, price_change_percent });
    let policy = CancellationPolicy {
        free_until_hours_before: row.free_until_hours_before,
        late_penalty_percent: row.late_penalty_percent,
    };
    let base_price = stored(row.base_price_minor, &row.currency_code)?;
    Ok(RoomRate {
        hotel_id: row.hotel_id,
        room_type_id: row.room_type_id,
        rate: Rate { base_price, rules: rules.collect(), policy },
        version: row.version,
    })
}

/// Adds a rate. Tells whether it did: somebody else may have been quicker.
pub async fn insert(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_type_id: i32,
    rate: &Rate,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into room_rate (hotel_id, room_type_id, currency_code, base_price_minor, free_until_hours_before,
                                late_penalty_percent)
         values ($1, $2, $3, $4, $5, $6) on conflict on constraint room_rate_pkey do nothing",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .bind(rate.base_price.currency().code())
    .bind(rate.base_price.minor())
    .bind(rate.policy.free_until_hours_before)
    .bind(rate.policy.late_penalty_percent)
    .execute(&mut *connection)
    .await?
    .rows_affected()
        == 1;
    if inserted {
        insert_rules(connection, hotel_id, room_type_id, &rate.rules).await?;
    }
    Ok(inserted)
}

/// Changes a rate that is locked. It keeps its currency.
pub async fn update(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_type_id: i32,
    rate: &Rate,
) -> Result<(), RateError> {
    sqlx::query(
        "update room_rate set base_price_minor = $3, free_until_hours_before = $4, late_penalty_percent = $5,
                              version = version + 1, update_time = now()
         where hotel_id = $1 and room_type_id = $2",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .bind(rate.base_price.minor())
    .bind(rate.policy.free_until_hours_before)
    .bind(rate.policy.late_penalty_percent)
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from occupancy_rule where hotel_id = $1 and room_type_id = $2")
        .bind(hotel_id)
        .bind(room_type_id)
        .execute(&mut *connection)
        .await?;
    Ok(insert_rules(connection, hotel_id, room_type_id, &rate.rules).await?)
}

async fn insert_rules(
    connection: &mut PgConnection,
    hotel_id: i32,
    room_type_id: i32,
    rules: &[OccupancyRule],
) -> Result<(), sqlx::Error> {
    let (sold, change): (Vec<i32>, Vec<i32>) =
        rules.iter().map(|rule| (rule.sold_percent, rule.price_change_percent)).unzip();
    sqlx::query(
        "insert into occupancy_rule (hotel_id, room_type_id, sold_percent, price_change_percent)
         select $1, $2, sold, change from unnest($3::integer[], $4::integer[]) as rule (sold, change)",
    )
    .bind(hotel_id)
    .bind(room_type_id)
    .bind(sold)
    .bind(change)
    .execute(connection)
    .await?;
    Ok(())
}
