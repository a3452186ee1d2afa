//! What accounts come to, without adding up all of their entries each time.
//!
//! A wallet holds the sum of every entry that was written by a database transaction older than a certain one; a balance
//! is that and the entries since. What is older than every transaction in progress is complete: nothing can be added to
//! it any more. So postings and wallets never wait for each other, and no entry is counted twice or left out, whenever
//! wallets are folded and by however many replicas.

use std::time::Duration;

use sqlx::{PgExecutor, PgPool};
use staymesh_domain::{Currency, HotelId};
use staymesh_store::{StoreError, bounded};
use tokio_util::sync::CancellationToken;

use super::{Account, accounts::account_id};

/// How often wallets are brought up to date.
const FOLD_EVERY: Duration = Duration::from_secs(30);
/// Longest time for one page of them.
const LONGEST_PAGE: Duration = Duration::from_secs(30);
/// Accounts looked at in one transaction.
const PAGE: i64 = 500;

/// What an account comes to, in minor units: what has been added up and what has come since. Positive when debits are
/// more; nothing for an account that nobody has posted to.
pub async fn balance(executor: impl PgExecutor<'_>, account: &Account, currency: Currency) -> Result<i128, StoreError> {
    // A wallet that is ahead of this database came out of another's dump; see `fold`.
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

/// Brings wallets up to date every now and then, until `stop`.
pub async fn keep(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(FOLD_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // Each page in it is bounded; what is cut off is taken up by the next turn.
        match stop.run_until_cancelled(fold(&pool)).await {
            Some(Ok(wallets)) => tracing::debug!(wallets, "wallets are up to date"),
            Some(Err(error)) => tracing::warn!(error.cause = %error, "wallets cannot be brought up to date just now"),
            None => break,
        }
    }
}

/// Adds up what is complete, account by account; yields how many wallets have changed. Any number of replicas may do
/// this at once: a wallet that one of them has in hand is passed over by the others.
pub async fn fold(pool: &PgPool) -> Result<u64, StoreError> {
    let (mut after, mut changed) = (i64::MIN, 0);
    loop {
        let (last, folded) = bounded(LONGEST_PAGE, Box::pin(fold_page(pool, after))).await?;
        changed += folded;
        match last {
            Some(last) => after = last,
            None => return Ok(changed),
        }
    }
}

/// The accounts after this one: the last of them if there may be more, and how many wallets have changed.
async fn fold_page(pool: &PgPool, after: i64) -> Result<(Option<i64>, u64), StoreError> {
    let accounts: Vec<i64> =
        sqlx::query_scalar("select account_id from ledger_account where account_id > $1 order by account_id limit $2")
            .bind(after)
            .bind(PAGE)
            .fetch_all(pool)
            .await?;
    let last = accounts.last().copied().filter(|_| i64::try_from(accounts.len()) == Ok(PAGE));
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
    // A statement of its own, whose snapshot is younger than the locks: it sees what the fold before has counted, which
    // that of the statement that took the locks need not. A wallet that is ahead of this database's transactions came
    // out of another's dump, and is added up from the beginning.
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
