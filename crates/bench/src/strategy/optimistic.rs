//! The optimistic strategy: read the nights, then update only those whose version is unchanged, and retry otherwise
//! (optimistic concurrency control).

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgPool;
use staymesh_store::ResultExt;

use super::{
    direct::Transaction,
    refusal::Refusal,
    row::{self, NewRow},
};

pub(crate) struct Optimistic;

/// A night as it was read.
#[derive(sqlx::FromRow)]
struct Night {
    stay_date: jiff_sqlx::Date,
    version: i32,
    rooms_left: i32,
}

#[tonic::async_trait]
impl Transaction for Optimistic {
    async fn attempt(&self, pool: &PgPool, new: &NewRow) -> Result<Option<Timestamp>, Refusal> {
        let nights = read(pool, new).await?;
        if nights.len() as u64 != NewRow::NIGHTS {
            return Err(Refusal::NotOnSale);
        }
        if nights.iter().any(|night| night.rooms_left < 1) {
            return Err(Refusal::SoldOut);
        }
        let mut transaction = pool.begin().await?;
        // The nights come first: a transaction that loses the race has not inserted a reservation in vain.
        let (dates, versions): (Vec<_>, Vec<_>) =
            nights.into_iter().map(|night| (night.stay_date, night.version)).unzip();
        let done = sqlx::query(
            "update room_type_inventory i set total_reserved = i.total_reserved + $5, version = i.version + 1
             from unnest($3::date[], $4::integer[]) seen (stay_date, version)
             where i.hotel_id = $1 and i.room_type_id = $2 and i.stay_date = seen.stay_date
                 and i.version = seen.version",
        )
        .bind(new.hotel_id())
        .bind(new.room().room_type_id.get())
        .bind(dates)
        .bind(versions)
        .bind(1)
        .execute(&mut *transaction)
        .await
        .on_constraint(row::NOT_OVERBOOKED, row::sold_out)?;
        if done.rows_affected() != NewRow::NIGHTS {
            transaction.rollback().await?;
            return Ok(None);
        }
        let Some(create_time) = new.insert(&mut transaction).await? else {
            transaction.rollback().await?;
            return new.existing(pool).await.map(Some);
        };
        transaction.commit().await?;
        Ok(Some(create_time))
    }
}

async fn read(pool: &PgPool, new: &NewRow) -> Result<Vec<Night>, Refusal> {
    Ok(sqlx::query_as(
        "select stay_date, version, total_inventory * (100 + overbooking_percent) / 100 - total_reserved as rooms_left
         from room_type_inventory
         where hotel_id = $1 and room_type_id = $2 and stay_date >= $3 and stay_date < $4
         order by stay_date",
    )
    .bind(new.hotel_id())
    .bind(new.room().room_type_id.get())
    .bind(new.room().stay.check_in().to_sqlx())
    .bind(new.room().stay.check_out().to_sqlx())
    .fetch_all(pool)
    .await?)
}
