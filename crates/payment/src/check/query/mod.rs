//! The checker's SQL. Each statement checks the rows with keys from `$1` to `$2` and returns violations as
//! `(kind, id, detail)`.

use sqlx::{FromRow, PgPool, Postgres, postgres::PgArguments, query::QueryAs};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{Kind, Violation};

/// The number of violations of each kind in `wrong`, and the first `$3` of them.
macro_rules! ranked {
    ($wrong:expr) => {
        concat!(
            $wrong,
            " select kind, id, detail, found from (
                  select kind, id, left(detail, 500) as detail, count(*) over (partition by kind) as found,
                      row_number() over (partition by kind order by id) as place
                  from wrong) ranked
              where place <= greatest($3, 1) order by kind, place"
        )
    };
}

mod ledger;
mod partner_sales;
mod payments;
mod payouts;

/// The result of a page.
pub(super) struct Page<K> {
    /// The key of the last row, if there may be more rows.
    pub(super) next: Option<K>,
    /// The number of rows.
    pub(super) rows: u64,
    /// For each kind of violation: the number, and the first ones.
    pub(super) found: Vec<(Kind, u64, Vec<Violation>)>,
}

/// The tables that are checked page by page in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Ledger transactions.
    Transactions,
    /// Payments with their refunds.
    Payments,
    /// Partner sales with their credits.
    PartnerSales,
    /// Payouts with their lines and transfers.
    Payouts,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Transactions, Self::Payments, Self::PartnerSales, Self::Payouts];

    /// Rows in a page. A payout may have a thousand lines.
    pub(super) const fn page_size(self) -> i64 {
        match self {
            Self::Payouts => 200,
            _ => 5_000,
        }
    }

    /// The statements for the next ids, and for the violations of the rows from the first to the last of them.
    const fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Transactions => (
                "select transaction_id from ledger_transaction where transaction_id >= $1 order by transaction_id limit $2",
                ledger::TRANSACTIONS,
            ),
            Self::Payments => (
                "select payment_id from payment_order where payment_id >= $1 order by payment_id limit $2",
                payments::PAYMENTS,
            ),
            Self::PartnerSales => (
                "select reservation_id from partner_sale where reservation_id >= $1 order by reservation_id limit $2",
                partner_sales::PARTNER_SALES,
            ),
            Self::Payouts => {
                ("select payout_id from pay_out where payout_id >= $1 order by payout_id limit $2", payouts::PAYOUTS)
            }
        }
    }

    /// Checks the next page, from this id on.
    pub(super) async fn page(
        self,
        pool: &PgPool,
        from: Uuid,
        limit: i64,
        list: usize,
    ) -> Result<Page<Uuid>, StoreError> {
        let (keys, wrong) = self.sql();
        let keys: Vec<Uuid> = sqlx::query_scalar(keys).bind(from).bind(limit).fetch_all(pool).await?;
        let until = last(&keys, limit);
        let rows = listing(sqlx::query_as(wrong).bind(from).bind(until.unwrap_or(Uuid::max())), list)?;
        page(&keys, until, rows.fetch_all(pool).await?)
    }
}

/// The number of rows to check.
pub(super) async fn count(pool: &PgPool) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select (select count(*) from ledger_transaction) + (select count(*) from payment_order)
             + (select count(*) from partner_sale) + (select count(*) from pay_out)
             + (select count(*) from ledger_account)",
    )
    .fetch_one(pool)
    .await?;
    u64::try_from(count).map_err(|_| sqlx::Error::Decode("count".into()).into())
}

/// Checks the next accounts, from this id on.
pub(super) async fn accounts(pool: &PgPool, from: i64, limit: i64, list: usize) -> Result<Page<i64>, StoreError> {
    let keys = "select account_id from ledger_account where account_id >= $1 order by account_id limit $2";
    let keys: Vec<i64> = sqlx::query_scalar(keys).bind(from).bind(limit).fetch_all(pool).await?;
    let until = last(&keys, limit);
    let rows = listing(sqlx::query_as(ledger::ACCOUNTS).bind(from).bind(until.unwrap_or(i64::MAX)), list)?;
    page(&keys, until, rows.fetch_all(pool).await?)
}

#[derive(FromRow)]
struct Row<K> {
    kind: String,
    id: K,
    detail: String,
    found: i64,
}

type Listing<'q, K> = QueryAs<'q, Postgres, Row<K>, PgArguments>;

/// Binds the maximum number of violations to list of each kind.
///
/// # Errors
/// When the number exceeds a `bigint`.
fn listing<K>(query: Listing<'_, K>, list: usize) -> Result<Listing<'_, K>, StoreError> {
    let list = i64::try_from(list).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(query.bind(list))
}

/// The last key of a full page. A page that is not full extends to the end of the table.
fn last<K: Copy>(keys: &[K], limit: i64) -> Option<K> {
    keys.last().copied().filter(|_| i64::try_from(keys.len()) == Ok(limit))
}

fn page<K: Copy + ToString>(keys: &[K], next: Option<K>, rows: Vec<Row<K>>) -> Result<Page<K>, StoreError> {
    let mut found: Vec<(Kind, u64, Vec<Violation>)> = Vec::new();
    for row in rows {
        let kind = Kind::from_name(&row.kind).ok_or_else(|| sqlx::Error::Decode("kind".into()))?;
        let violation = Violation { kind, id: row.id.to_string(), detail: row.detail };
        if let Some((.., violations)) = found.iter_mut().find(|(known, ..)| *known == kind) {
            violations.push(violation);
            continue;
        }
        let count = u64::try_from(row.found).map_err(|_| sqlx::Error::Decode("found".into()))?;
        found.push((kind, count, vec![violation]));
    }
    Ok(Page { next, rows: keys.len() as u64, found })
}
