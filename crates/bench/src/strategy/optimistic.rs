//! Look, then write only what has not changed meanwhile: a version on every night, and another attempt when it has moved.

use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use staymesh_reservation::{Created, NewReservation, ReservationError};
use staymesh_store::ResultExt;

use super::{OneByOne, row};

pub(crate) struct Optimistic;

/// A night as it was read.
#[derive(sqlx::FromRow)]
struct Read {
    stay_date: jiff_sqlx::Date,
    version: i32,
    rooms_left: i32,
}

#[tonic::async_trait]
impl OneByOne for Optimistic {
    async fn attempt(&self, pool: &PgPool, order: &NewReservation) -> Result<Option<Created>, ReservationError> {
        let read = read(pool, order).await?;
        if read.len() != row::nights(order) {
            return Err(ReservationError::NotOnSale);
        }
        if read.iter().any(|night| night.rooms_left < order.rooms.get()) {
            return Err(ReservationError::SoldOut { stay_date: None, hold_expire_time: None });
        }
        let mut transaction = pool.begin().await?;
        // The nights first: whoever has lost shall not have written a booking for nothing.
        let (dates, versions): (Vec<_>, Vec<_>) =
            read.into_iter().map(|night| (night.stay_date, night.version)).unzip();
        let done = sqlx::query(
            "update room_type_inventory i set total_reserved = i.total_reserved + $5, version = i.version + 1
             from unnest($3::date[], $4::integer[]) seen (stay_date, version)
             where i.hotel_id = $1 and i.room_type_id = $2 and i.stay_date = seen.stay_date
                 and i.version = seen.version",
        )
        .bind(order.id.hotel_id().get())
        .bind(order.room_type_id.get())
        .bind(dates)
        .bind(versions)
        .bind(order.rooms.get())
        .execute(&mut *transaction)
        .await
        .on_constraint(row::NOT_OVERBOOKED, row::sold_out)?;
        if usize::try_from(done.rows_affected()).ok() != Some(row::nights(order)) {
            transaction.rollback().await?;
            return Ok(None);
        }
        let Some(made) = row::insert(&mut transaction, order).await? else {
            transaction.rollback().await?;
            return row::repeat(pool, order).await.map(Some);
        };
        transaction.commit().await?;
        Ok(Some(row::created(order, made)))
    }
}

async fn read(pool: &PgPool, order: &NewReservation) -> Result<Vec<Read>, ReservationError> {
    Ok(sqlx::query_as(
        "select stay_date, version, total_inventory * (100 + overbooking_percent) / 100 - total_reserved as rooms_left
         from room_type_inventory
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
         order by stay_date",
    )
    .bind(order.id.hotel_id().get())
    .bind(order.room_type_id.get())
    .bind(order.stay.check_in().to_sqlx())
    .bind(order.stay.check_out().to_sqlx())
    .fetch_all(pool)
    .await?)
}
