//! Refunds. Triggers update the sums and the status of their payment.

use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use staymesh_domain::{Money, PaymentId};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{Refund, RefundReason, RefundRequest};

/// The most refunds of a payment that are listed with it.
pub const MAX_LISTED: i64 = 100;

#[derive(FromRow)]
struct Row {
    refund_id: Uuid,
    payment_id: Uuid,
    reason: String,
    revision: Option<i32>,
    amount_minor: i64,
    currency: String,
    goodwill: bool,
    requested_rest: Option<bool>,
    given_reference: Option<String>,
    created_at: jiff_sqlx::Timestamp,
    succeeded_at: Option<jiff_sqlx::Timestamp>,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select refund_id, payment_id, reason, refund.revision, refund.amount_minor, currency, goodwill, requested_rest,
                 given_reference, refund.created_at, succeeded_at
             from refund join payment_order using (payment_id) where ",
            $condition
        )
    };
}

impl TryFrom<Row> for Refund {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let reason = RefundReason::from_columns(&row.reason, row.revision).ok_or_else(|| broken("reason"))?;
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        Ok(Self {
            refund_id: row.refund_id,
            payment_id: row.payment_id.into(),
            reason,
            amount: Money::from_minor(row.amount_minor, currency).map_err(|_| broken("amount"))?,
            goodwill: row.goodwill,
            requested_rest: row.requested_rest,
            desk_reference: row.given_reference,
            create_time: row.created_at.to_jiff(),
            succeed_time: row.succeeded_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

/// Inserts a requested refund of `amount`, and returns its id. The payment is locked.
///
/// # Errors
/// If the database fails, or a constraint refuses the amount, the status or a reused request id.
pub async fn insert(
    connection: &mut PgConnection,
    payment_id: PaymentId,
    request: &RefundRequest,
    amount: Money,
) -> Result<Uuid, StoreError> {
    let refund_id = Uuid::now_v7();
    sqlx::query(
        "insert into refund (refund_id, payment_id, reason, request_id, amount_minor, goodwill, requested_rest, revision)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(refund_id)
    .bind(payment_id.as_uuid())
    .bind(request.reason.as_str())
    .bind(request.request_id)
    .bind(amount.minor())
    .bind(request.goodwill)
    .bind(request.amount.is_none())
    .bind(request.reason.revision())
    .execute(connection)
    .await?;
    Ok(refund_id)
}

/// The sum of the refunds of a locked payment, in minor units, without goodwill and what changes gave back.
///
/// # Errors
/// If the database fails.
pub async fn sum_without_goodwill(connection: &mut PgConnection, payment_id: PaymentId) -> Result<i64, StoreError> {
    let sum = "select coalesce(sum(amount_minor), 0)::bigint from refund where payment_id = $1 and not goodwill \
        and revision is null";
    Ok(sqlx::query_scalar(sum).bind(payment_id.as_uuid()).fetch_one(connection).await?)
}

/// What changes gave back of a locked payment: their revisions, in order, with the sums in minor units.
///
/// # Errors
/// If the database fails.
pub async fn of_changes(connection: &mut PgConnection, payment_id: PaymentId) -> Result<Vec<(i32, i64)>, StoreError> {
    let sums = "select revision, sum(amount_minor)::bigint from refund where payment_id = $1 and revision is not null \
        group by revision order by revision";
    Ok(sqlx::query_as(sums).bind(payment_id.as_uuid()).fetch_all(connection).await?)
}

/// Of each of these payments: the sum of the refunds that count toward what the end of the reservation gives
/// back, in minor units, and whether all of it goes back because it was not accepted.
///
/// # Errors
/// If the database fails.
pub async fn standings(
    connection: &mut PgConnection,
    payments: &[PaymentId],
) -> Result<Vec<(Uuid, i64, bool)>, StoreError> {
    let rows = sqlx::query_as(
        "select payment_id, coalesce(sum(refund.amount_minor) filter (
                 where reason in ('REQUESTED', 'CANCELLATION') and not goodwill and refund.revision is null), 0)::bigint,
             refused_at is not null or coalesce(bool_or(reason = 'ROOMS_GONE'), false)
                 -- It came after its change was given up, and will be refused.
                 or exists (select from change_settlement settled
                            where settled.reservation_id = payment_order.reservation_id
                                and settled.revision = payment_order.revision and settled.dropped)
         from payment_order left join refund using (payment_id) where payment_id = any($1) group by payment_id",
    );
    Ok(rows.bind(payments.iter().map(|id| id.as_uuid()).collect::<Vec<_>>()).fetch_all(connection).await?)
}

/// The refunds of each of these payments, newest first; at most [`MAX_LISTED`] of each.
///
/// # Errors
/// If the database fails.
pub async fn of_payments(pool: &PgPool, payments: &[PaymentId]) -> Result<Vec<Refund>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select refund_id, payment_id, reason, listed.revision, listed.amount_minor, currency, goodwill, requested_rest,
             given_reference, listed.created_at, succeeded_at
         from payment_order
         cross join lateral (
             select refund_id, reason, revision, amount_minor, goodwill, requested_rest, given_reference, created_at,
                 succeeded_at
             from refund
             where refund.payment_id = payment_order.payment_id order by created_at desc, refund_id desc limit $2
         ) listed
         where payment_id = any($1)
         order by payment_id, listed.created_at desc, refund_id desc",
    )
    .bind(payments.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .bind(MAX_LISTED)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Refund::try_from).collect()
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
