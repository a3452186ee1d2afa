//! What can go wrong between a service and its database, sorted by what the service should do about it.

use std::fmt;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// A failed statement or connection.
///
/// Nothing in it shows row data, by `Display`, `Debug` or `source`: messages of `PostgreSQL` may quote a guest's name
/// or email address, so of those only the parts that cannot are kept, in a [`Cause`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is full, is starting, stopping or failing over. Nothing is known about what a
    /// commit in flight did; a repeat is safe only because it is idempotent.
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// A statement or lock took longer than its limit; its transaction is rolled back.
    #[error("the database took too long")]
    Timeout(#[source] Cause),
    /// Serialization failure or deadlock; the same transaction may succeed when run again.
    #[error("the transaction lost against a concurrent one")]
    Conflict(#[source] Cause),
    /// A named constraint, or a trigger that raised in its name, refused the change.
    #[error("constraint {name} refused the change")]
    Constraint {
        /// The name it has in the migrations.
        name: String,
        /// More for the log.
        #[source]
        cause: Cause,
    },
    /// Anything else: a bug, a schema that does not fit, data that does not decode.
    #[error("the database gave an unexpected answer")]
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

    /// Whether running the same transaction again at once may succeed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

/// What the log may know about an error of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The five characters of SQLSTATE, when the server itself refused.
    pub sqlstate: Option<String>,
    /// What happened, free of row data.
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
            // A connection that is cut while it is being set up is a violated protocol to sqlx.
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(Cause::new(error.to_string()))
            }
            // The texts of these may quote the value that did not fit.
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
        // Cancelled by statement_timeout; no lock in time; idle in transaction for too long.
        "57014" | "55P03" | "25P03" => StoreError::Timeout(cause),
        _ if is_outage(&code) => StoreError::Unavailable(cause),
        _ => match error.constraint() {
            Some(name) => StoreError::Constraint { name: name.to_owned(), cause },
            None => StoreError::Unexpected(cause),
        },
    }
}

/// Connection exceptions (08), lack of resources (53), the operator's interventions (57P) and errors of the system
/// (58); a server that has become read-only is a former primary, and a database that is missing is not made yet.
fn is_outage(code: &str) -> bool {
    ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) || code == "25006" || code == "3D000"
}

/// The server's words where they cannot hold row data, otherwise the names of what was touched.
///
/// Words are kept of outages, conflicts, limits and errors in the SQL text, which is static. Not of data exceptions
/// (22), which quote the value, and not of what functions raise, whatever code they raise it with.
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
