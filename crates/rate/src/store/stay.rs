//! Query for pricing a stay: `room_rate` with its rules and nightly prices, for several room types at once.

use std::collections::HashMap;

use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgPool};
use staymesh_domain::{HotelId, RoomTypeId, StayDates};

use super::{
    policy_record::{PolicyColumns, policy_columns},
    stored_money,
};
use crate::{
    error::RateError,
    model::{OccupancyRule, Prices, Rate},
};

#[derive(FromRow)]
struct Row {
    #[sqlx(try_from = "i32")]
    room_type_id: RoomTypeId,
    currency_code: String,
    base_price_minor: i64,
    #[sqlx(flatten)]
    policy: PolicyColumns,
    sold_percents: Vec<i32>,
    price_change_percents: Vec<i32>,
    stay_dates: Vec<jiff_sqlx::Date>,
    price_minors: Vec<i64>,
}

/// The prices of those room types that have a rate. One statement, and therefore one snapshot.
pub(crate) async fn prices(
    pool: &PgPool,
    hotel_id: HotelId,
    room_type_ids: &[RoomTypeId],
    stay: StayDates,
) -> Result<HashMap<RoomTypeId, Prices>, RateError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select room_type_id, currency_code, base_price_minor, ",
        policy_columns!(),
        ", sold_percents, price_change_percents, stay_dates, price_minors
         from room_rate
         cross join lateral (
             select coalesce(array_agg(sold_percent order by sold_percent), '{}') as sold_percents,
                    coalesce(array_agg(price_change_percent order by sold_percent), '{}') as price_change_percents
             from occupancy_rule
             where occupancy_rule.hotel_id = room_rate.hotel_id
               and occupancy_rule.room_type_id = room_rate.room_type_id
         ) as rules
         cross join lateral (
             select coalesce(array_agg(stay_date order by stay_date), '{}') as stay_dates,
                    coalesce(array_agg(price_minor order by stay_date), '{}') as price_minors
             from nightly_price
             where nightly_price.hotel_id = room_rate.hotel_id
               and nightly_price.room_type_id = room_rate.room_type_id
               and stay_date >= $3 and stay_date < $4
         ) as nights
         where hotel_id = $1 and room_type_id = any ($2)",
    ))
    .bind(hotel_id.get())
    .bind(room_type_ids.iter().map(|id| id.get()).collect::<Vec<_>>())
    .bind(stay.check_in().to_sqlx())
    .bind(stay.check_out().to_sqlx())
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(|row| Ok((row.room_type_id, row.prices()?))).collect()
}

impl Row {
    /// # Errors
    /// [`RateError::StoredAmount`] or [`RateError::StoredPolicy`].
    fn prices(self) -> Result<Prices, RateError> {
        let rules = self.sold_percents.into_iter().zip(self.price_change_percents);
        let rules =
            rules.map(|(sold_percent, price_change_percent)| OccupancyRule { sold_percent, price_change_percent });
        let nights = self.stay_dates.into_iter().zip(self.price_minors);
        let nightly = nights
            .map(|(date, minor)| Ok((date.to_jiff(), stored_money(minor, &self.currency_code)?)))
            .collect::<Result<_, RateError>>()?;
        let base_price = stored_money(self.base_price_minor, &self.currency_code)?;
        let policy = self.policy.policy(base_price.currency())?;
        Ok(Prices { rate: Rate { base_price, rules: rules.collect(), policy }, nightly })
    }
}
