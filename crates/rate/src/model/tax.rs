//! Taxes and fees.

use staymesh_domain::Money;

/// A tax or fee added to every stay in a hotel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tax {
    /// Its line on the bill; 1 to 100 characters, unique in the hotel.
    pub(crate) display_name: String,
    pub(crate) kind: TaxKind,
}

/// How a tax is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaxKind {
    /// A share of the subtotal, 1 to 10,000 basis points (1/100 per cent).
    BasisPoints(i32),
    /// An amount per room and night.
    PerRoomNight(Money),
}

/// A tax as charged for one stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaxAmount {
    pub(crate) display_name: String,
    /// For all rooms and nights.
    pub(crate) amount: Money,
}
