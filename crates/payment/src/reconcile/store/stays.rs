//! Payments to be compared with their reservations.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgExecutor};
use staymesh_domain::ReservationId;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::{model::Status, reconcile::stays::Paid};

/// A payment whose word has all been told, or was set aside.
#[derive(Debug, Clone)]
pub struct Told {
    /// The payment.
    pub payment_id: Uuid,
    /// Its booking.
    pub reservation_id: ReservationId,
    /// What it says.
    pub paid: Paid,
    /// The day of its last change, UTC.
    pub day: Date,
    /// Whether word of it was set aside.
    pub parked: bool,
}

#[derive(FromRow)]
struct Row {
    payment_id: Uuid,
    reservation_id: Uuid,
    status: String,
    ended: bool,
    another_has_money: bool,
    day: jiff_sqlx::Date,
    parked: bool,
}

/// Payments that changed from `from` on and before `until`, and those with a case that is not resolved; after `after`, by
/// id. Not those that nobody has paid yet, nor those of which there is something on its way.
pub async fn told(
    executor: impl PgExecutor<'_>,
    from: Timestamp,
    until: Timestamp,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Told>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select payment_id, reservation_id, status, reservation_ended_at is not null as ended,
             exists (select from payment_order other
                     where other.reservation_id = payment.reservation_id and other.payment_id <> payment.payment_id
                         and other.status in ('PAID', 'REFUNDING', 'REFUNDED')
                         and other.reservation_ended_at is null) as another_has_money,
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
    rows.into_iter().map(Told::try_from).collect()
}

impl TryFrom<Row> for Told {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        Ok(Self {
            payment_id: row.payment_id,
            reservation_id: ReservationId::try_from(row.reservation_id).map_err(|_| broken("reservation_id"))?,
            paid: Paid {
                status: Status::from_name(&row.status).ok_or_else(|| broken("status"))?,
                reservation_ended: row.ended,
                another_has_money: row.another_has_money,
            },
            day: row.day.to_jiff(),
            parked: row.parked,
        })
    }
}

/// Sends what was set aside about a payment on its way again; yields how many there were.
pub async fn send_again(executor: impl PgExecutor<'_>, payment_id: Uuid) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update outbox set parked_at = null, attempts = 0, next_attempt_at = now()
         where aggregate_id = $1 and parked_at is not null",
    )
    .bind(payment_id)
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
