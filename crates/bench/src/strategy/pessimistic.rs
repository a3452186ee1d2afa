//! Lock, look, write: SELECT ... FOR UPDATE of the nights, the decision in code.

use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use staymesh_reservation::{Created, NewReservation, ReservationError};
use staymesh_store::ResultExt;

use super::{OneByOne, row};

pub(crate) struct Pessimistic;

#[tonic::async_trait]
impl OneByOne for Pessimistic {
    async fn attempt(&self, pool: &PgPool, order: &NewReservation) -> Result<Option<Created>, ReservationError> {
        let mut transaction = pool.begin().await?;
        let left: Vec<i32> = sqlx::query_scalar(
            "select total_inventory * (100 + overbooking_percent) / 100 - total_reserved from room_type_inventory
             where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
             order by stay_date for update",
        )
        .bind(order.id.hotel_id().get())
        .bind(order.room_type_id.get())
        .bind(order.stay.check_in().to_sqlx())
        .bind(order.stay.check_out().to_sqlx())
        .fetch_all(&mut *transaction)
        .await?;
        if left.len() != row::nights(order) {
            return Err(ReservationError::NotOnSale);
        }
        if left.iter().any(|left| *left < order.rooms.get()) {
            return Err(ReservationError::SoldOut { stay_date: None, hold_expire_time: None });
        }
        sqlx::query(
            "update room_type_inventory set total_reserved = total_reserved + $5, version = version + 1
             where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4",
        )
        .bind(order.id.hotel_id().get())
        .bind(order.room_type_id.get())
        .bind(order.stay.check_in().to_sqlx())
        .bind(order.stay.check_out().to_sqlx())
        .bind(order.rooms.get())
        .execute(&mut *transaction)
        .await
        .on_constraint(row::NOT_OVERBOOKED, row::sold_out)?;
        let Some(made) = row::insert(&mut transaction, order).await? else {
            transaction.rollback().await?;
            return row::repeat(pool, order).await.map(Some);
        };
        transaction.commit().await?;
        Ok(Some(row::created(order, made)))
    }
}
