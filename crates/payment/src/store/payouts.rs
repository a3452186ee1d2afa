//! Payouts and the hotels' destinations.
//!
//! Everything but the database says *payout*: the tables `pay_out`, `pay_out_line` and `pay_out_transfer`, their constraints
//! and the posting kind `PAY_OUT` keep their names, because a rename would break the release before this one, which runs
//! on the same database during a rolling upgrade.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use staymesh_domain::{Currency, HotelId, Money};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::payouts::{Destination, Payout, TransferStatus};

/// The ledger account of what a hotel is owed in a currency.
#[derive(Debug, Clone)]
pub struct Payable {
    /// The id of the account.
    pub account_id: i64,
    /// The hotel.
    pub hotel_id: HotelId,
    /// The currency.
    pub currency: Currency,
}

/// The number of payable accounts, of all hotels or one.
///
/// # Errors
/// When the database is unavailable.
pub async fn count_payables(pool: &PgPool, hotel: Option<HotelId>) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from ledger_account where kind = 'HOTEL_PAYABLE' and ($1::integer is null or hotel_id = $1)",
    )
    .bind(hotel.map(HotelId::get))
    .fetch_one(pool)
    .await?;
    u64::try_from(count).map_err(|_| sqlx::Error::Decode("count".into()).into())
}

/// The payable accounts after this id, of all hotels or one.
///
/// # Errors
/// When the database is unavailable.
pub async fn payables(
    pool: &PgPool,
    hotel: Option<HotelId>,
    after: i64,
    limit: i64,
) -> Result<Vec<Payable>, StoreError> {
    let rows: Vec<(i64, i32, String)> = sqlx::query_as(
        "select account_id, hotel_id, currency from ledger_account
         where kind = 'HOTEL_PAYABLE' and ($1::integer is null or hotel_id = $1) and account_id > $2
         order by account_id limit $3",
    )
    .bind(hotel.map(HotelId::get))
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let invalid = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
    let payables = rows.into_iter().map(|(account_id, hotel_id, currency)| {
        Ok(Payable {
            account_id,
            hotel_id: HotelId::try_from(hotel_id).map_err(|_| invalid("hotel_id"))?,
            currency: currency.parse().map_err(|_| invalid("currency"))?,
        })
    });
    payables.collect()
}

