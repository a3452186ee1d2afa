//! What is to be paid for a booking: written before anything else of its payment.

use sqlx::PgExecutor;
use staymesh_store::StoreError;

use crate::model::NewPayment;

/// Writes what is to be paid, unless it was written before. What was written before with other terms stays as it is, and
/// then there can be no order with these.
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
