//! Rules of rates: what staff may set, and what a stay costs.

mod nights;
mod paid_nights;
mod pricing;
mod rates;
mod stays;
mod taxes;

use sqlx::PgPool;
use staymesh_domain::{Currency, HotelId, Money, RoomTypeId};

use crate::{clients::hotel::HotelClient, error::RateError};

/// The rates and taxes of all hotels.
pub(crate) struct RateService {
    pool: PgPool,
    hotels: Box<dyn HotelClient>,
}

impl RateService {
    /// The database, for the audit records.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The rates in this database; `hotels` validates hotels, room types and currencies.
    pub(crate) fn new(pool: PgPool, hotels: Box<dyn HotelClient>) -> Self {
        Self { pool, hotels }
    }
}

/// Checks that the amount in `field` is in the currency of the hotel.
///
/// # Errors
/// [`RateError::CurrencyMismatch`].
fn require_currency(amount: Money, expected: Currency, field: impl FnOnce() -> String) -> Result<(), RateError> {
    if amount.currency() == expected {
        return Ok(());
    }
    Err(RateError::CurrencyMismatch { field: field(), expected })
}

/// The etag of a version of the nightly prices of a room type.
fn nights_etag(room_type_id: RoomTypeId, version: i64) -> String {
    format!("n{:x}-{version:x}", room_type_id.get())
}

/// The etag of a version of the taxes of a hotel.
fn tax_etag(hotel_id: HotelId, version: i64) -> String {
    format!("t{:x}-{version:x}", hotel_id.get())
}

/// Optimistic concurrency control: an empty etag accepts any version.
///
/// # Errors
/// [`RateError::EtagMismatch`].
fn require_etag(given: &str, current: &str) -> Result<(), RateError> {
    if given.is_empty() || given == current { Ok(()) } else { Err(RateError::EtagMismatch) }
}

/// The error for a foreign key violation on `hotel_currency`: the hotel service returned another currency than it did
/// when the hotel's first rate was set. A hotel's currency is immutable, so this cannot happen unless data is corrupt.
fn currency_changed(field: String, current: Currency) -> RateError {
    RateError::CurrencyMismatch { field, expected: current }
}

#[cfg(test)]
mod tests;
