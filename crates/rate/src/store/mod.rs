//! SQL of the rate database, one module per table; [`stay`] joins those that price a stay.

pub(crate) mod audit;
pub(crate) mod hotel_currency;
pub(crate) mod nightly_price;
mod policy_record;
pub(crate) mod room_rate;
pub(crate) mod stay;
pub(crate) mod tax;
mod two_numbers;

use staymesh_domain::Money;

use crate::error::RateError;

/// A stored amount, from its minor units and the ISO 4217 code beside them.
///
/// # Errors
/// [`RateError::StoredAmount`].
fn stored_money(minor: i64, currency_code: &str) -> Result<Money, RateError> {
    let currency = currency_code.parse().map_err(RateError::StoredAmount)?;
    Money::from_minor(minor, currency).map_err(RateError::StoredAmount)
}
