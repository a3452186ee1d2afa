//! What is noted of a locked payment beside its status.

use sqlx::PgConnection;
use staymesh_domain::{Money, PaymentId};
use staymesh_store::StoreError;

/// Notes that the provider reviews a locked payment; `false` if that is noted.
///
/// # Errors
/// If the database fails.
pub async fn note_review(connection: &mut PgConnection, id: PaymentId) -> Result<bool, StoreError> {
    let noted = sqlx::query(
        "update payment_order set in_review_since = now() where payment_id = $1 and in_review_since is null",
    )
    .bind(id.as_uuid())
    .execute(connection)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Notes that a card was declined for a locked payment; `false` if it is not pending any more.
///
/// # Errors
/// If the database fails.
pub async fn note_decline(connection: &mut PgConnection, id: PaymentId) -> Result<bool, StoreError> {
    let noted =
        sqlx::query("update payment_order set declined_at = now() where payment_id = $1 and status = 'PENDING'")
            .bind(id.as_uuid())
            .execute(connection)
            .await?;
    Ok(noted.rows_affected() == 1)
}

/// Notes that the reservation service does not accept a locked payment, so that all of it goes back; `false` if that is noted.
///
/// # Errors
/// If the database fails.
pub async fn note_refusal(connection: &mut PgConnection, id: PaymentId) -> Result<bool, StoreError> {
    let noted = sqlx::query("update payment_order set refused_at = now() where payment_id = $1 and refused_at is null")
        .bind(id.as_uuid())
        .execute(connection)
        .await?;
    Ok(noted.rows_affected() == 1)
}

/// Notes that the reservation of a locked payment has ended. Idempotent.
///
/// # Errors
/// If the database fails.
pub async fn note_end(connection: &mut PgConnection, id: PaymentId) -> Result<(), StoreError> {
    sqlx::query(
        "update payment_order set reservation_ended_at = now() where payment_id = $1 and reservation_ended_at is null",
    )
    .bind(id.as_uuid())
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes what the end of the reservation of a locked payment gives back in all.
///
/// # Errors
/// If the database fails, or a constraint refuses the amount.
pub async fn note_refund_due(connection: &mut PgConnection, id: PaymentId, due: Money) -> Result<(), StoreError> {
    sqlx::query("update payment_order set refund_due_minor = $2 where payment_id = $1")
        .bind(id.as_uuid())
        .bind(due.minor())
        .execute(connection)
        .await?;
    Ok(())
}
