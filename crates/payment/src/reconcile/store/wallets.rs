//! Wallets beside the entries they are the sum of.

use sqlx::{PgConnection, PgExecutor};
use staymesh_store::StoreError;

/// A wallet that is not the sum of its entries.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Wrong {
    /// Whose.
    pub account_id: i64,
    /// What kind of account that is.
    pub kind: String,
    /// Its currency.
    pub currency: String,
    /// What its entries come to.
    pub entries_minor: i64,
    /// What the wallet and the entries since make of it.
    pub wallet_minor: i64,
}

/// Wallets that are wrong, one of them or all. What is beyond every measure is shown as the largest number there is.
pub async fn wrong(connection: &mut PgConnection, account_id: Option<i64>) -> Result<Vec<Wrong>, StoreError> {
    // One that is ahead of this database came out of another's dump; nobody reads it, and the next fold puts it right.
    let rows = sqlx::query_as(
        "select account_id, kind, currency,
             least(greatest(entries, -9223372036854775807), 9223372036854775807)::bigint as entries_minor,
             least(greatest(balance_minor + newer, -9223372036854775807), 9223372036854775807)::bigint as wallet_minor
         from wallet join ledger_account using (account_id)
         cross join lateral (
             select coalesce(sum(amount_minor), 0) as entries,
                 coalesce(sum(amount_minor) filter (where written_by >= counted_before), 0) as newer
             from ledger_entry where ledger_entry.account_id = wallet.account_id) summed
         where counted_before <= pg_snapshot_xmin(pg_current_snapshot()) and balance_minor + newer <> entries
             and account_id = coalesce($1, account_id)
         order by account_id",
    )
    .bind(account_id)
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Throws a wallet away: it is added up anew from the beginning.
pub async fn forget(executor: impl PgExecutor<'_>, account_id: i64) -> Result<(), StoreError> {
    sqlx::query("delete from wallet where account_id = $1").bind(account_id).execute(executor).await?;
    Ok(())
}
