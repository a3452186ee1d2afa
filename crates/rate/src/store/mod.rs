//! The SQL of the service.

pub mod nightly;
pub mod rate;
pub mod stay;
pub mod tax;

use sqlx::PgConnection;
use staymesh_domain::{Currency, Money};

use crate::RateError;

/// Notes the currency of a hotel, unless it is known. A hotel that is known with another currency keeps that one, and
/// its rates and taxes are then refused by their foreign keys.
pub async fn note_currency(connection: &mut PgConnection, hotel_id: i32, currency: Currency) -> Result<(), RateError> {
    sqlx::query(
        "insert into hotel_currency (hotel_id, currency_code) values ($1, $2)
         on conflict on constraint hotel_currency_pkey do nothing",
    )
    .bind(hotel_id)
    .bind(currency.code())
    .execute(connection)
    .await?;
    Ok(())
}

/// An amount as it was stored.
fn stored(minor: i64, currency_code: &str) -> Result<Money, RateError> {
    let currency = currency_code.parse().map_err(RateError::StoredAmount)?;
    Money::from_minor(minor, currency).map_err(RateError::StoredAmount)
}
