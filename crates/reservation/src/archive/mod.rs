//! Past inventory leaves the hot table (R9, R23): whole months, once they have been over for a while.
//!
//! A month's partition is detached while bookings go on, and becomes a table of the schema `archive`. Bookings stay
//! where they are and can be read, cancelled and refunded as before; only the counts of rooms of those nights are gone
//! from the hot table, where they do not matter any more.
//!
//! A month goes through the states of [`Place`], one step at a time, and what step is next is read from the database.
//! So a run may be stopped at any point, and the next one goes on from there. Every wait for a lock is short and is
//! tried again, because while one waits, others who want the same lock queue behind.

mod export;
mod partition;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, ToSpan, civil::Date};
use sqlx::{PgConnection, PgPool, pool::PoolConnection};
use staymesh_store::StoreError;
use tokio::time::{Instant, sleep};

use crate::calendar::today;

/// Shorter than what staff and bookings wait for a lock, so that they are never the ones to give up.
const LOCK_TIMEOUT: &str = "set lock_timeout = '1s'";
/// Detaching waits for every transaction that was there before; a statement of it may take its time.
const STATEMENT_TIMEOUT: &str = "set statement_timeout = '10min'";
const PAUSE: Duration = Duration::from_millis(500);

/// What to archive, and what then becomes of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many days a month must have been over.
    pub keep_days: u16,
    /// How long to wait for transactions that keep a month from leaving.
    pub patience: Duration,
    /// Write every archived month to a file in this folder, and then drop its table.
    pub drop_into: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_days: 30, patience: Duration::from_mins(5), drop_into: None }
    }
}

/// What a run has done to a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is in the archive.
    Archived {
        /// Its first day.
        month: Date,
        /// How many nights it had.
        nights: u64,
    },
    /// It is in a file, and in the archive no more.
    Dropped {
        /// Its first day.
        month: Date,
        /// The file.
        file: PathBuf,
        /// How many nights are in it.
        nights: u64,
    },
}

/// Why a run has stopped. What is done stays done.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// Two runs at once.
    #[error("another run is going on")]
    AnotherRun,
    /// Transactions would not end.
    #[error("{month} could not be detached in {} s: long transactions are using the inventory; run it again", patience.as_secs())]
    Busy {
        /// The month.
        month: Date,
        /// How long was waited.
        patience: Duration,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What came out is not what was archived; the table stays.
    #[error("{month} has {expected} nights, but {written} were written; its table was not dropped")]
    Incomplete {
        /// The month.
        month: Date,
        /// How many were archived.
        expected: u64,
        /// How many the file has.
        written: u64,
    },
}

impl From<sqlx::Error> for ArchiveError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Where the partition of a month is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the hot table.
    Attached,
    /// On its way out: a detach was begun and not finished.
    Detaching,
    /// A table by itself, not yet in the archive.
    Detached,
    /// In the schema `archive`.
    Archived,
    /// Nowhere.
    Absent,
}

/// Archives every month that has been over for long enough at `now`, oldest first, telling `progress` of each.
///
/// # Errors
/// See [`ArchiveError`]. Running it again goes on where it stopped.
pub async fn run(
    pool: &PgPool,
    options: &Options,
    now: Timestamp,
    mut progress: impl FnMut(&Done),
) -> Result<Vec<Done>, ArchiveError> {
    let mut session = Session::begin(pool).await?;
    let connection = &mut session.connection;
    let mut done = Vec::new();
    let cutoff = today(now).saturating_sub(i64::from(options.keep_days).days());
    for month in partition::due(connection, cutoff).await? {
        let nights = archive(connection, month, options.patience).await?;
        done.push(Done::Archived { month, nights });
        done.last().into_iter().for_each(&mut progress);
    }
    if let Some(folder) = &options.drop_into {
        for month in partition::kept(connection).await? {
            done.push(export_and_drop(connection, folder, month).await?);
            done.last().into_iter().for_each(&mut progress);
        }
    }
    session.end().await;
    Ok(done)
}

/// A connection of its own, which holds the lock that keeps two runs apart. The lock ends with the connection.
struct Session {
    connection: PgConnection,
}

impl Session {
    async fn begin(pool: &PgPool) -> Result<Self, ArchiveError> {
        let mut connection = PoolConnection::detach(pool.acquire().await?);
        sqlx::query(LOCK_TIMEOUT).execute(&mut connection).await?;
        sqlx::query(STATEMENT_TIMEOUT).execute(&mut connection).await?;
        let alone: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtext('archive_inventory'))")
            .fetch_one(&mut connection)
            .await?;
        if alone { Ok(Self { connection }) } else { Err(ArchiveError::AnotherRun) }
    }

    async fn end(mut self) {
        // Given back by name: the server notices a closed connection only some time later, and until then whoever runs
        // next would be told of another run. All is done; a connection that cannot say goodbye is gone anyway.
        let _ =
            sqlx::query("select pg_advisory_unlock(hashtext('archive_inventory'))").execute(&mut self.connection).await;
        let _ = sqlx::Connection::close(self.connection).await;
    }
}

/// Takes a month one step further until it is in the archive.
async fn archive(connection: &mut PgConnection, month: Date, patience: Duration) -> Result<u64, ArchiveError> {
    partition::note(connection, month).await?;
    let deadline = Instant::now() + patience;
    loop {
        let step = match partition::place(connection, month).await? {
            Place::Attached => partition::detach(connection, month).await,
            Place::Detaching => partition::finish_detaching(connection, month).await,
            Place::Detached => partition::put_away(connection, month).await,
            Place::Archived | Place::Absent => return Ok(partition::note_archived(connection, month).await?),
        };
        match step {
            Ok(()) => {}
            // The lock was not free in time, or somebody had to give way.
            Err(StoreError::Timeout(_) | StoreError::Conflict(_)) if Instant::now() < deadline => sleep(PAUSE).await,
            Err(StoreError::Timeout(_) | StoreError::Conflict(_)) => {
                return Err(ArchiveError::Busy { month, patience });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn export_and_drop(
    connection: &mut PgConnection,
    folder: &Path,
    (month, expected): (Date, u64),
) -> Result<Done, ArchiveError> {
    let file = export::path(folder, month);
    let written = export::write(connection, month, &file).await?;
    if written != expected {
        return Err(ArchiveError::Incomplete { month, expected, written });
    }
    partition::drop_archived(connection, month).await?;
    Ok(Done::Dropped { month, file, nights: expected })
}
