//! The price of a stay as it is signed into an offer and stored with the reservation.
//!
//! In memory all amounts are [`Money`]. The JSON form, in offer tokens and in `reservation.price`, names the currency
//! once and writes minor units; it is persisted, so it must not change ([`QuoteRecord`]).

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize, Serializer, ser::Error, ser::SerializeStruct};
use staymesh_domain::{Currency, Money, MoneyError, RoomCount, StayDates};

use crate::calendar::{self, DateOutOfRange};

mod rooms;

/// Price, taxes and cancellation policy of a stay. All amounts have one currency.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "QuoteRecord")]
pub struct Quote {
    /// The price of one room, night by night.
    pub nights: Vec<Night>,
    /// All nights and rooms, before taxes.
    pub subtotal: Money,
    /// Taxes and fees for the whole stay and all rooms.
    pub taxes: Vec<TaxLine>,
    /// What is to be paid: the subtotal and the taxes.
    pub total: Money,
    /// Cancellation is free until this many hours before 00:00 UTC of the check-in date, 0 to 8760.
    pub free_until_hours_before: i32,
    /// Share of the total that is kept after that, in percent, 0 to 100.
    pub late_penalty_percent: i32,
}

/// The price of one night in one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Night {
    /// The date of the night.
    pub date: Date,
    /// Its price before taxes.
    pub price: Money,
}

/// A tax or fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxLine {
    /// Name on the bill.
    pub name: String,
    /// For the whole stay and all rooms.
    pub amount: Money,
}

