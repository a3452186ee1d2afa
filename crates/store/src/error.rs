//! Errors of the database, classified by what the service should do: fail, retry, or report a domain error.

use std::fmt;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::stale_plan;

/// A failed statement or connection.
///
/// Contains no row data, not in `Display`, `Debug` or `source`. Messages of `PostgreSQL` may quote a guest's name or e-mail
/// address; [`Cause`] keeps only the parts that cannot.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unreachable, out of resources, starting, stopping or failing over. The outcome of a commit in flight
    /// is unknown: retry only what is idempotent.
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// A statement or a lock exceeded its time limit; the transaction is rolled back.
    #[error("the database exceeded a time limit")]
    Timeout(#[source] Cause),
    /// Serialization failure, deadlock, or a plan that a migration made stale; the same transaction may succeed when retried.
    #[error("the transaction conflicted with a concurrent one")]
    Conflict(#[source] Cause),
    /// A named constraint, or a trigger that raised in its name, refused the change.
    #[error("constraint {name} refused the change")]
    Constraint {
        /// Name of the constraint, as in the migrations.
        name: String,
        /// Details for the log.
        #[source]
        cause: Cause,
    },
    /// Anything else: a bug, a schema that does not match the code, data that does not decode.
    #[error("the database returned an unexpected response")]
    Unexpected(#[source] Cause),
}

impl StoreError {
    /// The constraint that refused the change, if one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether an immediate retry of the same transaction may succeed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

/// The loggable part of a database error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The SQLSTATE (five characters), if the server reported the error.
    pub sqlstate: Option<String>,
    /// What happened, without row data.
    pub summary: String,
}

impl Cause {
    pub(crate) fn new(summary: impl Into<String>) -> Self {
        Self { sqlstate: None, summary: summary.into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sqlstate {
            Some(code) => write!(f, "SQLSTATE {code}: {}", self.summary),
            None => f.write_str(&self.summary),
        }
    }
}

impl std::error::Error for Cause {}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => from_database(error.as_ref()),
            // sqlx reports a connection that breaks during setup as a protocol error.
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(Cause::new(error.to_string()))
            }
            // The texts of these errors may quote the value.
            E::ColumnDecode { index, .. } => Self::Unexpected(Cause::new(format!("column {index} does not decode"))),
            E::Decode(_) => Self::Unexpected(Cause::new("a value does not decode")),
            E::Encode(_) => Self::Unexpected(Cause::new("a value does not encode")),
            E::Migrate(_) => Self::Unexpected(Cause::new("a migration failed")),
            other => Self::Unexpected(Cause::new(other.to_string())),
        }
    }
}

fn from_database(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let cause = Cause { sqlstate: Some(code.to_string()), summary: summary(error, &code) };
    match code.as_ref() {
        "40001" | "40P01" => StoreError::Conflict(cause),
        _ if stale_plan::is_refused(error, &code) => StoreError::Conflict(cause),
        // statement_timeout; lock_timeout; idle_in_transaction_session_timeout.
        "57014" | "55P03" | "25P03" => StoreError::Timeout(cause),
        _ if is_outage(&code) => StoreError::Unavailable(cause),
        _ => match error.constraint() {
            Some(name) => StoreError::Constraint { name: name.to_owned(), cause },
            None => StoreError::Unexpected(cause),
        },
    }
}

/// Connection exceptions (08), insufficient resources (53), operator intervention (57P), system errors (58); also a
/// read-only server (25006), which is a former primary, and a missing database (3D000), which is not created yet.
fn is_outage(code: &str) -> bool {
    ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) || code == "25006" || code == "3D000"
}

/// The server's message if it cannot contain row data, otherwise the names of routine, table and constraint.
///
/// Kept: messages of outages, conflicts, limits and errors in the SQL text, which is static. Not kept: data exceptions (22),
/// which quote the value, and messages raised by functions, with any code.
fn summary(error: &dyn DatabaseError, code: &str) -> String {
    let details = error.try_downcast_ref::<PgDatabaseError>();
    let routine = details.and_then(PgDatabaseError::routine).unwrap_or("unknown");
    let harmless = ["08", "25", "3D", "40", "42", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class));
    if harmless && routine != "exec_stmt_raise" {
        return error.message().to_owned();
    }
    let (table, constraint) = (error.table().unwrap_or("unknown"), error.constraint().unwrap_or("none"));
    format!("refused in {routine}, table {table}, constraint {constraint}")
}
