//! The accounts of the ledger.

use staymesh_domain::HotelId;

/// An account. It exists once for each currency, and is created by the first posting to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Asset: what guests owe for sales. Zero once they have paid.
    GuestReceivable,
    /// Asset: the balance at the payment provider.
    PspClearing,
    /// Asset: what a partner owes that collects from its guests itself. Holds the subject of the partner's token.
    PartnerReceivable(String),
    /// Liability: what a hotel is still to be paid.
    HotelPayable(HotelId),
    /// Revenue: commission.
    CommissionRevenue,
    /// Liability: taxes and fees collected for a hotel.
    TaxPayable(HotelId),
    /// Liability: refunds that guests have not received yet.
    Refunds,
    /// Asset: the chain's bank account, as far as partners have paid to it.
    Bank,
    /// Asset: what a hotel has of the money that guests paid at its desk beyond its own share, which is the commission.
    HotelCash(HotelId),
}

impl Account {
    /// The database's name of its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::GuestReceivable => "GUEST_RECEIVABLE",
            Self::PspClearing => "PSP_CLEARING",
            Self::PartnerReceivable(_) => "PARTNER_RECEIVABLE",
            Self::HotelPayable(_) => "HOTEL_PAYABLE",
            Self::CommissionRevenue => "COMMISSION_REVENUE",
            Self::TaxPayable(_) => "TAX_PAYABLE",
            Self::Refunds => "REFUNDS",
            Self::Bank => "BANK",
            Self::HotelCash(_) => "HOTEL_CASH",
        }
    }

    /// The hotel it belongs to, if it is one of a hotel.
    pub const fn hotel_id(&self) -> Option<HotelId> {
        match self {
            Self::HotelPayable(hotel) | Self::TaxPayable(hotel) | Self::HotelCash(hotel) => Some(*hotel),
            _ => None,
        }
    }

    /// The partner it belongs to, if it is one of a partner.
    pub fn partner(&self) -> Option<&str> {
        match self {
            Self::PartnerReceivable(partner) => Some(partner),
            _ => None,
        }
    }
}
