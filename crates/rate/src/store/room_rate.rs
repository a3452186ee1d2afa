//! Tables `room_rate` and `occupancy_rule`: how room types are priced.

use sqlx::{FromRow, PgConnection, PgPool, types::Json};
use staymesh_domain::{HotelId, RoomTypeId};

use super::{
    policy_record::{PolicyColumns, PolicyRecord, policy_columns},
    stored_money,
    two_numbers::TwoNumbers,
};
use crate::{
    error::RateError,
    model::{OccupancyRule, Rate, RoomRate},
};

#[derive(FromRow)]
struct Row {
    #[sqlx(try_from = "i32")]
    hotel_id: HotelId,
    #[sqlx(try_from = "i32")]
    room_type_id: RoomTypeId,
    currency_code: String,
    base_price_minor: i64,
    #[sqlx(flatten)]
    policy: PolicyColumns,
    version: i64,
}

/// The rate of a room type.
///
/// # Errors
/// [`RateError::RateNotFound`].
pub(crate) async fn get(pool: &PgPool, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomRate, RateError> {
    // One snapshot, so that the rules belong to this version of the rate.
    let mut tx = pool.begin_with("begin isolation level repeatable read read only").await?;
    let row: Option<Row> = sqlx::query_as(concat!(
        "select hotel_id, room_type_id, currency_code, base_price_minor, version, ",
        policy_columns!(),
        " from room_rate where hotel_id = $1 and room_type_id = $2",
    ))
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .fetch_optional(&mut *tx)
    .await?;
    with_rules(&mut tx, row.ok_or(RateError::RateNotFound { hotel_id, room_type_id })?).await
}

/// The rate of a room type, if it has one, locked against updates by others until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
) -> Result<Option<RoomRate>, RateError> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "select hotel_id, room_type_id, currency_code, base_price_minor, version, ",
        policy_columns!(),
        " from room_rate where hotel_id = $1 and room_type_id = $2 for no key update",
    ))
    .bind(hotel_id.get())
    .bind(room_type_id.get())
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
    .bind(row.hotel_id.get())
    .bind(row.room_type_id.get())
    .fetch_all(connection)
    .await?;
    let rules = rules
        .into_iter()
        .map(|(sold_percent, price_change_percent)| OccupancyRule { sold_percent, price_change_percent });
    let base_price = stored_money(row.base_price_minor, &row.currency_code)?;
    let policy = row.policy.policy(base_price.currency())?;
    Ok(RoomRate {
        hotel_id: row.hotel_id,
        room_type_id: row.room_type_id,
        rate: Rate { base_price, rules: rules.collect(), policy },
        version: row.version,
    })
}

/// Inserts a rate. Returns `false` if the room type has one already, which is then unchanged.
pub(crate) async fn insert_if_absent(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    rate: &Rate,
) -> Result<bool, sqlx::Error> {
    let numbers = TwoNumbers::of(&rate.policy);
    let inserted = sqlx::query(
        "insert into room_rate (hotel_id, room_type_id, currency_code, base_price_minor, free_until_hours_before,
                                late_penalty_percent, cancellation_policy, cancellation_policy_version, version)
         values ($1, $2, $3, $4, $5, $6, $7, 1, 1) on conflict on constraint room_rate_pkey do nothing",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .bind(rate.base_price.currency().code())
    .bind(rate.base_price.minor())
    .bind(numbers.free_until_hours_before)
    .bind(numbers.late_penalty_percent)
    .bind(Json(PolicyRecord::from(&rate.policy)))
    .execute(&mut *connection)
    .await?
    .rows_affected()
        == 1;
    if inserted {
        insert_rules(connection, hotel_id, room_type_id, &rate.rules).await?;
    }
    Ok(inserted)
}

/// Updates a rate that is locked, except its currency.
pub(crate) async fn update(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    rate: &Rate,
) -> Result<(), RateError> {
    let numbers = TwoNumbers::of(&rate.policy);
    sqlx::query(
        "update room_rate set base_price_minor = $3, free_until_hours_before = $4, late_penalty_percent = $5,
                              cancellation_policy = $6, cancellation_policy_version = version + 1,
                              version = version + 1, update_time = now()
         where hotel_id = $1 and room_type_id = $2",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .bind(rate.base_price.minor())
    .bind(numbers.free_until_hours_before)
    .bind(numbers.late_penalty_percent)
    .bind(Json(PolicyRecord::from(&rate.policy)))
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from occupancy_rule where hotel_id = $1 and room_type_id = $2")
        .bind(hotel_id.get())
        .bind(room_type_id.get())
        .execute(&mut *connection)
        .await?;
    Ok(insert_rules(connection, hotel_id, room_type_id, &rate.rules).await?)
}

async fn insert_rules(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    room_type_id: RoomTypeId,
    rules: &[OccupancyRule],
) -> Result<(), sqlx::Error> {
    let (sold, change): (Vec<i32>, Vec<i32>) =
        rules.iter().map(|rule| (rule.sold_percent, rule.price_change_percent)).unzip();
    sqlx::query(
        "insert into occupancy_rule (hotel_id, room_type_id, sold_percent, price_change_percent)
         select $1, $2, sold, change from unnest($3::integer[], $4::integer[]) as rule (sold, change)",
    )
    .bind(hotel_id.get())
    .bind(room_type_id.get())
    .bind(sold)
    .bind(change)
    .execute(connection)
    .await?;
    Ok(())
}
