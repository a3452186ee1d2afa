//! Payments (`payment_order`).

use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use staymesh_domain::{HotelId, Money, PaymentId, ReservationId};
use staymesh_ledger::Split;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::model::{NewPayment, Payment, PaymentMethod, Status, StatusFilter};

#[derive(FromRow)]
struct Row {
    payment_id: Uuid,
    reservation_id: Uuid,
    revision: i32,
    owner: String,
    amount_minor: i64,
    tax_minor: i64,
    commission_minor: i64,
    currency: String,
    method: String,
    desk_reference: Option<String>,
    status: String,
    return_url: String,
    psp_session: Option<String>,
    checkout_url: Option<String>,
    expire_time: jiff_sqlx::Timestamp,
    refund_requested_minor: i64,
    refunded_minor: i64,
    in_review_since: Option<jiff_sqlx::Timestamp>,
    declined_at: Option<jiff_sqlx::Timestamp>,
    reservation_ended_at: Option<jiff_sqlx::Timestamp>,
    refund_due_minor: Option<i64>,
    created_at: jiff_sqlx::Timestamp,
    status_changed_at: jiff_sqlx::Timestamp,
}

macro_rules! columns {
    () => {
        "payment_id, reservation_id, revision, owner, amount_minor, tax_minor, commission_minor, currency, method, desk_reference, \
         status, return_url, psp_session, checkout_url, expire_time, refund_requested_minor, refunded_minor, in_review_since, declined_at, \
         reservation_ended_at, refund_due_minor, created_at, status_changed_at"
    };
}

impl TryFrom<Row> for Payment {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        let money = |minor| Money::from_minor(minor, currency).map_err(|_| broken("amount"));
        Ok(Self {
            payment_id: row.payment_id.into(),
            reservation_id: ReservationId::try_from(row.reservation_id).map_err(|_| broken("reservation_id"))?,
            revision: row.revision,
            owner: row.owner,
            amount: money(row.amount_minor)?,
            split: Split::new(money(row.amount_minor)?, money(row.tax_minor)?, money(row.commission_minor)?)
                .ok_or_else(|| broken("split"))?,
            method: PaymentMethod::from_name(&row.method).ok_or_else(|| broken("method"))?,
            desk_reference: row.desk_reference,
            status: Status::from_name(&row.status).ok_or_else(|| broken("status"))?,
            return_url: row.return_url,
            psp_session: row.psp_session,
            checkout_url: row.checkout_url,
            expire_time: row.expire_time.to_jiff(),
            refund_requested: money(row.refund_requested_minor)?,
            refunded: money(row.refunded_minor)?,
            in_review_since: row.in_review_since.map(jiff_sqlx::Timestamp::to_jiff),
            decline_time: row.declined_at.map(jiff_sqlx::Timestamp::to_jiff),
            reservation_ended: row.reservation_ended_at.is_some(),
            refund_due: row.refund_due_minor.map(money).transpose()?,
            create_time: row.created_at.to_jiff(),
            update_time: row.status_changed_at.to_jiff(),
        })
    }
}

/// Inserts the payment unless its revision of the reservation has one that is not expired, and returns the one it has
/// now. Idempotent. `None`, or an expired one, if the page of another revision of the reservation is open: a reservation
/// has one open page at a time.
///
/// # Errors
/// If the database fails.
pub async fn open(pool: &PgPool, new: &NewPayment) -> Result<Option<Payment>, StoreError> {
    sqlx::query(
        "insert into payment_order
             (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, return_url, expire_time, next_check_at,
              tax_minor, commission_minor, check_out, revision)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
         where not exists (
             select from payment_order where reservation_id = $2 and revision = $13 and status <> 'EXPIRED')
         on conflict (reservation_id) where status = 'PENDING' do nothing",
    )
    .bind(new.payment_id.as_uuid())
    .bind(new.reservation_id.as_uuid())
    .bind(new.reservation_id.hotel_id().get())
    .bind(&new.owner)
    .bind(new.amount.minor())
    .bind(new.amount.currency().code())
    .bind(&new.return_url)
    .bind(new.expire_time.to_sqlx())
    .bind(new.next_check_time.to_sqlx())
    .bind(new.split.tax().minor())
    .bind(new.split.commission().minor())
    .bind(new.check_out.to_sqlx())
    .bind(new.revision)
    .execute(pool)
    .await?;
    let row: Option<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from payment_order where reservation_id = $1 and revision = $2
         order by status = 'EXPIRED', payment_id desc limit 1"
    ))
    .bind(new.reservation_id.as_uuid())
    .bind(new.revision)
    .fetch_optional(pool)
    .await?;
    row.map(Payment::try_from).transpose()
}

/// Saves the checkout that the provider opened, in any status: the page may still be paid.
///
/// # Errors
/// If the database fails.
pub async fn save_checkout(pool: &PgPool, id: PaymentId, session: &str, url: &str) -> Result<Payment, StoreError> {
    let row: Row = sqlx::query_as(concat!(
        "update payment_order set psp_session = $2, checkout_url = $3 where payment_id = $1 returning ",
        columns!()
    ))
    .bind(id.as_uuid())
    .bind(session)
    .bind(url)
    .fetch_one(pool)
    .await?;
    row.try_into()
}

/// Saves the session that an event names, for a locked payment that has none.
///
/// # Errors
/// If the database fails.
pub async fn save_session(connection: &mut PgConnection, id: PaymentId, session: &str) -> Result<(), StoreError> {
    sqlx::query("update payment_order set psp_session = $2 where payment_id = $1")
        .bind(id.as_uuid())
        .bind(session)
        .execute(connection)
        .await?;
    Ok(())
}

