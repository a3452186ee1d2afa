//! Exports the statement of a payout as a file.

use sqlx::PgPool;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::{
    payouts::statement::{CsvError, StatementWriter},
    store::{payouts, statements},
};

/// Lines in a page.
const PAGE: i64 = 1000;

/// Why a statement cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The payout does not exist.
    #[error("there is no such payout")]
    NotFound,
    /// The file cannot be written.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The statement as CSV: a header, a line for each settled ledger entry, and a line of totals.
///
/// # Errors
/// See [`StatementError`].
pub async fn csv(pool: &PgPool, payout_id: Uuid) -> Result<Vec<u8>, StatementError> {
    let payout = payouts::find(pool, payout_id).await?.ok_or(StatementError::NotFound)?;
    let mut statement = StatementWriter::new(payout.amount.currency())?;
    let mut after = 0;
    loop {
        let lines = statements::lines(pool, payout_id, after, PAGE).await?;
        for line in &lines {
            statement.add(line)?;
        }
        match lines.last() {
            Some(last) => after = last.number,
            None => return Ok(statement.finish(&payout)?),
        }
    }
}
