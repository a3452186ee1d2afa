//! Sessions whose prepared statements a migration has made unusable.
//!
//! PostgreSQL refuses to execute a prepared statement whose result has got other columns ("cached plan must not change
//! result type", 0A000), for as long as its session lasts: `select *` and `returning *` after `add column`. A release that
//! has such statements would fail on each of its connections until they are replaced, half an hour later. So a migration
//! closes the sessions that were open while it changed columns; the service opens new ones.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::types::Oid;
use tokio::time::{Instant, sleep};

/// Name of the sessions of migrations, which are never closed.
pub(super) const APPLICATION_NAME: &str = "staymesh-migrate";

/// How long sessions may go on with what they do before they are left open; jobs take longer, requests do not.
const BUSY_LIMIT: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The columns of every table, by the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns(HashMap<Oid, String>);

impl Columns {
    /// As they are now. Partitions have the columns of their tables.
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let tables: Vec<(Oid, String)> = sqlx::query_as(
            "select c.oid, string_agg(a.attname || ' ' || a.atttypid::text, ',' order by a.attnum)
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relkind in ('r', 'p') and not c.relispartition
                 and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
             group by c.oid",
        )
        .fetch_all(connection)
        .await?;
        Ok(Self(tables.into_iter().collect()))
    }

    /// Whether a table that was there before has other columns now.
    pub(super) fn differ_from(&self, before: &Self) -> bool {
        before.0.iter().any(|(table, columns)| self.0.get(table).is_some_and(|now| now != columns))
    }
}

/// Closes the sessions of this role in this database that have begun by now, each as soon as it is idle.
///
/// A caller whose session is closed while it is about to use it gets an answer that it may retry. Left open are those of
/// migrations, those that hold an advisory lock between their transactions, and those that stay busy.
pub(super) async fn close_open(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (now,): (String,) = sqlx::query_as("select clock_timestamp()::text").fetch_one(&mut *connection).await?;
    let deadline = Instant::now() + BUSY_LIMIT;
    loop {
        let (closed, busy): (i64, i64) = sqlx::query_as(
            "select count(*) filter (where state = 'idle' and pg_terminate_backend(pid)),
                 count(*) filter (where state <> 'idle')
             from pg_stat_activity session
             where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
                 and backend_type = 'client backend' and backend_start <= $1::timestamptz and application_name <> $2
                 and not exists (
                     select from pg_locks held where held.pid = session.pid and held.locktype = 'advisory' and held.granted)",
        )
        .bind(&now)
        .bind(APPLICATION_NAME)
        .fetch_one(&mut *connection)
        .await?;
        if closed > 0 {
            tracing::info!(closed, "sessions closed whose prepared statements may not fit any more");
        }
        if busy == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            tracing::warn!(busy, "sessions left open whose prepared statements may not fit any more");
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}
