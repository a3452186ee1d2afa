//! SQL, and nothing but SQL.

pub(crate) mod clients;
pub(crate) mod keys;
pub(crate) mod logins;
pub(crate) mod purge;
pub(crate) mod users;

use std::time::Duration;

/// Whole seconds, for `make_interval`.
fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
