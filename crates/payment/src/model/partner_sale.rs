//! A sale whose money a partner collects: the partner owes its amount, minus credits for cancellations.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{Money, MoneyError, ReservationId};

use staymesh_ledger::{Holder, Sold, Split};

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

/// A sale at one point: its terms and their shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleState {
    /// The terms of the whole sale.
    pub terms: PartnerTerms,
    /// The shares of the amount: hotel, taxes, commission.
    pub split: Split,
}

/// A line of a partner's invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerSale {
    /// The reservation that was sold.
    pub reservation_id: ReservationId,
    /// The revision of the reservation whose terms these are: 1, or that of the latest change of the sale.
    pub revision: i32,
    /// The terms of the sale.
    pub terms: PartnerTerms,
    /// The shares of the amount: hotel, taxes, commission.
    pub split: Split,
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
        Sold { reservation_id: self.reservation_id, split: self.split, holder: Holder::Chain }
    }

    /// The commission of the sale, before any credit.
    pub const fn commission(&self) -> Money {
        self.split.commission()
    }

    /// What the partner owes: the amount minus what is credited.
    ///
    /// # Errors
    /// If the two differ in currency or their difference is out of range, which the constraints of the database exclude.
    pub fn owed(&self) -> Result<Money, MoneyError> {
        self.terms.amount.checked_sub(self.credited)
    }
}
