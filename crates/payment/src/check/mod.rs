//! The money part of the invariant checker: reads a whole payment database and says whether its books are right.
//!
//! - Every transaction of the ledger is whole, balances, and comes from something that happened.
//! - Every payment that was made, and every refund, is in the ledger with its own amount, its own parts and its own
//!   booking, and nothing else is there in its name.
//! - No more goes back than was paid.
//! - What partners have sold, and what is credited of it, is in the ledger in the same way.
//! - A pay-out is the sum of its lines; each settles an entry of what its own hotel has earned with a stay that is over,
//!   which no other line settles; no more than one of its transfers has paid or may; and the ledger has it when it is
//!   paid, and not before.
//! - What a hotel is owed is what no pay-out has settled, and what pay-outs have that are not paid yet.
//! - Every wallet, with the entries since, is the sum of its account's entries.
//!
//! Corrections are people's, and are not judged but for their balance.
//!
//! It only reads, and may run beside a service that takes money: rows are looked at a page at a time, each page in one
//! statement and so in one snapshot, and what belongs together is written in one transaction. The reckoning is done by
//! the server, so memory here does not grow with the database.

mod query;
mod report;
#[cfg(test)]
mod tests;

use sqlx::PgPool;
use staymesh_store::StoreError;
use uuid::Uuid;

use query::Part;

pub use report::{Kind, Report, Violation};

/// Accounts in one statement: a few of them have most of the entries.
const ACCOUNTS: i64 = 50;

/// What to check by.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many violations are listed, of each kind. All are counted.
    pub listed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { listed: 100 }
    }
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Transactions, payments, partners' sales, pay-outs and accounts that are done.
    pub done: u64,
    /// How many there were when it began.
    pub all: u64,
    /// Violations found so far.
    pub violations: u64,
}

/// Checks the whole database, telling `progress` after each page.
///
/// The pool's statements should be given minutes, not seconds: an account may have millions of entries.
///
/// # Errors
/// When the database fails. Violations are no errors.
pub async fn run(pool: &PgPool, options: &Options, mut progress: impl FnMut(Progress)) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let all = query::count(pool).await?;
    let mut tell = |report: &Report| progress(Progress { done: report.seen(), all, violations: report.violations() });
    tell(&report);
    for part in Part::ALL {
        let mut from = Some(Uuid::nil());
        while let Some(first) = from {
            let page = part.page(pool, first, part.page_size(), options.listed).await?;
            match part {
                Part::Transactions => report.transactions += page.rows,
                Part::Payments => report.payments += page.rows,
                Part::PartnerSales => report.partner_sales += page.rows,
                Part::PayOuts => report.pay_outs += page.rows,
            }
            report.add(page.found, options.listed);
            tell(&report);
            from = page.next.and_then(after);
        }
    }
    let mut account = Some(i64::MIN);
    while let Some(first) = account {
        let page = query::accounts(pool, first, ACCOUNTS, options.listed).await?;
        report.accounts += page.rows;
        report.add(page.found, options.listed);
        tell(&report);
        account = page.next.and_then(|last| last.checked_add(1));
    }
    Ok(report)
}

/// The id that follows this one.
fn after(id: Uuid) -> Option<Uuid> {
    id.as_u128().checked_add(1).map(Uuid::from_u128)
}
