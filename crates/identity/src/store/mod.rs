//! SQL of the identity database, one module per table or pair of tables that are written together.

pub(crate) mod audit;
pub(crate) mod client_secrets;
pub(crate) mod clients;
pub(crate) mod guest_keys;
pub(crate) mod guests;
pub(crate) mod logins;
pub(crate) mod mail_tokens;
pub(crate) mod purge;
pub(crate) mod revoked;
pub(crate) mod signing_keys;
pub(crate) mod users;

use std::time::Duration;

/// Whole seconds of a duration, for `make_interval`.
///
/// # Errors
/// [`sqlx::Error::Encode`] beyond `i64::MAX` seconds.
fn seconds(duration: Duration) -> sqlx::Result<i64> {
    i64::try_from(duration.as_secs()).map_err(|error| sqlx::Error::Encode(error.into()))
}
