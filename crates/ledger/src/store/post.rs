//! Writing postings.

use std::slice;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{HotelId, ReservationId};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::account_id::account_id;
use crate::Posting;

/// Writes a posting in the caller's transaction. False if this kind was posted from this source before: then nothing is
/// written. One statement, unless an account has to be created.
///
/// # Errors
/// When the database is unavailable or a constraint is violated: immediately by a line of zero or out of range, at the
/// commit by lines that do not sum to zero (`ledger_transaction_balances`).
pub async fn post(connection: &mut PgConnection, posting: &Posting) -> Result<bool, StoreError> {
    Ok(post_all(connection, slice::from_ref(posting)).await? == 1)
}

/// Like [`post`], for all postings of one change in one statement. Returns how many were not posted before.
///
/// # Errors
/// As [`post`].
pub async fn post_all(connection: &mut PgConnection, postings: &[Posting]) -> Result<usize, StoreError> {
    post_now_or_at(connection, postings, None).await
}

/// Like [`post`], with the time of the event instead of now. For postings that are made up for later.
///
/// # Errors
/// As [`post`].
pub async fn post_at(connection: &mut PgConnection, posting: &Posting, at: Timestamp) -> Result<bool, StoreError> {
    Ok(post_now_or_at(connection, slice::from_ref(posting), Some(at)).await? == 1)
}

async fn post_now_or_at(
    connection: &mut PgConnection,
    postings: &[Posting],
    at: Option<Timestamp>,
) -> Result<usize, StoreError> {
    if let Some(posted) = write(connection, postings, at).await? {
        return Ok(posted);
    }
    create_accounts(connection, postings).await?;
    let posted = write(connection, postings, at).await?;
    posted.ok_or_else(|| sqlx::Error::Protocol("an account that was created is not visible".into()).into())
}

/// Writes the postings and returns how many were new; `None`, and nothing is written, if an account does not exist.
///
/// The arrays are wrapped in subqueries to hide their length from the planner. Otherwise it prefers custom plans, and
/// plans the statement again with every execution, which costs more than executing it.
async fn write(
    connection: &mut PgConnection,
    postings: &[Posting],
    at: Option<Timestamp>,
) -> Result<Option<usize>, StoreError> {
    let ids: Vec<Uuid> = postings.iter().map(|_| Uuid::now_v7()).collect();
    let lines = Lines::of(postings, &ids)?;
    let counts: Vec<i16> = postings.iter().map(|posting| number(posting.lines.len())).collect::<Result<_, _>>()?;
    let (posted, known): (i64, bool) = sqlx::query_as(concat!(
        "with entry as materialized (
             select wanted.transaction_id, wanted.line, wanted.minor, wanted.currency, account.account_id
             from unnest((select $6::uuid[]), (select $7::smallint[]), (select $8::text[]), (select $9::integer[]),
                 (select $10::text[]), (select $11::text[]), (select $12::bigint[]))
                 as wanted (transaction_id, line, kind, hotel_id, partner, currency, minor)
             left join lateral ",
        account_id!("wanted", "wanted.currency"),
        " account on true
         ), transaction as (
             insert into ledger_transaction (transaction_id, kind, source_id, reservation_id, lines, posted_at)
             select posting.*, coalesce($13, now())
             from unnest((select $1::uuid[]), (select $2::text[]), (select $3::uuid[]), (select $4::uuid[]),
                 (select $5::smallint[])) as posting
             where not exists (select from entry where account_id is null)
             on conflict (kind, source_id) do nothing
             returning transaction_id, lines
         ), written as (
             insert into ledger_entry (transaction_id, line, lines, account_id, amount_minor, currency)
             select transaction_id, line, lines, account_id, minor, currency from transaction join entry using (transaction_id)
         )
         select (select count(*) from transaction), not exists (select from entry where account_id is null)"
    ))
    .bind(&ids)
    .bind(postings.iter().map(|posting| posting.kind.as_str()).collect::<Vec<_>>())
    .bind(postings.iter().map(|posting| posting.source_id).collect::<Vec<_>>())
    .bind(postings.iter().map(|posting| posting.reservation_id.map(ReservationId::as_uuid)).collect::<Vec<_>>())
    .bind(counts)
    .bind(lines.transactions)
    .bind(lines.numbers)
    .bind(lines.kinds)
    .bind(lines.hotels)
    .bind(lines.partners)
    .bind(lines.currencies)
    .bind(lines.minor)
    .bind(at.map(ToSqlx::to_sqlx))
    .fetch_one(connection)
    .await?;
    if !known {
        return Ok(None);
    }
    let posted = usize::try_from(posted).map_err(|_| sqlx::Error::Decode("posted".into()))?;
    Ok(Some(posted))
}

/// Creates the accounts that do not exist, in the order of their key, so that concurrent postings to the same new accounts
/// cannot deadlock.
async fn create_accounts(connection: &mut PgConnection, postings: &[Posting]) -> Result<(), StoreError> {
    let lines = Lines::of(postings, &[])?;
    sqlx::query(
        "insert into ledger_account (kind, hotel_id, partner, currency)
         select kind, hotel_id, partner, currency
         from unnest($1::text[], $2::integer[], $3::text[], $4::text[]) as wanted (kind, hotel_id, partner, currency)
         order by kind, hotel_id, partner, currency
         on conflict (kind, hotel_id, partner, currency) do nothing",
    )
    .bind(lines.kinds)
    .bind(lines.hotels)
    .bind(lines.partners)
    .bind(lines.currencies)
    .execute(connection)
    .await?;
    Ok(())
}

/// The lines of postings as one array for each column.
#[derive(Default)]
struct Lines<'a> {
    transactions: Vec<Uuid>,
    numbers: Vec<i16>,
    kinds: Vec<&'static str>,
    hotels: Vec<Option<i32>>,
    partners: Vec<Option<&'a str>>,
    currencies: Vec<&'static str>,
    minor: Vec<i64>,
}

impl<'a> Lines<'a> {
    /// The lines of these postings. `ids` are their transaction ids, or empty if only the accounts matter.
    fn of(postings: &'a [Posting], ids: &[Uuid]) -> Result<Self, StoreError> {
        let mut lines = Self::default();
        for (at, posting) in postings.iter().enumerate() {
            for (place, line) in posting.lines.iter().enumerate() {
                lines.transactions.extend(ids.get(at));
                lines.numbers.push(number(place + 1)?);
                lines.kinds.push(line.account.kind());
                lines.hotels.push(line.account.hotel_id().map(HotelId::get));
                lines.partners.push(line.account.partner());
                lines.currencies.push(posting.currency.code());
                lines.minor.push(line.minor);
            }
        }
        Ok(lines)
    }
}

/// A line number or count. The database allows at most 100 lines, far fewer than fit.
fn number(count: usize) -> Result<i16, StoreError> {
    i16::try_from(count).map_err(|_| sqlx::Error::Encode("a posting has too many lines".into()).into())
}
