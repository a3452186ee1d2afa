//! Fills an inventory for load tests (R9): so many hotels, room types and nights, as fast as the database takes them.
//!
//! Rows travel by binary COPY through the hot table itself, with its key and its CHECKs in place, a few hotels in one
//! transaction. The same transaction writes their plans, so a hotel whose plans reach the horizon is done, and a run
//! that was stopped goes on with those that are not. Nights that exist are left as they are.

use std::num::NonZeroU16;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool};
use staymesh_store::StoreError;

use crate::calendar::today;

/// Nights in one transaction, about.
const BATCH: u64 = 150_000;
/// What dates are counted from in PostgreSQL's binary form.
const EPOCH: Date = jiff::civil::date(2000, 1, 1);
/// As everywhere when nobody says otherwise (R10).
const OVERBOOKING_PERCENT: i16 = 10;

/// What to fill in. Hotels have the ids from 1 on, and so have the room types of each.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// Hotels.
    pub hotels: u16,
    /// Room types of each hotel.
    pub room_types: u16,
    /// Nights from today on.
    pub days: u16,
    /// Rooms of each room type in each night.
    pub rooms: u16,
    /// Connections that write at once.
    pub writers: NonZeroU16,
}

impl Seed {
    /// How many nights that makes.
    pub fn nights(&self) -> u64 {
        u64::from(self.hotels) * self.nights_of_hotel()
    }

    fn nights_of_hotel(&self) -> u64 {
        u64::from(self.room_types) * u64::from(self.days)
    }

    /// The batches, as first and last hotel.
    fn batches(&self) -> impl Iterator<Item = (i32, i32)> + use<> {
        let hotels = i32::from(self.hotels.max(1));
        let step = i32::try_from(BATCH / self.nights_of_hotel().max(1)).unwrap_or(hotels).clamp(1, hotels);
        let last = i32::from(self.hotels);
        (0..).map(move |n| n * step + 1).take_while(move |first| *first <= last).map(move |first| {
            let until = (first + step - 1).min(last);
            (first, until)
        })
    }
}

/// How far a run has come, in nights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Written by this run.
    pub new: u64,
    /// There before.
    pub found: u64,
}

/// Fills in what is missing, telling `progress` after each batch.
///
/// # Errors
/// When the database fails. What is done stays done.
pub async fn run(
    pool: &PgPool,
    seed: Seed,
    now: Timestamp,
    mut progress: impl FnMut(Seeded),
) -> Result<Seeded, StoreError> {
    let from = today(now);
    let until = from.saturating_add(i64::from(seed.days).days());
    sqlx::query("select ensure_inventory_partitions($1, $2)")
        .bind(from.to_sqlx())
        .bind(until.to_sqlx())
        .execute(pool)
        .await?;
    let mut all = Seeded::default();
    let batches = stream::iter(seed.batches()).map(|(first, last)| {
        let batch = Batch { seed, first, last, from, until };
        async move { batch.run(pool).await }
    });
    let mut batches = batches.buffer_unordered(seed.writers.get().into());
    while let Some(done) = batches.try_next().await? {
        all.new += done.new;
        all.found += done.found;
        progress(all);
    }
    Ok(all)
}

