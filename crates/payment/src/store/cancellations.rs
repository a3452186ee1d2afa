//! What the ends of reservations give back (`cancellation_settlement`).

use sqlx::PgConnection;
use staymesh_domain::{Money, ReservationId};
use staymesh_store::StoreError;

/// Saves what the end of a reservation gives back in all of its payments. The latest report counts.
///
/// # Errors
/// If the database fails or a constraint refuses the amount.
pub async fn save(connection: &mut PgConnection, id: ReservationId, refund: Money) -> Result<(), StoreError> {
    sqlx::query(
        "insert into cancellation_settlement (reservation_id, refund_minor, currency) values ($1, $2, $3)
         on conflict (reservation_id) do update
             set refund_minor = excluded.refund_minor, currency = excluded.currency, update_time = now()
             where (cancellation_settlement.refund_minor, cancellation_settlement.currency)
                 <> (excluded.refund_minor, excluded.currency)",
    )
    .bind(id.as_uuid())
    .bind(refund.minor())
    .bind(refund.currency().code())
    .execute(connection)
    .await?;
    Ok(())
}

/// What the end of a reservation gives back in all; `None` if it has not ended, or an earlier release settled its end.
///
/// # Errors
/// If the database fails.
pub async fn refund(connection: &mut PgConnection, id: ReservationId) -> Result<Option<Money>, StoreError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("select refund_minor, currency from cancellation_settlement where reservation_id = $1")
            .bind(id.as_uuid())
            .fetch_optional(connection)
            .await?;
    let broken = || StoreError::from(sqlx::Error::Decode("refund".into()));
    row.map(|(minor, currency)| Money::from_minor(minor, currency.parse().map_err(|_| broken())?).map_err(|_| broken()))
        .transpose()
}
