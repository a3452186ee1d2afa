//! Creation and migration of a service's own database.
//!
//! Migrations are embedded in the binary (`sqlx::migrate!("../../migrations/reservation")`), run by an explicit
//! command, and follow expand and contract: the binaries before and after a migration both work on its result (see
//! `migrations/README.md`). A database may therefore be ahead of a binary, never behind it.

mod sessions;

use std::collections::HashMap;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateDatabase, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};
use tokio::time::{Instant, sleep, timeout};

use crate::pool::session;
use crate::{Cause, InvalidDatabaseUrl, StoreConfig, StoreError};

/// Longest wait of a migration for one lock. Other transactions queue up behind a waiting migration, so it gives up and
/// retries instead.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// Why a database could not be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database URL is invalid.
    #[error(transparent)]
    Url(#[from] InvalidDatabaseUrl),
    /// The database failed or is unavailable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another session held the migration lock, or a lock on a table, until `patience` was exceeded.
    #[error("other migrations or long transactions kept their locks for {} s; try again", .0.as_secs())]
    Busy(Duration),
    /// A migration failed. It was rolled back, unless it is marked `-- no-transaction`.
    #[error("migration {version} failed: {cause}")]
    Failed {
        /// The number at the start of its file name.
        version: i64,
        /// The error of the database.
        cause: Cause,
    },
    /// A migration differs from the one that was applied with its number.
    #[error("migration {0} was edited after it had been applied; restore it and write a new one")]
    Edited(i64),
    /// The table of applied migrations is inconsistent.
    #[error("{0}")]
    Bookkeeping(String),
}

/// Creates the database of the URL unless it exists. Returns whether it was created. Needs the right to create databases
/// only in that case.
///
/// # Errors
/// When the server is unavailable or refuses.
pub async fn ensure_database(config: &StoreConfig) -> Result<bool, MigrateError> {
    let options = session(config)?;
    match open(&options).await {
        Ok(connection) => {
            connection.close().await.map_err(StoreError::from)?;
            return Ok(false);
        }
        Err(error) if sqlstate(&error) == Some("3D000".into()) => {}
        Err(error) => return Err(StoreError::from(error).into()),
    }
    match Postgres::create_database(config.database_url.expose_secret()).await {
        Ok(()) => Ok(true),
        // Another process created it first: it existed already, or was created at the same time.
        Err(error) if matches!(sqlstate(&error).as_deref(), Some("42P04" | "23505")) => Ok(false),
        Err(error) => Err(StoreError::from(error).into()),
    }
}

/// Applies missing migrations, one process at a time under sqlx's advisory lock. Waits for locks for about `patience` at
/// most; statements have no time limit. Idempotent, and safe to run from every replica at once.
///
/// After a migration that changed the columns of a table, closes the sessions of this role: statements that they have
/// prepared may not fit any more.
///
/// # Errors
/// See [`MigrateError`].
pub async fn run(config: &StoreConfig, migrator: &Migrator, patience: Duration) -> Result<(), MigrateError> {
    let options = session(config)?.application_name(sessions::APPLICATION_NAME).options([
        ("statement_timeout", "0".to_owned()),
        ("lock_timeout", LOCK_TIMEOUT.min(patience).as_millis().max(1).to_string()),
    ]);
    // The database may have migrations of newer binaries: expand and contract keeps their schema compatible.
    let mut migrator = Migrator::with_migrations(migrator.iter().cloned().collect());
    migrator.set_ignore_missing(true);

    let deadline = Instant::now() + patience;
    loop {
        // A separate connection: sqlx does not release its advisory lock on failure, only the end of the session does.
        let mut connection = open(&options).await.map_err(StoreError::from)?;
        let result = apply(&migrator, &mut connection).await;
        let closed = connection.close().await;
        match result {
            Ok(()) => return closed.map_err(|error| StoreError::from(error).into()),
            Err(error) if waited_for_lock(&error) && Instant::now() < deadline => sleep(PAUSE).await,
            Err(error) if waited_for_lock(&error) => return Err(MigrateError::Busy(patience)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Closes the sessions of this role that are open, as a migration that changed columns does: for one that ended before it did so.
///
/// # Errors
/// When the database fails.
pub async fn close_sessions(config: &StoreConfig) -> Result<(), MigrateError> {
    let options = session(config)?.application_name(sessions::APPLICATION_NAME);
    let mut connection = open(&options).await.map_err(StoreError::from)?;
    sessions::close_open(&mut connection).await.map_err(StoreError::from)?;
    connection.close().await.map_err(|error| StoreError::from(error).into())
}

/// Applies the missing migrations one by one.
async fn apply(migrator: &Migrator, connection: &mut PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    let known = "select to_regclass('_sqlx_migrations') is not null";
    let applied: Vec<i64> = if sqlx::query_scalar(known).fetch_one(&mut *connection).await? {
        sqlx::query_scalar("select version from _sqlx_migrations").fetch_all(&mut *connection).await?
    } else {
        Vec::new()
    };
    for missing in migrator.iter().filter(|migration| !applied.contains(&migration.version)) {
        let before = sessions::Columns::read(connection).await?;
        migrator.run_direct(Some(missing.version), connection, false).await?;
        if sessions::Columns::read(connection).await?.differ_from(&before) {
            // The migration is applied: a repeat would not come here again.
            if let Err(error) = sessions::close_open(connection).await {
                tracing::error!(error.cause = %error, "sessions left open: run `staymesh migrate --close-sessions`");
            }
        }
    }
    // Also compares those that were applied.
    migrator.run_direct(None, connection, false).await
}

/// Whether the database has every migration of this binary, unedited. It may have newer ones.
///
/// # Errors
/// When the database fails.
pub async fn is_current(pool: &PgPool, migrator: &Migrator) -> Result<bool, StoreError> {
    let applied: Result<Vec<(i64, Vec<u8>)>, _> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success").fetch_all(pool).await;
    let applied: HashMap<i64, Vec<u8>> = match applied {
        Ok(rows) => rows.into_iter().collect(),
        // No migration was ever applied.
        Err(error) if sqlstate(&error).as_deref() == Some("42P01") => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let mut needed = migrator.iter().filter(|migration| !migration.migration_type.is_down_migration());
    Ok(needed.all(|migration| applied.get(&migration.version).is_some_and(|sum| **sum == *migration.checksum)))
}

async fn open(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    timeout(CONNECT_TIMEOUT, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(DatabaseError::code).map(Into::into)
}

fn waited_for_lock(error: &sqlx::migrate::MigrateError) -> bool {
    use sqlx::migrate::MigrateError as E;
    match error {
        E::Execute(error) | E::ExecuteMigration(error, _) => sqlstate(error).as_deref() == Some("55P03"),
        _ => false,
    }
}

impl From<sqlx::migrate::MigrateError> for MigrateError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError as E;
        match error {
            E::Execute(error) => Self::Store(error.into()),
            E::ExecuteMigration(error, version) => match StoreError::from(error) {
                error @ StoreError::Unavailable(_) => Self::Store(error),
                StoreError::Timeout(cause)
                | StoreError::Conflict(cause)
                | StoreError::Constraint { cause, .. }
                | StoreError::Unexpected(cause) => Self::Failed { version, cause },
            },
            E::VersionMismatch(version) => Self::Edited(version),
            other => Self::Bookkeeping(other.to_string()),
        }
    }
}
