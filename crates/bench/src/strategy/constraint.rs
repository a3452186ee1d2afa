//! The CHECK decides: write the booking, add to its nights, and see whether the database refuses.

use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use staymesh_reservation::{Created, NewReservation, ReservationError};
use staymesh_store::ResultExt;

use super::{OneByOne, row};

pub(crate) struct Constraint;

#[tonic::async_trait]
impl OneByOne for Constraint {
    async fn attempt(&self, pool: &PgPool, order: &NewReservation) -> Result<Option<Created>, ReservationError> {
        let mut transaction = pool.begin().await?;
        // First what locks nothing that others want, so that the nights are locked for as short as can be.
        let Some(made) = row::insert(&mut transaction, order).await? else {
            transaction.rollback().await?;
            return row::repeat(pool, order).await.map(Some);
        };
        // The nights of one stay are a range of the key, and are updated in its order.
        let done = sqlx::query(
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
        if usize::try_from(done.rows_affected()).ok() != Some(row::nights(order)) {
            return Err(ReservationError::NotOnSale);
        }
        transaction.commit().await?;
        Ok(Some(row::created(order, made)))
    }
}
