//! Payments and refunds at a hotel's desk.

use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{PaymentId, ReservationId};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{BOOKING, DeskPayment, NewPayment};

/// Locks the saved terms of a revision until the end of the transaction: payments of them at the desk are recorded one after
/// the other.
///
/// # Errors
/// If the database fails or the lock times out.
pub async fn lock_terms(connection: &mut PgConnection, id: ReservationId, revision: i32) -> Result<(), StoreError> {
    let lock = if revision == BOOKING {
        "select from payment_event where reservation_id = $1 and $2 = 1 for no key update"
    } else {
        "select from payment_change where reservation_id = $1 and revision = $2 for no key update"
    };
    sqlx::query(lock).bind(id.as_uuid()).bind(revision).execute(connection).await?;
    Ok(())
}

/// Inserts a payment that was taken at the desk, still pending. `by` is the subject of who recorded it. `false` if another
/// payment of the reservation is pending.
///
/// # Errors
/// If the database fails, or a constraint refuses its terms.
pub async fn insert(
    connection: &mut PgConnection,
    new: &NewPayment,
    desk: &DeskPayment,
    by: &str,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "insert into payment_order
             (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, expire_time, next_check_at,
              tax_minor, commission_minor, check_out, revision, method, desk_reference, recorded_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (reservation_id) where status = 'PENDING' do nothing",
    )
    .bind(new.payment_id.as_uuid())
    .bind(new.reservation_id.as_uuid())
    .bind(new.reservation_id.hotel_id().get())
    .bind(&new.owner)
    .bind(new.amount.minor())
    .bind(new.amount.currency().code())
    .bind(new.expire_time.to_sqlx())
    .bind(new.next_check_time.to_sqlx())
    .bind(new.split.tax().minor())
    .bind(new.split.commission().minor())
    .bind(new.check_out.to_sqlx())
    .bind(new.revision)
    .bind(desk.method.as_str())
    .bind(&desk.reference)
    .bind(by)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Marks a refund as given at the desk; `false` if it has succeeded. The payment is locked.
///
/// # Errors
/// If the database fails.
pub async fn give_refund(
    connection: &mut PgConnection,
    payment_id: PaymentId,
    refund_id: Uuid,
    reference: Option<&str>,
    by: &str,
) -> Result<bool, StoreError> {
    let given = sqlx::query(
        "update refund set status = 'SUCCEEDED', succeeded_at = now(), given_reference = $3, given_by = $4
         where refund_id = $1 and payment_id = $2 and status = 'REQUESTED'",
    )
    .bind(refund_id)
    .bind(payment_id.as_uuid())
    .bind(reference)
    .bind(by)
    .execute(connection)
    .await?;
    Ok(given.rows_affected() == 1)
}
