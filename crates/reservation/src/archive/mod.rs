//! The archive job: moves past inventory out of the hot table (R9, R23), in whole months.
//!
//! A month's partition is detached concurrently, without blocking bookings, and becomes a table of the schema `archive`.
//! Reservations stay and can be read, cancelled and refunded as before; only the room counts of those past nights leave
//! the hot table.
//!
//! A month passes through the places of [`Place`] one step at a time, and the next step is derived from the database, so
//! a run may be stopped anywhere and the next one continues. Every wait for a lock is short and retried, because other
//! transactions queue behind a waiting lock request.

mod export;
mod store;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, ToSpan, civil::Date};
use sqlx::{PgConnection, PgPool};
use staymesh_store::StoreError;
use tokio::time::{Instant, sleep};

use crate::calendar::{DateOutOfRange, today};
use export::ExportError;
pub use export::FileError;
use store::{Place, Session};

/// Pause before a step is retried whose lock was not granted.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Which months to archive, and what happens to archived ones.
#[derive(Clone, Debug)]
pub struct Options {
    /// Days since the end of a month before it is archived.
    pub keep_days: u16,
    /// How long to wait for transactions that block a step of a month.
    pub patience: Duration,
    /// Export every archived month to a file in this folder, then drop its table.
    pub drop_into: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_days: 30, patience: Duration::from_mins(5), drop_into: None }
    }
}

/// What a run did with a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was moved to the archive.
    Archived {
        /// Its first day.
        month: Date,
        /// Its nights: rows of inventory.
        nights: u64,
    },
    /// It was exported to a file and dropped from the archive.
    Dropped {
        /// Its first day.
        month: Date,
        /// The file.
        file: PathBuf,
        /// Nights in the file.
        nights: u64,
    },
}

/// Why a run stopped. Completed steps stay.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// Another run holds the archive's lock.
    #[error("another run is in progress")]
    AnotherRun,
    /// A lock was not granted within the patience: long transactions use the inventory.
    #[error("{month} could not be detached in {} s: long transactions are using the inventory; run it again", patience.as_secs())]
    Busy {
        /// The month.
        month: Date,
        /// How long the run waited.
        patience: Duration,
    },
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The cutoff is outside the supported range of dates.
    #[error(transparent)]
    Date(#[from] DateOutOfRange),
    /// The file does not have all archived nights; the table was not dropped.
    #[error("{month} has {expected} nights, but {written} were written; its table was not dropped")]
    Incomplete {
        /// The month.
        month: Date,
        /// Nights archived.
        expected: u64,
        /// Nights in the file.
        written: u64,
    },
}

impl From<ExportError> for ArchiveError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Store(error) => Self::Store(error),
            ExportError::File(error) => Self::File(error),
        }
    }
}

/// Archives every month that ended long enough before `now`, oldest first, and calls `progress` with each.
///
/// # Errors
/// See [`ArchiveError`]. The next run continues where this one stopped.
pub async fn run(
    pool: &PgPool,
    options: &Options,
    now: Timestamp,
    mut progress: impl FnMut(&Done),
) -> Result<Vec<Done>, ArchiveError> {
    let mut session = Session::begin(pool).await?.ok_or(ArchiveError::AnotherRun)?;
    let connection = &mut session.connection;
    let mut done = Vec::new();
    let cutoff = today(now).checked_sub(i64::from(options.keep_days).days()).map_err(|_| DateOutOfRange)?;
    for month in store::due(connection, cutoff).await? {
        let nights = archive(connection, month, options.patience).await?;
        done.push(Done::Archived { month, nights });
        done.last().into_iter().for_each(&mut progress);
    }
    if let Some(folder) = &options.drop_into {
        for month in store::kept(connection).await? {
            done.push(export_and_drop(connection, folder, month).await?);
            done.last().into_iter().for_each(&mut progress);
        }
    }
    session.end().await;
    Ok(done)
}

/// Moves a month, step by step, to the archive. Yields its nights.
async fn archive(connection: &mut PgConnection, month: Date, patience: Duration) -> Result<u64, ArchiveError> {
    store::note(connection, month).await?;
    let deadline = Instant::now() + patience;
    loop {
        let step = match store::place(connection, month).await? {
            Place::Attached => store::detach(connection, month).await,
            Place::Detaching => store::finish_detaching(connection, month).await,
            Place::Detached => store::move_to_archive(connection, month).await,
            Place::Archived | Place::Absent => return Ok(store::note_archived(connection, month).await?),
        };
        match step {
            Ok(()) => {}
            // The lock was not granted in time, or a deadlock was resolved against this step.
            Err(StoreError::Timeout(_) | StoreError::Conflict(_)) if Instant::now() < deadline => {
                sleep(RETRY_PAUSE).await;
            }
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
    store::drop_archived(connection, month).await?;
    Ok(Done::Dropped { month, file, nights: expected })
}
