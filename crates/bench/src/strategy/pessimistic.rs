//! The pessimistic strategy: lock the nights with SELECT ... FOR UPDATE, decide in code, then write.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use staymesh_store::ResultExt;

use super::{
    direct::Transaction,
    refusal::Refusal,
    row::{self, NewRow},
};

pub(crate) struct Pessimistic;

#[tonic::async_trait]
impl Transaction for Pessimistic {
    async fn attempt(&self, pool: &PgPool, new: &NewRow) -> Result<Option<Timestamp>, Refusal> {
        let mut transaction = pool.begin().await?;
        let rooms_left: Vec<i32> = sqlx::query_scalar(
            "select total_inventory * (100 + overbooking_percent) / 100 - total_reserved from room_type_inventory
             where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
             order by stay_date for update",
        )
        .bind(new.hotel_id())
        .bind(new.room().room_type_id.get())
        .bind(new.room().stay.check_in().to_sqlx())
        .bind(new.room().stay.check_out().to_sqlx())
        .fetch_all(&mut *transaction)
        .await?;
        if rooms_left.len() as u64 != NewRow::NIGHTS {
            return Err(Refusal::NotOnSale);
        }
        if rooms_left.iter().any(|left| *left < 1) {
            return Err(Refusal::SoldOut);
        }
        sqlx::query(
            "update room_type_inventory set total_reserved = total_reserved + $5, version = version + 1
             where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4",
        )
        .bind(new.hotel_id())
        .bind(new.room().room_type_id.get())
        .bind(new.room().stay.check_in().to_sqlx())
        .bind(new.room().stay.check_out().to_sqlx())
        .bind(1)
        .execute(&mut *transaction)
        .await
        .on_constraint(row::NOT_OVERBOOKED, row::sold_out)?;
        let Some(create_time) = new.insert(&mut transaction).await? else {
            transaction.rollback().await?;
            return new.existing(pool).await.map(Some);
        };
        transaction.commit().await?;
        Ok(Some(create_time))
    }
}
