//! Reading and folding wallets.

use sqlx::{PgExecutor, PgPool};
use staymesh_domain::{Currency, HotelId};
use staymesh_store::StoreError;

use super::account_id::account_id;
use crate::Account;

/// Accounts that are folded in one transaction.
const PAGE: usize = 500;

/// The balance of an account in minor units: its wallet plus the entries since. Positive if debits exceed credits; zero
/// for an account without postings.
///
/// # Errors
/// When the database is unavailable.
pub async fn balance(executor: impl PgExecutor<'_>, account: &Account, currency: Currency) -> Result<i128, StoreError> {
    // A wallet with a later transaction id than this database has was restored from a dump of another; see `fold_page`.
    let minor: Option<String> = sqlx::query_scalar(concat!(
        "select (coalesce(wallet.balance_minor, 0) + coalesce((
                    select sum(amount_minor) from ledger_entry
                    where account_id = account.account_id
                        and written_by >= coalesce(wallet.counted_before, '0'::xid8)), 0))::text
         from (select $1::text as kind, $2::integer as hotel_id, $3::text as partner) wanted
         cross join lateral ",
        account_id!("wanted", "$4"),
        " account
         left join wallet on wallet.account_id = account.account_id
             and wallet.counted_before <= pg_snapshot_xmin(pg_current_snapshot())"
    ))
    .bind(account.kind())
    .bind(account.hotel_id().map(HotelId::get))
    .bind(account.partner())
    .bind(currency.code())
    .fetch_optional(executor)
    .await?;
    let Some(minor) = minor else { return Ok(0) };
    minor.parse().map_err(|_| sqlx::Error::Decode("balance".into()).into())
}

/// Folds the page of accounts after this one. Returns the last account if there may be more, and how many wallets
/// changed.
pub(crate) async fn fold_page(pool: &PgPool, after: i64) -> Result<(Option<i64>, u64), StoreError> {
    let accounts: Vec<i64> =
        sqlx::query_scalar("select account_id from ledger_account where account_id > $1 order by account_id limit $2")
            .bind(after)
            .bind(i64::try_from(PAGE).map_err(|_| sqlx::Error::Encode("page".into()))?)
            .fetch_all(pool)
            .await?;
    let last = accounts.last().copied().filter(|_| accounts.len() == PAGE);
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "insert into wallet (account_id, balance_minor, counted_before)
         select account_id, 0, '0'::xid8 from unnest($1::bigint[]) wanted (account_id)
         where not exists (select from wallet where wallet.account_id = wanted.account_id)
         order by account_id
         on conflict (account_id) do nothing",
    )
    .bind(&accounts)
    .execute(&mut *transaction)
    .await?;
    let mine: Vec<i64> = sqlx::query_scalar(
        "select account_id from wallet
         where account_id = any ($1) and (
             exists (select from ledger_entry
                     where ledger_entry.account_id = wallet.account_id and written_by >= counted_before
                         and written_by < pg_snapshot_xmin(pg_current_snapshot()))
             or counted_before > pg_snapshot_xmin(pg_current_snapshot()))
         for update skip locked",
    )
    .bind(&accounts)
    .fetch_all(&mut *transaction)
    .await?;
    if mine.is_empty() {
        transaction.commit().await?;
        return Ok((last, 0));
    }
    // A separate statement, because its snapshot is taken after the locks: it sees the result of the previous fold, which
    // the snapshot of the locking statement may not. A wallet with a later transaction id than this database has was
    // restored from a dump of another, and is summed from the beginning.
    let done = sqlx::query(
        "update wallet
         set counted_before = seen.oldest,
             balance_minor = case when counted_before <= oldest then balance_minor else 0 end + coalesce((
                 select sum(amount_minor) from ledger_entry
                 where ledger_entry.account_id = wallet.account_id and written_by < oldest
                     and written_by >= case when counted_before <= oldest then counted_before else '0'::xid8 end), 0)
         from (select pg_snapshot_xmin(pg_current_snapshot()) as oldest) seen
         where account_id = any ($1)",
    )
    .bind(&mine)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok((last, done.rows_affected()))
}
