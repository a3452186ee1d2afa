//! A sale whose money a partner collects: the partner owes its amount, minus credits for cancellations.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{Money, MoneyError, ReservationId};

use crate::ledger::{Parts, Sold};

/// The terms on which a partner sold a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerTerms {
    /// The partner that owes the amount: the subject of its token.
    pub partner: String,
    /// Price with taxes and fees.
    pub amount: Money,
    /// Taxes and fees contained in the amount, in the same currency.
    pub taxes: Money,
    /// Day of departure.
    pub check_out: Date,
}

/// A line of a partner's invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerSale {
    /// The reservation that was sold.
    pub reservation_id: ReservationId,
    /// The terms of the sale.
    pub terms: PartnerTerms,
    /// The shares of the amount: hotel, taxes, commission.
    pub parts: Parts,
    /// What is credited after a cancellation, in the currency of the amount; at most the amount.
    pub credited: Money,
    /// When the sale was recorded.
    pub create_time: Timestamp,
    /// When it was cancelled; `None` if it was not.
    pub cancel_time: Option<Timestamp>,
}

impl PartnerSale {
    /// The sale as the ledger posts it.
    pub fn sold(&self) -> Sold {
        Sold { reservation_id: self.reservation_id, currency: self.terms.amount.currency(), parts: self.parts }
    }

    /// The commission of the sale, before any credit.
    ///
    /// # Errors
    /// If the commission is out of range for [`Money`], which the constraints of the database exclude.
    pub fn commission(&self) -> Result<Money, MoneyError> {
        Money::from_minor(self.parts.commission, self.terms.amount.currency())
    }

    /// What the partner owes: the amount minus what is credited.
    ///
    /// # Errors
    /// If the two differ in currency or their difference is out of range, which the constraints of the database exclude.
    pub fn owed(&self) -> Result<Money, MoneyError> {
        self.terms.amount.checked_sub(self.credited)
    }
}
