//! The SQL of the inventory generator.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool};
use staymesh_store::{Cause, StoreError};

/// The date that PostgreSQL's binary form of dates counts from.
const EPOCH: Date = jiff::civil::date(2000, 1, 1);
/// The default of the inventory API (R10).
const OVERBOOKING_PERCENT: i16 = 10;

/// Creates the partitions that the nights need.
pub(super) async fn ensure_partitions(pool: &PgPool, from: Date, until: Date) -> Result<(), StoreError> {
    sqlx::query("select ensure_inventory_partitions($1, $2)")
        .bind(from.to_sqlx())
        .bind(until.to_sqlx())
        .execute(pool)
        .await?;
    Ok(())
}

/// Disk space of the inventory with its indexes, in bytes.
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
    u64::try_from(bytes)
        .map_err(|_| StoreError::Unexpected(Cause { sqlstate: None, summary: "a size is negative".into() }))
}

/// The hotels that one transaction fills.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    /// The first hotel id.
    pub(super) first: i32,
    /// The last hotel id, inclusive.
    pub(super) last: i32,
    /// Room types per hotel.
    pub(super) room_types: u16,
    /// Nights per room type.
    pub(super) days: u16,
    /// Rooms per night.
    pub(super) rooms: u16,
    /// The first night.
    pub(super) from: Date,
    /// The date after the last night.
    pub(super) until: Date,
}

impl Batch {
    /// Fills the hotels. Yields the nights created and found.
    pub(super) async fn run(self, pool: &PgPool) -> Result<(u64, u64), StoreError> {
        let nights = self.nights();
        if self.is_done(pool).await? {
            return Ok((0, nights));
        }
        let mut transaction = pool.begin().await?;
        let new = match self.copy(&mut transaction).await {
            Ok(copied) => copied,
            // Some exist: insert the others one by one.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                transaction.rollback().await?;
                transaction = pool.begin().await?;
                self.insert(&mut transaction).await?
            }
            Err(error) => return Err(error.into()),
        };
        self.plan(&mut transaction).await?;
        transaction.commit().await?;
        Ok((new, nights - new))
    }

    fn nights(&self) -> u64 {
        let hotels = u64::from(self.last.abs_diff(self.first)) + 1;
        hotels * u64::from(self.room_types) * u64::from(self.days)
    }

    async fn is_done(&self, pool: &PgPool) -> Result<bool, StoreError> {
        let reached: i64 = sqlx::query_scalar(
            "select count(*) from inventory_plan
             where hotel_id between $1 and $2 and room_type_id <= $3 and next_date >= $4",
        )
        .bind(self.first)
        .bind(self.last)
        .bind(i32::from(self.room_types))
        .bind(self.until.to_sqlx())
        .fetch_one(pool)
        .await?;
        Ok(reached == i64::from(self.last - self.first + 1) * i64::from(self.room_types))
    }

    async fn copy(&self, transaction: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let mut rows = transaction
            .copy_in_raw(
                "copy room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory, overbooking_percent)
                 from stdin (format binary)",
            )
            .await?;
        let first_day = (self.from - EPOCH).get_days();
        let last_day = first_day + i32::from(self.days);
        rows.send(COPY_HEADER).await?;
        let mut chunk = Vec::with_capacity(usize::from(self.days) * ROW_BYTES);
        for hotel in self.first..=self.last {
            for room_type in 1..=i32::from(self.room_types) {
                chunk.clear();
                for day in first_day..last_day {
                    add_row(&mut chunk, [hotel, room_type, day, self.rooms.into()]);
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
        .bind(i32::from(self.room_types))
        .bind(self.from.to_sqlx())
        .bind(self.until.to_sqlx())
        .bind(i32::from(self.rooms))
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
        .bind(i32::from(self.room_types))
        .bind(i32::from(self.rooms))
        .bind(OVERBOOKING_PERCENT)
        .bind(self.until.to_sqlx())
        .execute(transaction)
        .await?;
        Ok(())
    }
}

/// Signature, flags and header extension length, as PostgreSQL documents them for binary COPY.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_TRAILER: &[u8] = &(-1i16).to_be_bytes();
/// Size of a row: the number of columns, then four integers and a smallint, each after its length.
const ROW_BYTES: usize = 2 + 4 * (4 + 4) + (4 + 2);

/// Appends a row: hotel id, room type id, day, rooms, and the overbooking percentage.
fn add_row(chunk: &mut Vec<u8>, integers: [i32; 4]) {
    chunk.extend_from_slice(&5i16.to_be_bytes());
    for value in integers {
        chunk.extend_from_slice(&4i32.to_be_bytes());
        chunk.extend_from_slice(&value.to_be_bytes());
    }
    chunk.extend_from_slice(&2i32.to_be_bytes());
    chunk.extend_from_slice(&OVERBOOKING_PERCENT.to_be_bytes());
}
