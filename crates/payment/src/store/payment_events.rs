//! The terms of a payment by reservation and revision, saved before its first order.

use sqlx::PgExecutor;
use staymesh_store::StoreError;

use crate::model::{BOOKING, NewPayment};

/// Saves the terms, unless the revision of the reservation has some. Existing terms are never changed; a trigger refuses
/// orders with other terms. Those of the booking itself are in a table of their own, which the release before writes.
///
/// # Errors
/// If the database fails.
pub async fn save(executor: impl PgExecutor<'_>, new: &NewPayment) -> Result<(), StoreError> {
    let of_booking = new.revision == BOOKING;
    let insert = if of_booking {
        "insert into payment_event (reservation_id, hotel_id, owner, amount_minor, currency)
         values ($1, $2, $3, $4, $5)
         on conflict (reservation_id) do nothing"
    } else {
        "insert into payment_change (reservation_id, hotel_id, owner, amount_minor, currency, revision)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (reservation_id, revision) do nothing"
    };
    let insert = sqlx::query(insert)
        .bind(new.reservation_id.as_uuid())
        .bind(new.reservation_id.hotel_id().get())
        .bind(&new.owner)
        .bind(new.amount.minor())
        .bind(new.amount.currency().code());
    let insert = if of_booking { insert } else { insert.bind(new.revision) };
    insert.execute(executor).await?;
    Ok(())
}
