//! The pool of connections.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::{StoreConfig, StoreError, bounded};

/// A connection that came back this short a while ago is handed out untested: it was tested when it came.
const TESTED_JUST_NOW: Duration = Duration::from_secs(1);

/// The database URL cannot be read. It is not repeated here, for it holds a password.
#[derive(Debug, thiserror::Error)]
#[error("the database URL must look like postgres://user:password@host:port/database")]
pub struct InvalidDatabaseUrl;

/// A pool that opens connections when they are asked for, and again after they broke.
///
/// So a service starts, and stays up, while its database is away: requests fail as [`StoreError::Unavailable`] within
/// the acquire timeout, readiness tells, and the first request after the outage finds its way by itself.
///
/// A connection is tested when it comes back and when it has been idle, each time within a limit: without one, a server
/// that hangs, or a network that swallows packets, would keep the connection's place in the pool for as long as the
/// kernel goes on sending, which is a quarter of an hour.
pub fn connect(config: &StoreConfig) -> Result<PgPool, InvalidDatabaseUrl> {
    let before = config.database_acquire_timeout / 2;
    // Work that was dropped may have left a statement running; a server that lives ends it within its limit.
    let after = config.database_statement_timeout + config.database_acquire_timeout;
    let pool = PgPoolOptions::new()
        .max_connections(config.database_max_connections)
        .acquire_timeout(config.database_acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            Box::pin(async move { Ok(meta.idle_for < TESTED_JUST_NOW || answers(connection, before).await.is_ok()) })
        })
        // An error, not `false`: that would say goodbye to somebody who does not listen.
        .after_release(move |connection, _| Box::pin(async move { answers(connection, after).await.map(|()| true) }))
        .connect_lazy_with(session(config)?);
    Ok(pool)
}

async fn answers(connection: &mut PgConnection, limit: Duration) -> Result<(), sqlx::Error> {
    let silence = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
    timeout(limit, connection.ping()).await.unwrap_or_else(silence)
}

/// Asks the server for an answer, for readiness.
pub async fn ping(pool: &PgPool, deadline: Duration) -> Result<(), StoreError> {
    bounded(deadline, async { Ok(sqlx::query("select 1").execute(pool).await.map(drop)?) }).await
}

/// How to open one connection. The limits travel in the startup message, so no connection is ever without them.
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

/// Never zero, which would mean "no limit".
fn millis(limit: Duration) -> String {
    limit.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unreadable_url_is_refused_without_showing_it() {
        for url in ["", "hunter2", "mysql://u:hunter2@h/db", "postgres://u:hunter2@h:99999/db"] {
            let error = connect(&StoreConfig::new(url)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