/// What the inventory takes on the disk, keys included, in bytes.
///
/// # Errors
/// When the database fails.
pub async fn disk_used(pool: &PgPool) -> Result<u64, StoreError> {
    let bytes: i64 = sqlx::query_scalar(
        "select coalesce(sum(pg_total_relation_size(relid)), 0)::bigint
         from pg_partition_tree('room_type_inventory') where isleaf",
    )
    .fetch_one(pool)
    .await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

#[derive(Clone, Copy)]
struct Batch {
    seed: Seed,
    first: i32,
    last: i32,
    from: Date,
    until: Date,
}

impl Batch {
    async fn run(self, pool: &PgPool) -> Result<Seeded, StoreError> {
        let nights = self.nights();
        if self.is_done(pool).await? {
            return Ok(Seeded { new: 0, found: nights });
        }
        let mut transaction = pool.begin().await?;
        let new = match self.copy(&mut transaction).await {
            Ok(copied) => copied,
            // Some are there. The slow way asks for each.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                transaction.rollback().await?;
                transaction = pool.begin().await?;
                self.insert(&mut transaction).await?
            }
            Err(error) => return Err(error.into()),
        };
        self.plan(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Seeded { new, found: nights - new })
    }

    fn nights(&self) -> u64 {
        u64::try_from(self.last - self.first + 1).unwrap_or(0) * self.seed.nights_of_hotel()
    }

    async fn is_done(&self, pool: &PgPool) -> Result<bool, StoreError> {
        let reached: i64 = sqlx::query_scalar(
            "select count(*) from inventory_plan
             where hotel_id between $1 and $2 and room_type_id <= $3 and next_date >= $4",
        )
        .bind(self.first)
        .bind(self.last)
        .bind(i32::from(self.seed.room_types))
        .bind(self.until.to_sqlx())
        .fetch_one(pool)
        .await?;
        Ok(reached == i64::from(self.last - self.first + 1) * i64::from(self.seed.room_types))
    }

    async fn copy(&self, transaction: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let mut rows = transaction
            .copy_in_raw(
                "copy room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory, overbooking_percent)
                 from stdin (format binary)",
            )
            .await?;
        let first_day = i32::try_from(self.from.duration_since(EPOCH).as_hours() / 24).unwrap_or(0);
        let last_day = first_day + i32::from(self.seed.days);
        rows.send(COPY_HEADER).await?;
        let mut chunk = Vec::with_capacity(usize::from(self.seed.days) * ROW_BYTES);
        for hotel in self.first..=self.last {
            for room_type in 1..=i32::from(self.seed.room_types) {
                chunk.clear();
                for day in first_day..last_day {
                    add_row(&mut chunk, [hotel, room_type, day, self.seed.rooms.into()]);
                }
                rows.send(&*chunk).await?;
            }
        }
        rows.send(COPY_TRAILER).await?;
        rows.finish().await
    }

    async fn insert(&self, transaction: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory, overbooking_percent)
             select hotel, room_type, $4 + day, $6, $7
             from generate_series($1::integer, $2) hotel, generate_series(1, $3) room_type,
                 generate_series(0, $5::date - $4::date - 1) day
             on conflict (hotel_id, room_type_id, stay_date) do nothing",
        )
        .bind(self.first)
        .bind(self.last)
        .bind(i32::from(self.seed.room_types))
        .bind(self.from.to_sqlx())
        .bind(self.until.to_sqlx())
        .bind(i32::from(self.seed.rooms))
        .bind(OVERBOOKING_PERCENT)
        .execute(transaction)
        .await?;
        Ok(done.rows_affected())
    }

    async fn plan(&self, transaction: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into inventory_plan as p (hotel_id, room_type_id, total_inventory, overbooking_percent, next_date)
             select hotel, room_type, $4, $5, $6
             from generate_series($1::integer, $2) hotel, generate_series(1, $3) room_type
             on conflict (hotel_id, room_type_id) do update set next_date = greatest(p.next_date, excluded.next_date)",
        )
        .bind(self.first)
        .bind(self.last)
        .bind(i32::from(self.seed.room_types))
        .bind(i32::from(self.seed.rooms))
        .bind(OVERBOOKING_PERCENT)
        .bind(self.until.to_sqlx())
        .execute(transaction)
        .await?;
        Ok(())
    }
}

/// Signature, flags and the length of an extension, as PostgreSQL's documentation of COPY has them.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_TRAILER: &[u8] = &(-1i16).to_be_bytes();
/// The number of columns; four integers and a small one, each after its length.
const ROW_BYTES: usize = 2 + 4 * (4 + 4) + (4 + 2);

/// A row: hotel, room type, day and rooms, and the overbooking.
fn add_row(chunk: &mut Vec<u8>, integers: [i32; 4]) {
    chunk.extend_from_slice(&5i16.to_be_bytes());
    for value in integers {
        chunk.extend_from_slice(&4i32.to_be_bytes());
        chunk.extend_from_slice(&value.to_be_bytes());
    }
    chunk.extend_from_slice(&2i32.to_be_bytes());
    chunk.extend_from_slice(&OVERBOOKING_PERCENT.to_be_bytes());
}

#[cfg(test)]
mod tests;
