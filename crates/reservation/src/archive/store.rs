//! The archive's SQL: its session, and the steps that move a month. Each step is idempotent.

use futures::{Stream, TryStreamExt};
use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, pool::PoolConnection};
use staymesh_store::{Cause, StoreError};

/// Shorter than the lock timeouts of bookings and of staff, so that they never time out because of the archive.
const LOCK_TIMEOUT: &str = "set lock_timeout = '1s'";
/// Detaching a partition waits for every transaction that was open before it; other statements of it may take long.
const STATEMENT_TIMEOUT: &str = "set statement_timeout = '10min'";

/// Where the partition of a month is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Attached to the hot table.
    Attached,
    /// A concurrent detach was begun and not finished.
    Detaching,
    /// A table of its own, not yet in the archive.
    Detached,
    /// In the schema `archive`.
    Archived,
    /// Dropped.
    Absent,
}

/// A connection that holds the advisory lock of the archive: only one run at a time. The lock ends with the connection.
pub(super) struct Session {
    pub(super) connection: PgConnection,
}

impl Session {
    /// Begins; `None` when another run holds the lock.
    pub(super) async fn begin(pool: &PgPool) -> Result<Option<Self>, StoreError> {
        let mut connection = PoolConnection::detach(pool.acquire().await?);
        sqlx::query(LOCK_TIMEOUT).execute(&mut connection).await?;
        sqlx::query(STATEMENT_TIMEOUT).execute(&mut connection).await?;
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtext('archive_inventory'))")
            .fetch_one(&mut connection)
            .await?;
        Ok(locked.then_some(Self { connection }))
    }

    /// Releases the lock and closes the connection.
    pub(super) async fn end(mut self) {
        // Released explicitly: the server notices a closed connection only after a while, and until then the next run
        // would find the lock taken. All work is committed, so a connection that fails now is of no consequence.
        let _ =
            sqlx::query("select pg_advisory_unlock(hashtext('archive_inventory'))").execute(&mut self.connection).await;
        let _ = sqlx::Connection::close(self.connection).await;
    }
}

/// The partition of a month, as `ensure_inventory_partitions` names it.
pub(super) fn name(month: Date) -> String {
    format!("room_type_inventory_{:04}{:02}", month.year(), month.month())
}

/// Months that ended before `cutoff`, and those that an earlier run began; oldest first.
pub(super) async fn due(connection: &mut PgConnection, cutoff: Date) -> Result<Vec<Date>, StoreError> {
    let months: Vec<jiff_sqlx::Date> = sqlx::query_scalar(
        // Materialized: names of other tables must not be parsed as months.
        "with partition as materialized (
             select right(c.relname, 6) as month from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = 'room_type_inventory'::regclass and c.relname ~ '^room_type_inventory_[0-9]{6}$'
         )
         select month from inventory_archive where archived_at is null
         union
         select month from (select to_date(month, 'YYYYMM') as month from partition) by_date
         where month + interval '1 month' <= $1
         order by month",
    )
    .bind(cutoff.to_sqlx())
    .fetch_all(connection)
    .await?;
    Ok(months.into_iter().map(jiff_sqlx::Date::to_jiff).collect())
}

/// Records that a month is being archived. From now on its nights are no longer checked or counted.
pub(super) async fn note(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    sqlx::query("insert into inventory_archive (month) values ($1) on conflict (month) do nothing")
        .bind(month.to_sqlx())
        .execute(connection)
        .await?;
    Ok(())
}

/// Where the partition of a month is.
pub(super) async fn place(connection: &mut PgConnection, month: Date) -> Result<Place, StoreError> {
    let (pending, loose, archived): (Option<bool>, bool, bool) = sqlx::query_as(
        "select (select inhdetachpending from pg_inherits
                 where inhparent = 'room_type_inventory'::regclass and inhrelid = to_regclass($1)),
             to_regclass($1) is not null, to_regclass('archive.' || $1) is not null",
    )
    .bind(name(month))
    .fetch_one(connection)
    .await?;
    Ok(match (pending, loose, archived) {
        (Some(true), ..) => Place::Detaching,
        (Some(false), ..) => Place::Attached,
        (None, true, _) => Place::Detached,
        (None, false, true) => Place::Archived,
        (None, false, false) => Place::Absent,
    })
}

/// Detaches concurrently: waits for the transactions that use the inventory, and blocks none.
pub(super) async fn detach(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    execute(connection, format!("alter table room_type_inventory detach partition {} concurrently", name(month))).await
}

/// Finishes an interrupted [`detach`].
pub(super) async fn finish_detaching(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    execute(connection, format!("alter table room_type_inventory detach partition {} finalize", name(month))).await
}

/// Moves the detached table to the schema `archive`.
pub(super) async fn move_to_archive(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    execute(connection, format!("alter table {} set schema archive", name(month))).await
}

/// Records that a month is in the archive. Yields how many nights it has.
pub(super) async fn note_archived(connection: &mut PgConnection, month: Date) -> Result<u64, StoreError> {
    // A table that was dropped by hand counts as empty.
    let counted: (i64, i64) = if place(connection, month).await? == Place::Archived {
        let sql = format!("select count(*), coalesce(sum(total_reserved), 0) from archive.{}", name(month));
        sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?
    } else {
        (0, 0)
    };
    sqlx::query(
        "update inventory_archive set archived_at = now(), nights = $2, rooms_sold = $3
         where month = $1 and archived_at is null",
    )
    .bind(month.to_sqlx())
    .bind(counted.0)
    .bind(counted.1)
    .execute(connection)
    .await?;
    count_of(counted.0)
}

/// Months whose tables are in the archive, with the nights of each; oldest first.
pub(super) async fn kept(connection: &mut PgConnection) -> Result<Vec<(Date, u64)>, StoreError> {
    let months: Vec<(jiff_sqlx::Date, i64)> = sqlx::query_as(
        "select month, nights from inventory_archive where archived_at is not null and dropped_at is null
         order by month",
    )
    .fetch_all(connection)
    .await?;
    months.into_iter().map(|(month, nights)| Ok((month.to_jiff(), count_of(nights)?))).collect()
}

/// The table of an archived month as CSV with a header, in the order of its keys.
pub(super) async fn csv(
    connection: &mut PgConnection,
    month: Date,
) -> Result<impl Stream<Item = Result<impl AsRef<[u8]>, StoreError>>, StoreError> {
    let sql = format!(
        "copy (select * from archive.{} order by hotel_id, room_type_id, stay_date) to stdout (format csv, header)",
        name(month)
    );
    Ok(connection.copy_out_raw(&sql).await?.map_err(StoreError::from))
}

/// Drops a month's table from the archive, and records it in the same transaction.
pub(super) async fn drop_archived(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    execute(&mut transaction, format!("drop table archive.{}", name(month))).await?;
    sqlx::query("update inventory_archive set dropped_at = now() where month = $1")
        .bind(month.to_sqlx())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Runs a statement that cannot have parameters. The only text inserted into it is [`name`], which ends in digits.
async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    // As a simple query: a concurrent detach refuses to run in a transaction block.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// A count of rows, which is never negative.
fn count_of(rows: i64) -> Result<u64, StoreError> {
    u64::try_from(rows)
        .map_err(|_| StoreError::Unexpected(Cause { sqlstate: None, summary: "a count is negative".into() }))
}
