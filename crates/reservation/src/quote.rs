//! The price of a stay as it is signed into an offer and stored with the reservation, with the terms of its cancellation.

mod record;
mod rooms;
mod two_numbers;

use jiff::{Timestamp, civil::Date};
use serde::Deserialize;
use staymesh_domain::{CancellationTerms, Currency, Money, MoneyError, RoomCount};

use crate::calendar::DateOutOfRange;

pub(crate) use record::{ForReleaseBefore, QuoteRecord};
use two_numbers::TwoNumbers;

/// Price, taxes and cancellation terms of a stay. All amounts have one currency.
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
    /// What a cancellation or a no-show keeps of the total, and when.
    pub terms: CancellationTerms,
    /// The form in which releases before wrote the terms, if they did; they are computed from it and the total.
    pub(crate) two_numbers: Option<TwoNumbers>,
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
    /// The nights are none, or no stay.
    #[error("the nights are not those of a stay")]
    Nights,
    /// The cancellation terms are missing or contradict themselves.
    #[error("the cancellation terms cannot be used")]
    CancellationTerms,
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
    /// The price of a stay; nothing is checked.
    pub const fn new(
        nights: Vec<Night>,
        subtotal: Money,
        taxes: Vec<TaxLine>,
        total: Money,
        terms: CancellationTerms,
    ) -> Self {
        Self { nights, subtotal, taxes, total, terms, two_numbers: None }
    }

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

    /// Whether a guest is offered the same: the same price and the same cancellation terms.
    pub(crate) fn offers_same(&self, other: &Self) -> bool {
        let of = |quote: &Self| (quote.nights.clone(), quote.taxes.clone(), quote.total, quote.terms.clone());
        of(self) == of(other)
    }

    /// Whether the terms are those of `other` in the form of releases before, which rounds the penalty of all rooms together.
    pub(crate) fn rounds_with(&self, other: &Self) -> bool {
        self.two_numbers.is_some() && self.two_numbers == other.two_numbers
    }

    /// The sum of all taxes and fees.
    ///
    /// # Errors
    /// When the sum is out of range or the currencies differ.
    pub fn tax(&self) -> Result<Money, MoneyError> {
        Money::sum(self.currency(), self.taxes.iter().map(|tax| tax.amount))
    }

    /// Checks that there is a penalty at every time and that none is negative or above the total.
    ///
    /// # Errors
    /// [`QuoteError::CancellationTerms`].
    pub fn require_penalties(&self) -> Result<(), QuoteError> {
        let penalties = self.terms.deadlines.iter().map(|deadline| deadline.penalty).chain([self.terms.no_show]);
        let all = 0..=self.total.minor();
        let fit = penalties.into_iter().all(|of| of.currency() == self.currency() && all.contains(&of.minor()));
        let ends = self.terms.deadlines.last().is_some_and(|last| last.until.is_none());
        if fit && ends { Ok(()) } else { Err(QuoteError::CancellationTerms) }
    }

    /// What is refunded of the paid total when a reservation made at `booked` is cancelled at `now`: what the terms do not
    /// keep.
    ///
    /// # Errors
    /// When the currencies differ.
    pub fn refund(&self, booked: Timestamp, now: Timestamp) -> Result<Money, MoneyError> {
        self.total.checked_sub(self.terms.penalty_at(booked, now))
    }

    /// What is refunded of the paid total after a no-show.
    ///
    /// # Errors
    /// When the currencies differ.
    pub fn no_show_refund(&self) -> Result<Money, MoneyError> {
        self.total.checked_sub(self.terms.no_show)
    }
}

#[cfg(test)]
pub(crate) mod tests;
