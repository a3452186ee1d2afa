//! Pay-outs, their transfers and what their statements say.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, Money, ReservationId};
use uuid::Uuid;

/// Where the money of a pay-out is: how its latest transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransferStatus {
    /// The provider has been or will be asked to move it.
    Requested,
    /// It has moved.
    Paid,
    /// It has not moved, and will not before somebody asks again.
    Failed,
}

impl TransferStatus {
    /// Every status there is.
    pub const ALL: [Self; 3] = [Self::Requested, Self::Paid, Self::Failed];

    /// Its name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Money for a hotel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayOut {
    /// Its id, and the source of its posting.
    pub payout_id: Uuid,
    /// Who is paid.
    pub hotel_id: HotelId,
    /// How much.
    pub amount: Money,
    /// How many ledger entries it settles.
    pub lines: i32,
    /// It settles stays whose day of leaving is before this.
    pub cutoff: Date,
    /// Where the money is.
    pub status: TransferStatus,
    /// Why it has not moved; when it has failed.
    pub failure: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was paid or failed.
    pub ended_at: Option<Timestamp>,
}

/// An attempt to move the money of a pay-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its id, and the provider's idempotency key for it.
    pub transfer_id: Uuid,
    /// What it is for.
    pub payout_id: Uuid,
    /// Who is paid.
    pub hotel_id: HotelId,
    /// How much.
    pub amount: Money,
    /// Where to, in the provider's words.
    pub destination: String,
    /// How it stands.
    pub status: TransferStatus,
}

/// Where a hotel's money goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The hotel.
    pub hotel_id: HotelId,
    /// In the provider's words.
    pub destination: String,
    /// Since when.
    pub updated_at: Timestamp,
}

/// What a line of a statement tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// A booking was sold.
    Sale,
    /// Money of a booking went back to the guest, or is credited to the partner.
    Refund,
    /// The books were put right.
    Correction,
}

impl LineKind {
    /// What the ledger's kind of transaction is to a hotelier.
    pub fn of_transaction(kind: &str) -> Self {
        match kind {
            "SALE" | "PARTNER_SALE" => Self::Sale,
            "REFUND_OWED" | "PARTNER_CREDIT" => Self::Refund,
            _ => Self::Correction,
        }
    }

    /// Its name in a statement.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "SALE",
            Self::Refund => "REFUND",
            Self::Correction => "CORRECTION",
        }
    }
}

/// Who gets what, in minor units: what guests paid, less what went back to them, less taxes, less commission, is the
/// hotel's. With a refund taxes and commission come back, and are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shares {
    /// What guests or partners paid.
    pub gross: i64,
    /// What went back to them.
    pub refunds: i64,
    /// Taxes and fees that were kept.
    pub tax: i64,
    /// Commission that was kept.
    pub commission: i64,
    /// The hotel's.
    pub net: i64,
}

impl Shares {
    /// What a ledger transaction of this kind says, of which these are the parts.
    pub const fn of(kind: LineKind, net: i64, tax: i64, commission: i64) -> Self {
        let all = net + tax + commission;
        let (gross, refunds) = if matches!(kind, LineKind::Refund) { (0, -all) } else { (all, 0) };
        Self { gross, refunds, tax, commission, net }
    }

    /// With those of another line.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            gross: self.gross + other.gross,
            refunds: self.refunds + other.refunds,
            tax: self.tax + other.tax,
            commission: self.commission + other.commission,
            net: self.net + other.net,
        }
    }
}

/// A line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// From 1, in the order of check-outs.
    pub number: i32,
    /// The booking.
    pub reservation_id: ReservationId,
    /// Its day of leaving.
    pub check_out: Date,
    /// What happened.
    pub kind: LineKind,
    /// Who got what.
    pub shares: Shares,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for status in TransferStatus::ALL {
            assert_eq!(TransferStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(TransferStatus::from_name("paid"), None);
    }

    #[test]
    fn a_sale_and_its_refund_leave_nothing_but_their_gross() {
        let sale = Shares::of(LineKind::Sale, 8500, 1900, 1500);
        let refund = Shares::of(LineKind::Refund, -8500, -1900, -1500);
        assert_eq!((sale.gross, sale.refunds, refund.gross, refund.refunds), (11_900, 0, 0, 11_900));
        let both = sale.plus(refund);
        assert_eq!(both, Shares { gross: 11_900, refunds: 11_900, tax: 0, commission: 0, net: 0 });
        for shares in [sale, refund, both] {
            assert_eq!(shares.gross - shares.refunds - shares.tax - shares.commission, shares.net);
        }
    }
}
