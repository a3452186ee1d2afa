//! The invariant checker of the payment database (`staymesh check`). The invariants:
//!
//! - Every ledger transaction is complete, balances, and has an existing source.
//! - Every paid payment and every refund is posted with its own amount, split and reservation, and nothing else is posted
//!   from that source.
//! - The refunds of a payment do not exceed it.
//! - What was paid for a reservation in all of its payments less what was refunded is what the ledger has of it at the
//!   provider. What a change gave back is the sum of its refunds.
//! - Partner sales and their credits are posted in the same way.
//! - A payout is the sum of its lines. Each line settles an entry of the payable account of its hotel for a finished stay,
//!   and no entry is settled twice. At most one of its transfers is open or paid. It is posted if and only if it is paid.
//! - What a hotel is owed is the sum of its unsettled entries and of its unpaid payouts.
//! - Every wallet plus the entries since is the sum of its account's entries.
//!
//! Manual corrections are only required to balance.
//!
//! The checker reads only, and may run beside the service: it reads page by page, each page in one statement and so in
//! one snapshot, and rows that belong together are written in one transaction. The database computes the comparison, so
//! the checker's memory does not grow with the data.

mod query;
mod report;
#[cfg(test)]
mod tests;

use sqlx::PgPool;
use staymesh_store::StoreError;
use uuid::Uuid;

use query::Part;

pub use report::{Kind, Report, Violation};

/// Accounts in a page. Small, because a few accounts have most of the entries.
const ACCOUNTS: i64 = 50;

/// The options of a check.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The maximum number of violations to list of each kind. All are counted.
    pub listed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { listed: 100 }
    }
}

/// The progress of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows checked: ledger transactions, payments, partner sales, payouts and accounts.
    pub done: u64,
    /// Rows when the check began.
    pub all: u64,
    /// Violations found so far.
    pub violations: u64,
}

/// Checks the whole database and calls `progress` after each page.
///
/// The pool needs a statement timeout of minutes: an account may have millions of entries.
///
/// # Errors
/// When the database fails. Violations are part of the report, not errors.
pub async fn run(pool: &PgPool, options: &Options, mut progress: impl FnMut(Progress)) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let all = query::count(pool).await?;
    let mut notify = |report: &Report| progress(Progress { done: report.seen(), all, violations: report.violations() });
    notify(&report);
    for part in Part::ALL {
        let mut from = Some(Uuid::nil());
        while let Some(first) = from {
            let page = part.page(pool, first, part.page_size(), options.listed).await?;
            match part {
                Part::Transactions => report.transactions += page.rows,
                Part::Payments => report.payments += page.rows,
                Part::PartnerSales => report.partner_sales += page.rows,
                Part::Payouts => report.payouts += page.rows,
            }
            report.add(page.found, options.listed);
            notify(&report);
            from = page.next.and_then(after);
        }
    }
    let mut account = Some(i64::MIN);
    while let Some(first) = account {
        let page = query::accounts(pool, first, ACCOUNTS, options.listed).await?;
        report.accounts += page.rows;
        report.add(page.found, options.listed);
        notify(&report);
        account = page.next.and_then(|last| last.checked_add(1));
    }
    Ok(report)
}

/// The id that follows this one.
fn after(id: Uuid) -> Option<Uuid> {
    id.as_u128().checked_add(1).map(Uuid::from_u128)
}