/// A payment; `None` if it does not exist.
///
/// # Errors
/// If the database fails.
pub async fn find(executor: impl PgExecutor<'_>, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    let row: Option<Row> = sqlx::query_as(concat!("select ", columns!(), " from payment_order where payment_id = $1"))
        .bind(id.as_uuid())
        .fetch_optional(executor)
        .await?;
    row.map(Payment::try_from).transpose()
}

/// A payment, locked until the end of the transaction. Every change of a payment or its refunds begins with this lock, which
/// serializes them and keeps their events in order.
///
/// # Errors
/// If the database fails.
pub async fn lock(connection: &mut PgConnection, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(concat!("select ", columns!(), " from payment_order where payment_id = $1 for update"))
            .bind(id.as_uuid())
            .fetch_optional(connection)
            .await?;
    row.map(Payment::try_from).transpose()
}

/// The payment with this session at the provider.
///
/// # Errors
/// If the database fails.
pub async fn id_of_session(connection: &mut PgConnection, session: &str) -> Result<Option<PaymentId>, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar("select payment_id from payment_order where psp_session = $1")
        .bind(session)
        .fetch_optional(connection)
        .await?;
    Ok(id.map(PaymentId::from))
}

/// The payments of a reservation, oldest first; at most 100, those that ended without money last to be left out.
///
/// # Errors
/// If the database fails.
pub async fn of_reservation(pool: &PgPool, id: ReservationId) -> Result<Vec<Payment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from payment_order where reservation_id = $1
          order by status in ('EXPIRED', 'FAILED'), payment_id limit 100"
    ))
    .bind(id.as_uuid())
    .fetch_all(pool)
    .await?;
    let mut payments = rows.into_iter().map(Payment::try_from).collect::<Result<Vec<_>, _>>()?;
    payments.sort_by_key(|payment| payment.payment_id.as_uuid());
    Ok(payments)
}

/// The payments of a reservation, newest first, locked until the end of the transaction in the order of their ids, those
/// that ended without money after the others; at most 100.
///
/// # Errors
/// If the database fails.
pub async fn lock_all(connection: &mut PgConnection, id: ReservationId) -> Result<Vec<Payment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from payment_order where reservation_id = $1
          order by status in ('EXPIRED', 'FAILED'), payment_id limit 100 for update"
    ))
    .bind(id.as_uuid())
    .fetch_all(connection)
    .await?;
    let mut payments = rows.into_iter().map(Payment::try_from).collect::<Result<Vec<_>, _>>()?;
    payments.sort_by_key(|payment| Reverse(payment.payment_id.as_uuid()));
    Ok(payments)
}

/// The payment that represents a booking, without its changes: the paid one, or else the newest, expired ones last.
///
/// # Errors
/// If the database fails.
pub async fn leading(pool: &PgPool, id: ReservationId) -> Result<Option<Payment>, StoreError> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from payment_order where reservation_id = $1 and revision = 1
         order by case status when 'PAID' then 0 when 'REFUNDING' then 1 when 'REFUNDED' then 1 when 'EXPIRED' then 3 else 2 end,
                  payment_id desc
         limit 1"
    ))
    .bind(id.as_uuid())
    .fetch_optional(pool)
    .await?;
    row.map(Payment::try_from).transpose()
}

/// Payments of a hotel, newest first, after the cursor.
///
/// # Errors
/// If the database fails.
pub async fn of_hotel(
    pool: &PgPool,
    hotel_id: HotelId,
    status: Option<StatusFilter>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Payment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from payment_order
         where hotel_id = $1 and ($2::text is null or status = $2) and ($3::uuid is null or payment_id < $3)
             and ($5::boolean is null or (refunded_minor < amount_minor) = $5)
         order by payment_id desc limit $4"
    ))
    .bind(hotel_id.get())
    .bind(status.map(|filter| filter.status.as_str()))
    .bind(after)
    .bind(limit)
    .bind(status.and_then(|filter| filter.in_part))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Payment::try_from).collect()
}

/// Sets the status of a locked payment.
///
/// # Errors
/// If the database fails or the trigger refuses the transition.
pub async fn set_status(connection: &mut PgConnection, id: PaymentId, to: Status) -> Result<(), StoreError> {
    sqlx::query("update payment_order set status = $2 where payment_id = $1")
        .bind(id.as_uuid())
        .bind(to.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Claims up to `limit` pending payments that are due for a check, skipping locked rows, and schedules their next checks:
/// exponential backoff from `pause` up to ten minutes, but two seconds after the checkout page closes at the latest.
///
/// # Errors
/// If the database fails.
pub async fn claim_checks(
    pool: &PgPool,
    now: Timestamp,
    pause: Duration,
    limit: i64,
) -> Result<Vec<Payment>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "with due as (
             select payment_id as id, make_interval(secs => least($2 * power(2, least(checks, 10)), 600)) as pause
             from payment_order
             where status = 'PENDING' and next_check_at <= $1
             order by next_check_at limit $3 for update skip locked)
         update payment_order
         set checks = least(checks + 1, 1000000),
             next_check_at = case when expire_time > $1 then least($1 + pause, expire_time + interval '2 seconds')
                                  else $1 + pause end
         from due where payment_id = due.id
         returning ",
        columns!()
    ))
    .bind(now.to_sqlx())
    .bind(pause.as_secs_f64())
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Payment::try_from).collect()
}
