//! Refunds. Triggers update the sums and the status of their payment.

use sqlx::{FromRow, PgConnection, PgExecutor};
use staymesh_domain::{Money, PaymentId};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{Refund, RefundReason};

#[derive(FromRow)]
struct Row {
    refund_id: Uuid,
    payment_id: Uuid,
    reason: String,
    amount_minor: i64,
    currency: String,
    status: String,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select refund_id, payment_id, reason, refund.amount_minor, currency, refund.status
             from refund join payment_order using (payment_id) where ",
            $condition
        )
    };
}

impl TryFrom<Row> for Refund {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let reason = RefundReason::from_name(&row.reason).ok_or_else(|| broken("reason"))?;
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        Ok(Self {
            refund_id: row.refund_id,
            payment_id: row.payment_id.into(),
            reason,
            amount: Money::from_minor(row.amount_minor, currency).map_err(|_| broken("amount"))?,
            succeeded: row.status == "SUCCEEDED",
        })
    }
}

/// Inserts a requested refund. The payment is locked.
///
/// # Errors
/// If the database fails, or a constraint refuses the amount, the status or a reused request id.
pub async fn insert(connection: &mut PgConnection, refund: &Refund, request_id: Uuid) -> Result<(), StoreError> {
    sqlx::query(
        "insert into refund (refund_id, payment_id, reason, request_id, amount_minor) values ($1, $2, $3, $4, $5)",
    )
    .bind(refund.refund_id)
    .bind(refund.payment_id.as_uuid())
    .bind(refund.reason.as_str())
    .bind(request_id)
    .bind(refund.amount.minor())
    .execute(connection)
    .await?;
    Ok(())
}

/// A refund; `None` if it does not exist.
///
/// # Errors
/// If the database fails.
pub async fn find(executor: impl PgExecutor<'_>, refund_id: Uuid) -> Result<Option<Refund>, StoreError> {
    let row: Option<Row> = sqlx::query_as(select!("refund_id = $1")).bind(refund_id).fetch_optional(executor).await?;
    row.map(Refund::try_from).transpose()
}

/// The refund that an earlier request with this reason and id made.
///
/// # Errors
/// If the database fails.
pub async fn find_by_request(
    connection: &mut PgConnection,
    reason: RefundReason,
    request_id: Uuid,
) -> Result<Option<Refund>, StoreError> {
    let row: Option<Row> = sqlx::query_as(select!("reason = $1 and request_id = $2"))
        .bind(reason.as_str())
        .bind(request_id)
        .fetch_optional(connection)
        .await?;
    row.map(Refund::try_from).transpose()
}

/// Marks a refund as succeeded; `false` if it already is.
///
/// # Errors
/// If the database fails.
pub async fn succeed(
    connection: &mut PgConnection,
    payment_id: PaymentId,
    refund_id: Uuid,
    psp_refund: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update refund set status = 'SUCCEEDED', succeeded_at = now(), psp_refund = $3
         where refund_id = $1 and payment_id = $2 and status = 'REQUESTED'",
    )
    .bind(refund_id)
    .bind(payment_id.as_uuid())
    .bind(psp_refund)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
