//! The terms of a payment by reservation, saved before its first order.

use sqlx::PgExecutor;
use staymesh_store::StoreError;

use crate::model::NewPayment;

/// Saves the terms, unless the reservation has some. Existing terms are never changed; a foreign key refuses orders with
/// other terms.
///
/// # Errors
/// If the database fails.
pub async fn save(executor: impl PgExecutor<'_>, new: &NewPayment) -> Result<(), StoreError> {
    sqlx::query(
        "insert into payment_event (reservation_id, hotel_id, owner, amount_minor, currency)
         values ($1, $2, $3, $4, $5)
         on conflict (reservation_id) do nothing",
    )
    .bind(new.reservation_id.as_uuid())
    .bind(new.reservation_id.hotel_id().get())
    .bind(&new.owner)
    .bind(new.amount.minor())
    .bind(new.amount.currency().code())
    .execute(executor)
    .await?;
    Ok(())
}
