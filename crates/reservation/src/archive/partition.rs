//! The steps of a month, in SQL. Each may be repeated.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use staymesh_store::StoreError;

use super::Place;

/// The name that `ensure_inventory_partitions` gives.
pub(super) fn name(month: Date) -> String {
    format!("room_type_inventory_{:04}{:02}", month.year(), month.month())
}

/// Months that are over before `cutoff`, and those that a run before this has begun with; oldest first.
pub(super) async fn due(connection: &mut PgConnection, cutoff: Date) -> Result<Vec<Date>, StoreError> {
    let months: Vec<jiff_sqlx::Date> = sqlx::query_scalar(
        // Materialized, or names of other tables might be read as months.
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

/// Notes that a month leaves. From now on nobody counts on its nights.
pub(super) async fn note(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    sqlx::query("insert into inventory_archive (month) values ($1) on conflict (month) do nothing")
        .bind(month.to_sqlx())
        .execute(connection)
        .await?;
    Ok(())
}

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

/// Waits for the transactions that are using the inventory, but makes nobody wait.
pub(super) async fn detach(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    execute(connection, format!("alter table room_type_inventory detach partition {} concurrently", name(month))).await
}

/// Finishes what a [`detach`] that was stopped has left.
pub(super) async fn finish_detaching(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    execute(connection, format!("alter table room_type_inventory detach partition {} finalize", name(month))).await
}

/// Moves a table that nobody uses any more.
pub(super) async fn put_away(connection: &mut PgConnection, month: Date) -> Result<(), StoreError> {
    execute(connection, format!("alter table {} set schema archive", name(month))).await
}

/// Notes that a month is in the archive, and tells how many nights it had.
pub(super) async fn note_archived(connection: &mut PgConnection, month: Date) -> Result<u64, StoreError> {
    // A month whose table somebody has dropped by hand had none that we could tell of.
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
    Ok(u64::try_from(counted.0).unwrap_or(0))
}

/// Months whose tables are in the archive, and how many nights each has; oldest first.
pub(super) async fn kept(connection: &mut PgConnection) -> Result<Vec<(Date, u64)>, StoreError> {
    let months: Vec<(jiff_sqlx::Date, i64)> = sqlx::query_as(
        "select month, nights from inventory_archive where archived_at is not null and dropped_at is null
         order by month",
    )
    .fetch_all(connection)
    .await?;
    Ok(months.into_iter().map(|(month, nights)| (month.to_jiff(), u64::try_from(nights).unwrap_or(0))).collect())
}

/// Drops a month's table from the archive, and notes it in the same transaction.
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

/// For statements that take no parameters. The only thing put into them is [`name`], which is made of digits.
async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    // As plain text: a detach refuses to run inside anything.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}
