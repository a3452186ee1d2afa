//! Writing a posting down.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{HotelId, ReservationId};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{
    Posting,
    accounts::{Account, account_id},
};

/// Posts, in the caller's transaction; false when this kind was posted from this source before, and nothing is done.
/// One statement, unless an account has to come into being.
///
/// # Errors
/// What the database refuses: a line that is nothing or too large at once, lines that do not sum to zero when the
/// transaction commits (`ledger_transaction_balances`).
pub async fn post(connection: &mut PgConnection, posting: &Posting) -> Result<bool, StoreError> {
    post_now_or_at(connection, posting, None).await
}

/// As [`post`], for what happened at this time and was not posted then.
pub(super) async fn post_at(
    connection: &mut PgConnection,
    posting: &Posting,
    at: Timestamp,
) -> Result<bool, StoreError> {
    post_now_or_at(connection, posting, Some(at)).await
}

async fn post_now_or_at(
    connection: &mut PgConnection,
    posting: &Posting,
    at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    if let Some(posted) = write(connection, posting, at).await? {
        return Ok(posted);
    }
    open_accounts(connection, posting).await?;
    let posted = write(connection, posting, at).await?;
    posted.ok_or_else(|| sqlx::Error::Protocol("an account that came into being is not seen".into()).into())
}

/// Nothing is written, and none returned, while an account is missing.
async fn write(
    connection: &mut PgConnection,
    posting: &Posting,
    at: Option<Timestamp>,
) -> Result<Option<bool>, StoreError> {
    let columns = Columns::of(posting);
    let minor: Vec<i64> = posting.lines.iter().map(|line| line.minor).collect();
    let (posted, known): (bool, bool) = sqlx::query_as(concat!(
        "with entry as materialized (
             select wanted.line::smallint, wanted.minor, account.account_id
             from unnest($6::text[], $7::integer[], $8::text[], $9::bigint[])
                 with ordinality as wanted (kind, hotel_id, partner, minor, line)
             left join lateral ",
        account_id!("wanted", "$5"),
        " account on true
         ), transaction as (
             insert into ledger_transaction (transaction_id, kind, source_id, reservation_id, lines, posted_at)
             select $1, $2, $3, $4, count(*), coalesce($10, now()) from entry having count(*) = count(account_id)
             on conflict (kind, source_id) do nothing
             returning transaction_id, lines
         ), written as (
             insert into ledger_entry (transaction_id, line, lines, account_id, amount_minor, currency)
             select transaction_id, line, lines, account_id, minor, $5 from transaction, entry order by line
         )
         select exists (select from transaction), not exists (select from entry where account_id is null)"
    ))
    .bind(Uuid::now_v7())
    .bind(posting.kind.as_str())
    .bind(posting.source_id)
    .bind(posting.reservation_id.map(ReservationId::as_uuid))
    .bind(posting.currency.code())
    .bind(columns.kinds)
    .bind(columns.hotels)
    .bind(columns.partners)
    .bind(minor)
    .bind(at.map(ToSqlx::to_sqlx))
    .fetch_one(connection)
    .await?;
    Ok(known.then_some(posted))
}

/// In the order of their key, so that of two postings to the same new accounts one waits for the other, and not each for
/// the other.
async fn open_accounts(connection: &mut PgConnection, posting: &Posting) -> Result<(), StoreError> {
    let columns = Columns::of(posting);
    sqlx::query(
        "insert into ledger_account (kind, hotel_id, partner, currency)
         select kind, hotel_id, partner, $1 from unnest($2::text[], $3::integer[], $4::text[]) as wanted (kind, hotel_id, partner)
         order by kind, hotel_id, partner
         on conflict (kind, hotel_id, partner, currency) do nothing",
    )
    .bind(posting.currency.code())
    .bind(columns.kinds)
    .bind(columns.hotels)
    .bind(columns.partners)
    .execute(connection)
    .await?;
    Ok(())
}

/// The accounts of a posting's lines, one array for each column.
struct Columns<'a> {
    kinds: Vec<&'static str>,
    hotels: Vec<Option<i32>>,
    partners: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(posting: &'a Posting) -> Self {
        let accounts = || posting.lines.iter().map(|line| &line.account);
        Self {
            kinds: accounts().map(Account::kind).collect(),
            hotels: accounts().map(|account| account.hotel_id().map(HotelId::get)).collect(),
            partners: accounts().map(Account::partner).collect(),
        }
    }
}
