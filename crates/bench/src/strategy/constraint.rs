//! The constraint strategy: insert the reservation, update its nights, and let the CHECK decide.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use staymesh_store::ResultExt;

use super::{
    direct::Transaction,
    refusal::Refusal,
    row::{self, NewRow},
};

pub(crate) struct Constraint;

#[tonic::async_trait]
impl Transaction for Constraint {
    async fn attempt(&self, pool: &PgPool, new: &NewRow) -> Result<Option<Timestamp>, Refusal> {
        let mut transaction = pool.begin().await?;
        // The insert contends with no other booking, so it comes first: the nights are locked for as short as possible.
        let Some(create_time) = new.insert(&mut transaction).await? else {
            transaction.rollback().await?;
            return new.existing(pool).await.map(Some);
        };
        // The nights of a stay are a range of the primary key and are updated in its order.
        let done = sqlx::query(
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
        if done.rows_affected() != NewRow::NIGHTS {
            return Err(Refusal::NotOnSale);
        }
        transaction.commit().await?;
        Ok(Some(create_time))
    }
}
