//! Payments that are compared with their reservations.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgExecutor};
use staymesh_domain::ReservationId;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::{model::Status, reconcile::reservations::Paid};

/// A payment without undelivered outbox events, except dead letters.
#[derive(Debug, Clone)]
pub struct ComparablePayment {
    /// The payment.
    pub payment_id: Uuid,
    /// Its reservation.
    pub reservation_id: ReservationId,
    /// Its state.
    pub paid: Paid,
    /// The UTC date of its last change.
    pub day: Date,
    /// Whether an outbox event of it is a dead letter.
    pub has_dead_letter: bool,
}

#[derive(FromRow)]
struct Row {
    payment_id: Uuid,
    reservation_id: Uuid,
    revision: i32,
    status: String,
    ended: bool,
    #[sqlx(flatten)]
    others: Others,
    day: jiff_sqlx::Date,
    parked: bool,
}

/// The other payments of the reservation.
#[derive(FromRow)]
struct Others {
    another_has_money: bool,
    another_has_refunds: bool,
}

/// Payments that changed from `from` until before `until`, or have an unresolved case; after `after`, by id. Excludes
/// pending payments, and those with undelivered outbox events.
///
/// # Errors
/// When the database is unavailable.
pub async fn comparable(
    executor: impl PgExecutor<'_>,
    from: Timestamp,
    until: Timestamp,
    after: Uuid,
    limit: i64,
) -> Result<Vec<ComparablePayment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select payment_id, reservation_id, revision, status, reservation_ended_at is not null as ended,
             exists (select from payment_order other
                     where other.reservation_id = payment.reservation_id and other.payment_id <> payment.payment_id
                         and other.status in ('PAID', 'REFUNDING', 'REFUNDED')
                         and other.reservation_ended_at is null) as another_has_money,
             exists (select from payment_order other
                     where other.reservation_id = payment.reservation_id and other.payment_id <> payment.payment_id
                         and other.refund_requested_minor > 0) as another_has_refunds,
             (status_changed_at at time zone 'UTC')::date as day,
             exists (select from outbox where aggregate_id = payment_id and parked_at is not null) as parked
         from payment_order payment
         where payment_id > $3 and status <> 'PENDING'
             and (status_changed_at >= $1 and status_changed_at < $2
                  or payment_id in (select source_id from reconciliation_case
                                    where class = 'RESERVATION' and state <> 'RESOLVED'))
             and not exists (select from outbox
                             where aggregate_id = payment_id and delivered_at is null and parked_at is null)
         order by payment_id limit $4",
    )
    .bind(from.to_sqlx())
    .bind(until.to_sqlx())
    .bind(after)
    .bind(limit)
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(ComparablePayment::try_from).collect()
}

impl TryFrom<Row> for ComparablePayment {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        Ok(Self {
            payment_id: row.payment_id,
            reservation_id: ReservationId::try_from(row.reservation_id).map_err(|_| broken("reservation_id"))?,
            paid: Paid {
                status: Status::from_name(&row.status).ok_or_else(|| broken("status"))?,
                reservation_ended: row.ended,
                revision: row.revision,
                another_has_money: row.others.another_has_money,
                another_has_refunds: row.others.another_has_refunds,
            },
            day: row.day.to_jiff(),
            has_dead_letter: row.parked,
        })
    }
}

/// Makes the dead letters of a payment due for delivery again; returns how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn redeliver_dead_letters(executor: impl PgExecutor<'_>, payment_id: Uuid) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update outbox set parked_at = null, attempts = 0, next_attempt_at = now()
         where aggregate_id = $1 and parked_at is not null",
    )
    .bind(payment_id)
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
