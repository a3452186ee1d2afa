//! Writing postings down.

use std::slice;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use staymesh_domain::{HotelId, ReservationId};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{Posting, accounts::account_id};

/// Posts, in the caller's transaction; false when this kind was posted from this source before, and nothing is done.
/// One statement, unless an account has to come into being.
///
/// # Errors
/// What the database refuses: a line that is nothing or too large at once, lines that do not sum to zero when the
/// transaction commits (`ledger_transaction_balances`).
pub async fn post(connection: &mut PgConnection, posting: &Posting) -> Result<bool, StoreError> {
    Ok(post_all(connection, slice::from_ref(posting)).await? == 1)
}

/// As [`post`], for all that one change makes happen, in one statement; yields how many were not posted before.
///
/// # Errors
/// As [`post`].
pub async fn post_all(connection: &mut PgConnection, postings: &[Posting]) -> Result<usize, StoreError> {
    post_now_or_at(connection, postings, None).await
}

/// As [`post`], for what happened at this time and was not posted then.
pub(super) async fn post_at(
    connection: &mut PgConnection,
    posting: &Posting,
    at: Timestamp,
) -> Result<bool, StoreError> {
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
    open_accounts(connection, postings).await?;
    let posted = write(connection, postings, at).await?;
    posted.ok_or_else(|| sqlx::Error::Protocol("an account that came into being is not seen".into()).into())
}

/// Nothing is written, and none returned, while an account is missing.
///
/// The arrays are subqueries so that the server cannot see how long they are: then a plan for these values is no cheaper
/// than one for any, and it stops to plan anew with every use, which costs more than running this.
async fn write(
    connection: &mut PgConnection,
    postings: &[Posting],
    at: Option<Timestamp>,
) -> Result<Option<usize>, StoreError> {
    let ids: Vec<Uuid> = postings.iter().map(|_| Uuid::now_v7()).collect();
    let lines = Lines::of(postings, &ids);
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
    .bind(postings.iter().map(|posting| number(posting.lines.len())).collect::<Vec<_>>())
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
    Ok(known.then_some(usize::try_from(posted).unwrap_or_default()))
}

/// In the order of their key, so that of two postings to the same new accounts one waits for the other, and not each for
/// the other.
async fn open_accounts(connection: &mut PgConnection, postings: &[Posting]) -> Result<(), StoreError> {
    let lines = Lines::of(postings, &[]);
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

/// The lines of postings, one array for each column.
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
    /// Those of postings with these ids, if they have got some.
    fn of(postings: &'a [Posting], ids: &[Uuid]) -> Self {
        let mut lines = Self::default();
        for (at, posting) in postings.iter().enumerate() {
            for (place, line) in posting.lines.iter().enumerate() {
                lines.transactions.extend(ids.get(at));
                lines.numbers.push(number(place + 1));
                lines.kinds.push(line.account.kind());
                lines.hotels.push(line.account.hotel_id().map(HotelId::get));
                lines.partners.push(line.account.partner());
                lines.currencies.push(posting.currency.code());
                lines.minor.push(line.minor);
            }
        }
        lines
    }
}

/// More lines than this can say are more than the database takes.
fn number(count: usize) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}
