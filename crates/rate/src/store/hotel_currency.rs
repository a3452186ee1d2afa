//! Table `hotel_currency`: the currency of each hotel that has rates or taxes, as the hotel service returned it.

use sqlx::PgConnection;
use staymesh_domain::{Currency, HotelId};

use crate::error::RateError;

/// Inserts the currency of a hotel. A hotel that is known already keeps its currency; foreign keys then refuse rates and
/// taxes in another one.
pub(crate) async fn insert_if_absent(
    connection: &mut PgConnection,
    hotel_id: HotelId,
    currency: Currency,
) -> Result<(), RateError> {
    sqlx::query(
        "insert into hotel_currency (hotel_id, currency_code) values ($1, $2)
         on conflict on constraint hotel_currency_pkey do nothing",
    )
    .bind(hotel_id.get())
    .bind(currency.code())
    .execute(connection)
    .await?;
    Ok(())
}
