//! Rules of the catalog: what a read may see, how an update merges, when a create is a retry, when a delete is refused.

mod create;
mod hotels;
mod room_types;
mod rooms;

pub(crate) use create::{Create, Created};

use sqlx::PgPool;

use crate::{clients::reservation::ReservationClient, error::HotelError};

/// The hotels, room types and rooms of the chain.
pub(crate) struct CatalogService {
    pool: PgPool,
    reservations: Box<dyn ReservationClient>,
}

impl CatalogService {
    /// The database, for the audit records.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The catalog in this database; deletes are cleared with `reservations`.
    pub(crate) fn new(pool: PgPool, reservations: Box<dyn ReservationClient>) -> Self {
        Self { pool, reservations }
    }
}

/// Optimistic concurrency control: accepts a change only for the version it was based on. An empty etag accepts any
/// version.
///
/// # Errors
/// [`HotelError::EtagMismatch`].
fn require_etag(given: &str, current: &str) -> Result<(), HotelError> {
    if given.is_empty() || given == current { Ok(()) } else { Err(HotelError::EtagMismatch) }
}

#[cfg(test)]
mod tests;