/// Locks an account against other runs of the job until the end of the transaction. The lock does not block postings.
///
/// # Errors
/// When the database is unavailable or the lock times out.
pub async fn lock_payable(connection: &mut PgConnection, account_id: i64) -> Result<(), StoreError> {
    sqlx::query("select from ledger_account where account_id = $1 for no key update")
        .bind(account_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The entries of the account $1 for stays with a check-out before $2 that no payout has settled; the latest change of the
/// reservation says when its stay ends. Excludes entries without a reservation (such as payouts themselves), those whose
/// check-out is unknown, and those of a payment that the reservation service has not accepted yet, also if its
/// event is a dead letter: it may have arrived too late for the stay, and then all of it goes back. Two clauses for one, each
/// with the partial index of the outbox that it needs.
macro_rules! due {
    () => {
        "due as materialized (
             select e.transaction_id, e.line, -e.amount_minor as minor, stay.check_out, t.reservation_id, t.posted_at
             from ledger_entry e
             join ledger_transaction t on t.transaction_id = e.transaction_id
             cross join lateral (
                 select coalesce(
                     (select check_out from change_settlement
                      where reservation_id = t.reservation_id and not dropped order by revision desc limit 1),
                     (select max(check_out) from (
                          select check_out from payment_order where reservation_id = t.reservation_id
                          union all
                          select check_out from partner_sale where reservation_id = t.reservation_id) sold)
                 ) as check_out) stay
             where e.account_id = $1 and stay.check_out < $2
                 and not exists (
                     select from pay_out_line l where l.transaction_id = e.transaction_id and l.line = e.line)
                 and not exists (
                     select from payment_order p join outbox o on o.aggregate_id = p.payment_id
                     where p.reservation_id = t.reservation_id and o.kind = 'payment.paid'
                         and o.delivered_at is null and o.parked_at is null)
                 and not exists (
                     select from payment_order p join outbox o on o.aggregate_id = p.payment_id
                     where p.reservation_id = t.reservation_id and o.kind = 'payment.paid'
                         and o.delivered_at is null and o.parked_at is not null))"
    };
}

/// The sum that is due, in minor units, and the number of its entries.
///
/// # Errors
/// When the database is unavailable.
pub async fn due(connection: &mut PgConnection, account_id: i64, until: Date) -> Result<(i64, i64), StoreError> {
    let found = sqlx::query_as(concat!("with ", due!(), " select coalesce(sum(minor), 0)::bigint, count(*) from due"))
        .bind(account_id)
        .bind(until.to_sqlx())
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// Inserts a payout of everything that is due, with a line for each entry in the order of check-outs. Returns its amount
/// and the number of lines; `None` if nothing is due. The account is locked.
///
/// # Errors
/// When the database is unavailable, or a constraint is violated.
pub async fn insert(
    connection: &mut PgConnection,
    payout_id: Uuid,
    account: &Payable,
    until: Date,
) -> Result<Option<(Money, i32)>, StoreError> {
    let made: Option<(i64, i32)> = sqlx::query_as(concat!(
        "with ",
        due!(),
        ", made as (
             insert into pay_out (payout_id, hotel_id, currency, amount_minor, lines, cutoff)
             select $3, $4, $5, sum(minor), count(*), $2 from due having sum(minor) > 0
             returning payout_id, amount_minor, lines
         ), written as (
             insert into pay_out_line (payout_id, number, lines, transaction_id, line, amount_minor, check_out)
             select payout_id, row_number() over (order by check_out, reservation_id, posted_at, transaction_id, line),
                 lines, transaction_id, line, minor, check_out
             from made, due
         )
         select amount_minor, lines from made"
    ))
    .bind(account.account_id)
    .bind(until.to_sqlx())
    .bind(payout_id)
    .bind(account.hotel_id.get())
    .bind(account.currency.code())
    .fetch_optional(connection)
    .await?;
    let Some((minor, lines)) = made else { return Ok(None) };
    let amount = Money::from_minor(minor, account.currency).map_err(|_| sqlx::Error::Decode("amount".into()))?;
    Ok(Some((amount, lines)))
}

#[derive(FromRow)]
struct Row {
    payout_id: Uuid,
    hotel_id: i32,
    currency: String,
    amount_minor: i64,
    lines: i32,
    cutoff: jiff_sqlx::Date,
    created_at: jiff_sqlx::Timestamp,
    status: String,
    failure: Option<String>,
    ended_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Row> for Payout {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let currency = row.currency.parse().map_err(|_| broken("currency"))?;
        Ok(Self {
            payout_id: row.payout_id,
            hotel_id: HotelId::try_from(row.hotel_id).map_err(|_| broken("hotel_id"))?,
            amount: Money::from_minor(row.amount_minor, currency).map_err(|_| broken("amount"))?,
            lines: row.lines,
            cutoff: row.cutoff.to_jiff(),
            status: TransferStatus::from_name(&row.status).ok_or_else(|| broken("status"))?,
            failure: row.failure,
            create_time: row.created_at.to_jiff(),
            end_time: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

macro_rules! payouts {
    () => {
        "select payout_id, hotel_id, currency, amount_minor, lines, cutoff, pay_out.created_at, latest.status,
             latest.failure, latest.ended_at
         from pay_out cross join lateral (
             select status, failure, ended_at from pay_out_transfer
             where pay_out_transfer.payout_id = pay_out.payout_id order by attempt desc limit 1) latest"
    };
}

/// Finds a payout.
///
/// # Errors
/// When the database is unavailable.
pub async fn find(executor: impl PgExecutor<'_>, payout_id: Uuid) -> Result<Option<Payout>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(concat!(payouts!(), " where payout_id = $1")).bind(payout_id).fetch_optional(executor).await?;
    row.map(Payout::try_from).transpose()
}

/// The payouts of a hotel, newest first, after the one given.
///
/// # Errors
/// When the database is unavailable.
pub async fn of_hotel(
    pool: &PgPool,
    hotel_id: HotelId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Payout>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        payouts!(),
        " where hotel_id = $1 and ($2::uuid is null or payout_id < $2) order by payout_id desc limit $3"
    ))
    .bind(hotel_id.get())
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Payout::try_from).collect()
}

/// The destination of a hotel's payouts, if one was set.
///
/// # Errors
/// When the database is unavailable.
pub async fn destination(executor: impl PgExecutor<'_>, hotel_id: HotelId) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_scalar("select destination from hotel_destination where hotel_id = $1")
        .bind(hotel_id.get())
        .fetch_optional(executor)
        .await?;
    Ok(found)
}

/// Whether this database knows the hotel: it has a payable account, or this destination already.
///
/// # Errors
/// When the database is unavailable.
pub async fn may_have_destination(pool: &PgPool, hotel_id: HotelId, destination: &str) -> Result<bool, StoreError> {
    let known = sqlx::query_scalar(
        "select exists (select from ledger_account where kind = 'HOTEL_PAYABLE' and hotel_id = $1)
             or exists (select from hotel_destination where hotel_id = $1 and destination = $2)",
    )
    .bind(hotel_id.get())
    .bind(destination)
    .fetch_one(pool)
    .await?;
    Ok(known)
}

/// Sets the destination of a hotel's payouts. Setting the same destination again changes nothing.
///
/// # Errors
/// When the database is unavailable, or a constraint is violated.
pub async fn set_destination(
    executor: impl PgExecutor<'_>,
    hotel_id: HotelId,
    destination: &str,
    by: &str,
) -> Result<Destination, StoreError> {
    let (destination, updated_at): (String, jiff_sqlx::Timestamp) = sqlx::query_as(
        "insert into hotel_destination as old (hotel_id, destination, updated_by) values ($1, $2, $3)
         on conflict (hotel_id) do update
         set destination = excluded.destination,
             updated_by = case when old.destination = excluded.destination then old.updated_by else excluded.updated_by end,
             updated_at = case when old.destination = excluded.destination then old.updated_at else now() end
         returning destination, updated_at",
    )
    .bind(hotel_id.get())
    .bind(destination)
    .bind(by)
    .fetch_one(executor)
    .await?;
    Ok(Destination { hotel_id, destination, update_time: updated_at.to_jiff() })
}
