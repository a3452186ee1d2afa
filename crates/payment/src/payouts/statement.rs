//! The statement of a pay-out as a file (RFC 4180).

use sqlx::PgPool;
use staymesh_domain::{Currency, Money};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{PayOut, Shares};
use crate::store::{payouts, statements};

/// Lines that are read at once.
const PAGE: i64 = 1000;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// There is no such pay-out.
    #[error("there is no such pay-out")]
    NotFound,
    /// An amount that is none: the lines of a pay-out are too much together.
    #[error("an amount of the statement is too large")]
    TooLarge,
    /// It cannot be written.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The database said no, or nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The statement: a header, a line for each sale and each refund, and one with the totals.
///
/// # Errors
/// When there is no such pay-out, or the database fails.
pub async fn csv(pool: &PgPool, payout_id: Uuid) -> Result<Vec<u8>, StatementError> {
    let pay_out = payouts::find(pool, payout_id).await?.ok_or(StatementError::NotFound)?;
    let currency = pay_out.amount.currency();
    let mut file = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    file.write_record([
        "reservation",
        "check_out",
        "kind",
        "currency",
        "gross",
        "refunds",
        "tax",
        "commission",
        "net",
    ])?;
    let (mut after, mut totals) = (0, Shares::default());
    loop {
        let lines = statements::lines(pool, payout_id, after, PAGE).await?;
        for line in &lines {
            let (reservation, check_out) = (line.reservation_id.to_string(), line.check_out.to_string());
            file.write_record(record([&reservation, &check_out, line.kind.as_str()], currency, line.shares)?)?;
            totals = totals.plus(line.shares);
        }
        match lines.last() {
            Some(last) => after = last.number,
            None => break,
        }
    }
    file.write_record(total(&pay_out, totals)?)?;
    file.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
}

fn total(pay_out: &PayOut, totals: Shares) -> Result<[String; 9], StatementError> {
    record([&format!("pay-out {}", pay_out.payout_id), "", "TOTAL"], pay_out.amount.currency(), totals)
}

fn record(what: [&str; 3], currency: Currency, shares: Shares) -> Result<[String; 9], StatementError> {
    let amount = |minor| match Money::from_minor(minor, currency) {
        Ok(money) => Ok(money.amount()),
        Err(_) => Err(StatementError::TooLarge),
    };
    let [first, second, third] = what.map(str::to_owned);
    Ok([
        first,
        second,
        third,
        currency.code().to_owned(),
        amount(shares.gross)?,
        amount(shares.refunds)?,
        amount(shares.tax)?,
        amount(shares.commission)?,
        amount(shares.net)?,
    ])
}
