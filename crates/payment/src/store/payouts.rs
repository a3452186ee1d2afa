//! Pay-outs as they are made and listed.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool};
use staymesh_domain::{HotelId, Money};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::payouts::{Destination, PayOut, TransferStatus};

/// What a hotel is owed in a currency.
#[derive(Debug, Clone, FromRow)]
pub struct Payable {
    /// The ledger's account of it.
    pub account_id: i64,
    /// The hotel.
    pub hotel_id: i32,
    /// The currency.
    pub currency: String,
}

/// How many accounts hotels have, or this hotel.
pub async fn count_payables(pool: &PgPool, hotel: Option<HotelId>) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "select count(*) from ledger_account where kind = 'HOTEL_PAYABLE' and ($1::integer is null or hotel_id = $1)",
    )
    .bind(hotel.map(HotelId::get))
    .fetch_one(pool)
    .await?;
    Ok(count)
}

/// The accounts of hotels, or of this hotel, after this one.
pub async fn payables(
    pool: &PgPool,
    hotel: Option<HotelId>,
    after: i64,
    limit: i64,
) -> Result<Vec<Payable>, StoreError> {
    let page = sqlx::query_as(
        "select account_id, hotel_id, currency from ledger_account
         where kind = 'HOTEL_PAYABLE' and ($1::integer is null or hotel_id = $1) and account_id > $2
         order by account_id limit $3",
    )
    .bind(hotel.map(HotelId::get))
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(page)
}

/// Locks an account against other runs of the job until the end of the transaction. Postings do not wait for it.
pub async fn lock_payable(connection: &mut PgConnection, account_id: i64) -> Result<(), StoreError> {
    sqlx::query("select from ledger_account where account_id = $1 for no key update")
        .bind(account_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The entries of the account $1 for stays that were over before $2, which no pay-out has settled. What belongs to no
/// booking, as the pay-outs themselves, is not among them; nor is one whose day of leaving is not known.
macro_rules! due {
    () => {
        "due as materialized (
             select e.transaction_id, e.line, -e.amount_minor as minor, stay.check_out, t.reservation_id, t.posted_at
             from ledger_entry e
             join ledger_transaction t on t.transaction_id = e.transaction_id
             cross join lateral (
                 select max(check_out) as check_out from (
                     select check_out from payment_order where reservation_id = t.reservation_id
                     union all
                     select check_out from partner_sale where reservation_id = t.reservation_id) sold) stay
             where e.account_id = $1 and stay.check_out < $2
                 and not exists (
                     select from pay_out_line l where l.transaction_id = e.transaction_id and l.line = e.line))"
    };
}

/// What is due, and in how many entries.
pub async fn due(connection: &mut PgConnection, account_id: i64, until: Date) -> Result<(i64, i64), StoreError> {
    let found = sqlx::query_as(concat!("with ", due!(), " select coalesce(sum(minor), 0)::bigint, count(*) from due"))
        .bind(account_id)
        .bind(until.to_sqlx())
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// Writes a pay-out of all that is due, if that is something, with its lines in the order of check-outs; how much it is
/// and in how many lines. The account is locked.
pub async fn make(
    connection: &mut PgConnection,
    payout_id: Uuid,
    account: &Payable,
    until: Date,
) -> Result<Option<(i64, i32)>, StoreError> {
    let made = sqlx::query_as(concat!(
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
    .bind(account.hotel_id)
    .bind(&account.currency)
    .fetch_optional(connection)
    .await?;
    Ok(made)
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

impl TryFrom<Row> for PayOut {
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
            created_at: row.created_at.to_jiff(),
            ended_at: row.ended_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

macro_rules! pay_outs {
    () => {
        "select payout_id, hotel_id, currency, amount_minor, lines, cutoff, pay_out.created_at, latest.status,
             latest.failure, latest.ended_at
         from pay_out cross join lateral (
             select status, failure, ended_at from pay_out_transfer
             where pay_out_transfer.payout_id = pay_out.payout_id order by attempt desc limit 1) latest"
    };
}

/// One pay-out.
pub async fn find(executor: impl PgExecutor<'_>, payout_id: Uuid) -> Result<Option<PayOut>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(concat!(pay_outs!(), " where payout_id = $1")).bind(payout_id).fetch_optional(executor).await?;
    row.map(PayOut::try_from).transpose()
}

/// The pay-outs of a hotel, newest first, after the one given.
pub async fn of_hotel(
    pool: &PgPool,
    hotel_id: HotelId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<PayOut>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        pay_outs!(),
        " where hotel_id = $1 and ($2::uuid is null or payout_id < $2) order by payout_id desc limit $3"
    ))
    .bind(hotel_id.get())
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(PayOut::try_from).collect()
}

/// Where a hotel's money goes, if anybody has said so.
pub async fn destination(executor: impl PgExecutor<'_>, hotel_id: i32) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_scalar("select destination from hotel_destination where hotel_id = $1")
        .bind(hotel_id)
        .fetch_optional(executor)
        .await?;
    Ok(found)
}

/// Whether a hotel is known here: it has been owed something, or its money goes to this destination already.
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

/// Sets where a hotel's money goes from now on. When it goes there already, nothing changes.
pub async fn set_destination(
    pool: &PgPool,
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
    .fetch_one(pool)
    .await?;
    Ok(Destination { hotel_id, destination, updated_at: updated_at.to_jiff() })
}
