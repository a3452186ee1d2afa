//! Payouts, their transfers, and the lines of their statements.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, Money, ReservationId};
use uuid::Uuid;

/// The state of a transfer. The state of a payout is that of its latest transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferStatus {
    /// The provider was or will be asked to make it.
    Requested,
    /// The money has moved.
    Paid,
    /// The money has not moved. It stays so until another transfer is requested.
    Failed,
}

impl TransferStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Requested, Self::Paid, Self::Failed];

    /// The database's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A payout to a hotel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Its id, and the source of its posting.
    pub payout_id: Uuid,
    /// The hotel that is paid.
    pub hotel_id: HotelId,
    /// The amount.
    pub amount: Money,
    /// The number of ledger entries that it settles.
    pub lines: i32,
    /// It settles stays with a check-out before this date.
    pub cutoff: Date,
    /// The state of its latest transfer.
    pub status: TransferStatus,
    /// Why the latest transfer failed.
    pub failure: Option<String>,
    /// When it was created.
    pub create_time: Timestamp,
    /// When its latest transfer was paid or failed.
    pub end_time: Option<Timestamp>,
}

/// An attempt to move the money of a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its id, and the provider's idempotency key for it.
    pub transfer_id: Uuid,
    /// The payout.
    pub payout_id: Uuid,
    /// The hotel that is paid.
    pub hotel_id: HotelId,
    /// The amount.
    pub amount: Money,
    /// The hotel's account at the provider.
    pub destination: String,
    /// Its state.
    pub status: TransferStatus,
}

/// The account that a hotel's payouts go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The hotel.
    pub hotel_id: HotelId,
    /// The account at the provider.
    pub destination: String,
    /// When it was last changed.
    pub update_time: Timestamp,
}

/// The kind of a statement line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// A reservation was sold.
    Sale,
    /// A sale was refunded to the guest, or credited to the partner.
    Refund,
    /// A manual correction of the ledger.
    Correction,
}

impl LineKind {
    /// The kind of line for a ledger transaction of this kind.
    pub fn of_transaction(kind: &str) -> Self {
        match kind {
            "SALE" | "PARTNER_SALE" | "PARTNER_CHANGE" => Self::Sale,
            "REFUND_OWED" | "PARTNER_CREDIT" => Self::Refund,
            _ => Self::Correction,
        }
    }

    /// The name in a statement.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Refund => "REFUND",
            Self::Correction => "CORRECTION",
        }
    }
}

/// How the money of a line divides, in minor units: `net = gross - refunds - tax - commission`. A refund reverses tax and
/// commission, so there they are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shares {
    /// Paid by guests or partners.
    pub gross: i64,
    /// Refunded or credited to them.
    pub refunds: i64,
    /// Taxes and fees withheld.
    pub tax: i64,
    /// Commission withheld.
    pub commission: i64,
    /// Due to the hotel.
    pub net: i64,
}

impl Shares {
    /// The shares of a ledger transaction of this kind, which credits the hotel, its taxes and the commission with these
    /// amounts.
    pub const fn of(kind: LineKind, net: i64, tax: i64, commission: i64) -> Self {
        let all = net + tax + commission;
        let (gross, refunds) = if matches!(kind, LineKind::Refund) { (0, -all) } else { (all, 0) };
        Self { gross, refunds, tax, commission, net }
    }

    /// The sum with another line; `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            gross: self.gross.checked_add(other.gross)?,
            refunds: self.refunds.checked_add(other.refunds)?,
            tax: self.tax.checked_add(other.tax)?,
            commission: self.commission.checked_add(other.commission)?,
            net: self.net.checked_add(other.net)?,
        })
    }
}

/// A line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// Counted from 1, in the order of check-outs.
    pub number: i32,
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its check-out date.
    pub check_out: Date,
    /// What it records.
    pub kind: LineKind,
    /// How the money divides.
    pub shares: Shares,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_name_reverses_as_str() {
        for status in TransferStatus::ALL {
            assert_eq!(TransferStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(TransferStatus::from_name("paid"), None);
    }

    #[test]
    fn shares_of_sale_and_full_refund_sum_to_zero_net() {
        let sale = Shares::of(LineKind::Sale, 8500, 1900, 1500);
        let refund = Shares::of(LineKind::Refund, -8500, -1900, -1500);
        assert_eq!((sale.gross, sale.refunds, refund.gross, refund.refunds), (11_900, 0, 0, 11_900));
        let both = sale.checked_add(refund).unwrap();
        assert_eq!(both, Shares { gross: 11_900, refunds: 11_900, tax: 0, commission: 0, net: 0 });
        for shares in [sale, refund, both] {
            assert_eq!(shares.gross - shares.refunds - shares.tax - shares.commission, shares.net);
        }
    }
}
