//! The statement of a payout as CSV (RFC 4180). Amounts are in major units, with the decimals of the currency.

use staymesh_domain::{Currency, Money};

use super::{Payout, Shares, StatementLine};

/// Why a statement cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// A sum exceeds the largest amount.
    #[error("an amount of the statement is out of range")]
    OutOfRange,
    /// The record cannot be encoded.
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// Writes a statement line by line.
pub struct StatementWriter {
    file: csv::Writer<Vec<u8>>,
    currency: Currency,
    totals: Shares,
}

impl StatementWriter {
    /// A statement in this currency, with its header.
    ///
    /// # Errors
    /// [`CsvError::Csv`] when the header cannot be encoded.
    pub fn new(currency: Currency) -> Result<Self, CsvError> {
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
        Ok(Self { file, currency, totals: Shares::default() })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`CsvError::OutOfRange`] when an amount, or the sum so far, is out of range.
    pub fn add(&mut self, line: &StatementLine) -> Result<(), CsvError> {
        let (reservation, check_out) = (line.reservation_id.to_string(), line.check_out.to_string());
        self.write([&reservation, &check_out, line.kind.as_str()], line.shares)?;
        self.totals = self.totals.checked_add(line.shares).ok_or(CsvError::OutOfRange)?;
        Ok(())
    }

    /// Adds the line of totals and returns the file.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish(mut self, payout: &Payout) -> Result<Vec<u8>, CsvError> {
        self.write([&format!("payout {}", payout.payout_id), "", "TOTAL"], self.totals)?;
        self.file.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
    }

    fn write(&mut self, what: [&str; 3], shares: Shares) -> Result<(), CsvError> {
        let amount = |minor| match Money::from_minor(minor, self.currency) {
            Ok(money) => Ok(money.amount()),
            Err(_) => Err(CsvError::OutOfRange),
        };
        let [first, second, third] = what.map(str::to_owned);
        self.file.write_record([
            first,
            second,
            third,
            self.currency.code().to_owned(),
            amount(shares.gross)?,
            amount(shares.refunds)?,
            amount(shares.tax)?,
            amount(shares.commission)?,
            amount(shares.net)?,
        ])?;
        Ok(())
    }
}
