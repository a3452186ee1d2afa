//! The connection pool.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::{StoreConfig, StoreError, bounded, stale_plan};

/// A connection that was released less than this ago is handed out untested, because it was tested on release.
const RECENTLY_TESTED: Duration = Duration::from_secs(1);

/// The database URL is invalid. The error does not contain it, because it contains a password.
#[derive(Debug, thiserror::Error)]
#[error("the database URL must look like postgres://user:password@host:port/database")]
pub struct InvalidDatabaseUrl;

/// A pool that opens connections on demand and replaces broken ones.
///
/// A service therefore starts, and keeps running, while its database is unavailable: requests fail as
/// [`StoreError::Unavailable`] within the acquire timeout, the readiness probe fails, and the pool recovers by itself.
///
/// Connections are tested on release, and before use after idle time, each within a deadline. Without one, a server that
/// hangs or a network that drops packets would occupy a slot of the pool until the kernel stops retransmitting, about 15
/// minutes.
///
/// # Errors
/// When the URL is invalid.
pub fn connect(config: &StoreConfig) -> Result<PgPool, InvalidDatabaseUrl> {
    let before = config.database_acquire_timeout / 2;
    // Work that was dropped may have left a statement running; a responsive server ends it within its limit.
    let after = config.database_statement_timeout + config.database_acquire_timeout;
    let pool = PgPoolOptions::new()
        .max_connections(config.database_max_connections)
        .acquire_timeout(config.database_acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            Box::pin(async move {
                let answers = meta.idle_for < RECENTLY_TESTED || answers(connection, before).await.is_ok();
                Ok(answers && !stale_plan::may_have(meta.age))
            })
        })
        // An error closes the connection without the farewell message of `false`, which could block.
        .after_release(move |connection, _| Box::pin(async move { answers(connection, after).await.map(|()| true) }))
        .connect_lazy_with(session(config)?);
    Ok(pool)
}

async fn answers(connection: &mut PgConnection, limit: Duration) -> Result<(), sqlx::Error> {
    let silence = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
    timeout(limit, connection.ping()).await.unwrap_or_else(silence)
}

/// Runs `select 1` within `deadline`, as a readiness probe.
///
/// # Errors
/// When the database does not respond in time.
pub async fn ping(pool: &PgPool, deadline: Duration) -> Result<(), StoreError> {
    bounded(deadline, async { Ok(sqlx::query("select 1").execute(pool).await.map(drop)?) }).await
}

/// Options of a connection. The time limits are part of the startup message, so every connection has them.
pub(crate) fn session(config: &StoreConfig) -> Result<PgConnectOptions, InvalidDatabaseUrl> {
    let url = config.database_url.expose_secret();
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(InvalidDatabaseUrl);
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| InvalidDatabaseUrl)?;
    let plans = if config.database_plan_once { "force_generic_plan" } else { "auto" };
    Ok(options.application_name(&config.database_application_name).options([
        ("statement_timeout", millis(config.database_statement_timeout)),
        ("lock_timeout", millis(config.database_lock_timeout)),
        ("idle_in_transaction_session_timeout", millis(config.database_idle_in_transaction_timeout)),
        ("plan_cache_mode", plans.to_owned()),
    ]))
}

/// At least 1, because zero means "no limit".
fn millis(limit: Duration) -> String {
    limit.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn invalid_url_is_refused_without_showing_it() {
        for url in ["", "hunter2", "mysql://u:hunter2@h/db", "postgres://u:hunter2@h:99999/db"] {
            let error = connect(&StoreConfig::new(url)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
