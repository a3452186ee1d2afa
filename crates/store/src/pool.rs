//! The pool of connections.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{Cause, StoreConfig, StoreError};

/// The database URL cannot be read. It is not repeated here, for it holds a password.
#[derive(Debug, thiserror::Error)]
#[error("the database URL must look like postgres://user:password@host:port/database")]
pub struct InvalidDatabaseUrl;

/// A pool that opens connections when they are asked for, and again after they broke.
///
/// So a service starts, and stays up, while its database is away: requests fail as [`StoreError::Unavailable`] within
/// the acquire timeout, readiness tells, and the first request after the outage finds its way by itself. Each idle
/// connection is tested before it is handed out.
pub fn connect(config: &StoreConfig) -> Result<PgPool, InvalidDatabaseUrl> {
    let pool = PgPoolOptions::new()
        .max_connections(config.database_max_connections)
        .acquire_timeout(config.database_acquire_timeout)
        .connect_lazy_with(session(config)?);
    Ok(pool)
}

/// Asks the server for an answer, for readiness.
pub async fn ping(pool: &PgPool, deadline: Duration) -> Result<(), StoreError> {
    let answer = tokio::time::timeout(deadline, sqlx::query("select 1").execute(pool)).await;
    match answer {
        Ok(result) => Ok(result.map(drop)?),
        Err(_) => Err(StoreError::Unavailable(Cause::new("no answer within the deadline"))),
    }
}

/// How to open one connection. The limits travel in the startup message, so no connection is ever without them.
pub(crate) fn session(config: &StoreConfig) -> Result<PgConnectOptions, InvalidDatabaseUrl> {
    let url = config.database_url.expose_secret();
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(InvalidDatabaseUrl);
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| InvalidDatabaseUrl)?;
    Ok(options.application_name(&config.database_application_name).options([
        ("statement_timeout", millis(config.database_statement_timeout)),
        ("lock_timeout", millis(config.database_lock_timeout)),
        ("idle_in_transaction_session_timeout", millis(config.database_idle_in_transaction_timeout)),
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
