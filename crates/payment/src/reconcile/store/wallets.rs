//! Wallets compared with the sums of their entries.

use sqlx::{PgConnection, PgExecutor};
use staymesh_store::StoreError;

/// A wallet whose balance is not the sum of its entries.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WalletMismatch {
    /// The account.
    pub account_id: i64,
    /// The kind of the account.
    pub kind: String,
    /// Its currency.
    pub currency: String,
    /// The sum of its entries, in minor units.
    pub entries_minor: i64,
    /// The wallet plus the entries since, in minor units.
    pub wallet_minor: i64,
}

/// The mismatching wallets, of one account or all. Sums beyond the range of an i64 are clamped: they are only reported.
///
/// # Errors
/// When the database is unavailable.
pub async fn mismatches(
    connection: &mut PgConnection,
    account_id: Option<i64>,
) -> Result<Vec<WalletMismatch>, StoreError> {
    // A wallet with a later transaction id than this database has was restored from a dump of another. It is not read, and
    // the next fold recomputes it.
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

/// Deletes a wallet: the next fold sums it from the beginning.
///
/// # Errors
/// When the database is unavailable.
pub async fn delete(executor: impl PgExecutor<'_>, account_id: i64) -> Result<(), StoreError> {
    sqlx::query("delete from wallet where account_id = $1").bind(account_id).execute(executor).await?;
    Ok(())
}