/// Why a price of the rate service, or a stored one, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// An amount cannot be read, is negative, or its currency differs from the total's.
    #[error("the amount of {0} cannot be used")]
    Amount(&'static str),
    /// The date of a night cannot be read.
    #[error("the date of a night cannot be read")]
    NightDate,
    /// The room type id is not valid.
    #[error("the room type id is not valid")]
    RoomType,
    /// The cancellation policy is missing.
    #[error("the cancellation policy is missing")]
    CancellationPolicy,
    /// The parts do not add up to the total.
    #[error("nights and taxes do not add up to the total")]
    Sum,
    /// An amount out of range, an unknown currency, or two currencies in one sum.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A date out of range.
    #[error(transparent)]
    Date(#[from] DateOutOfRange),
}

impl Quote {
    /// The currency of all amounts.
    pub const fn currency(&self) -> Currency {
        self.total.currency()
    }

    /// Checks that nights times `rooms` are the subtotal, and subtotal plus taxes the total.
    ///
    /// # Errors
    /// [`QuoteError::Sum`], and [`QuoteError::Money`] when currencies are mixed or a sum is out of range.
    pub fn require_sums(&self, rooms: RoomCount) -> Result<(), QuoteError> {
        let nights = self.nights.iter().map(|night| night.price);
        let subtotal = Money::sum(self.currency(), nights)?.checked_mul(rooms.get())?;
        let total = subtotal.checked_add(self.tax()?)?;
        if subtotal == self.subtotal && total == self.total { Ok(()) } else { Err(QuoteError::Sum) }
    }

    /// Whether the cancellation policy is that of `other`.
    pub(crate) fn has_policy_of(&self, other: &Self) -> bool {
        (self.free_until_hours_before, self.late_penalty_percent)
            == (other.free_until_hours_before, other.late_penalty_percent)
    }

    /// The sum of all taxes and fees.
    ///
    /// # Errors
    /// When the sum is out of range or the currencies differ.
    pub fn tax(&self) -> Result<Money, MoneyError> {
        Money::sum(self.currency(), self.taxes.iter().map(|tax| tax.amount))
    }

    /// Until when a cancellation of a stay is free.
    ///
    /// # Errors
    /// When the check-in date is at the end of the calendar.
    pub fn free_until(&self, stay: StayDates) -> Result<Timestamp, DateOutOfRange> {
        let free = SignedDuration::from_hours(self.free_until_hours_before.into());
        calendar::midnight_utc(stay.check_in())?.checked_sub(free).map_err(|_| DateOutOfRange)
    }

    /// What is refunded of the paid total when the reservation is cancelled at `now`: all of it until
    /// `free_until_hours_before` the check-in date, [`Self::late_refund`] after that.
    ///
    /// # Errors
    /// When the check-in date is at the end of the calendar.
    pub fn refund(&self, stay: StayDates, now: Timestamp) -> Result<Money, QuoteError> {
        if now <= self.free_until(stay)? {
            return Ok(self.total);
        }
        Ok(self.late_refund()?)
    }

    /// What is refunded after the free period, and after a no-show: the total less the penalty. The penalty is rounded
    /// half to even.
    ///
    /// # Errors
    /// When the penalty is out of range.
    pub fn late_refund(&self) -> Result<Money, MoneyError> {
        self.total.checked_sub(self.total.percent_basis_points(self.late_penalty_percent * 100)?)
    }
}

/// The persisted JSON form: one currency code (ISO 4217) and amounts in its minor units.
///
/// [`Quote`] writes the same fields in the same order without building this value first.
#[derive(Debug, Deserialize)]
pub(crate) struct QuoteRecord {
    currency: String,
    nights: Vec<NightRecord>,
    subtotal_minor: i64,
    taxes: Vec<TaxRecord>,
    total_minor: i64,
    free_until_hours_before: i32,
    late_penalty_percent: i32,
}

#[derive(Debug, Deserialize)]
struct NightRecord {
    /// `yyyy-mm-dd`.
    date: Date,
    minor: i64,
}

#[derive(Debug, Deserialize)]
struct TaxRecord {
    name: String,
    minor: i64,
}

impl TryFrom<QuoteRecord> for Quote {
    type Error = QuoteError;

    fn try_from(record: QuoteRecord) -> Result<Self, QuoteError> {
        let currency: Currency = record.currency.parse()?;
        let money = |minor| Money::from_minor(minor, currency);
        let nights = record.nights.into_iter().map(|night| Ok(Night { date: night.date, price: money(night.minor)? }));
        let taxes = record.taxes.into_iter().map(|tax| Ok(TaxLine { amount: money(tax.minor)?, name: tax.name }));
        Ok(Self {
            nights: nights.collect::<Result<_, MoneyError>>()?,
            subtotal: money(record.subtotal_minor)?,
            taxes: taxes.collect::<Result<_, MoneyError>>()?,
            total: money(record.total_minor)?,
            free_until_hours_before: record.free_until_hours_before,
            late_penalty_percent: record.late_penalty_percent,
        })
    }
}

impl Serialize for Quote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The JSON form has one currency: amounts in another would change their meaning unnoticed.
        let amounts = self.nights.iter().map(|night| night.price).chain(self.taxes.iter().map(|tax| tax.amount));
        if amounts.chain([self.subtotal]).any(|amount| amount.currency() != self.currency()) {
            return Err(S::Error::custom(MoneyError::CurrencyMismatch));
        }
        let mut record = serializer.serialize_struct("Quote", 7)?;
        record.serialize_field("currency", self.currency().code())?;
        record.serialize_field("nights", &self.nights)?;
        record.serialize_field("subtotal_minor", &self.subtotal.minor())?;
        record.serialize_field("taxes", &self.taxes)?;
        record.serialize_field("total_minor", &self.total.minor())?;
        record.serialize_field("free_until_hours_before", &self.free_until_hours_before)?;
        record.serialize_field("late_penalty_percent", &self.late_penalty_percent)?;
        record.end()
    }
}

impl Serialize for Night {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Night", 2)?;
        record.serialize_field("date", &self.date)?;
        record.serialize_field("minor", &self.price.minor())?;
        record.end()
    }
}

impl Serialize for TaxLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("TaxLine", 2)?;
        record.serialize_field("name", &self.name)?;
        record.serialize_field("minor", &self.amount.minor())?;
        record.end()
    }
}

#[cfg(test)]
pub(crate) mod tests;
