//! The accounts.

use staymesh_domain::HotelId;

/// What money is owed, held, earned or on its way. There is one of each for every currency; it comes into being when it
/// is first posted to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// What guests owe for what they bought. Nothing, once they have paid.
    GuestReceivable,
    /// What the payment provider has of ours.
    PspClearing,
    /// What a partner owes that collects from its guests itself.
    PartnerReceivable(String),
    /// What a hotel is still to be paid.
    HotelPayable(HotelId),
    /// What was earned.
    CommissionRevenue,
    /// What a hotel's taxes come to, which pass through.
    TaxPayable(HotelId),
    /// What guests are still to get back.
    Refunds,
}

impl Account {
    /// Its name in the database.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::GuestReceivable => "GUEST_RECEIVABLE",
            Self::PspClearing => "PSP_CLEARING",
            Self::PartnerReceivable(_) => "PARTNER_RECEIVABLE",
            Self::HotelPayable(_) => "HOTEL_PAYABLE",
            Self::CommissionRevenue => "COMMISSION_REVENUE",
            Self::TaxPayable(_) => "TAX_PAYABLE",
            Self::Refunds => "REFUNDS",
        }
    }

    /// The hotel whose it is.
    pub const fn hotel_id(&self) -> Option<HotelId> {
        match self {
            Self::HotelPayable(hotel) | Self::TaxPayable(hotel) => Some(*hotel),
            _ => None,
        }
    }

    /// The partner whose it is.
    pub fn partner(&self) -> Option<&str> {
        match self {
            Self::PartnerReceivable(partner) => Some(partner),
            _ => None,
        }
    }
}

/// The id of the account `$account.kind`, `.hotel_id`, `.partner` in the currency `$currency`, as a subquery that yields
/// no row when it has not come into being. Each branch is one look into the key, which does not find "is not distinct
/// from"; the two that do not fit the owner are not run.
macro_rules! account_id {
    ($account:literal, $currency:literal) => {
        concat!(
            "(select account_id from ledger_account
              where ",
            $account,
            ".hotel_id is null and ",
            $account,
            ".partner is null
                  and kind = ",
            $account,
            ".kind and hotel_id is null and partner is null and currency = ",
            $currency,
            "
              union all
              select account_id from ledger_account
              where kind = ",
            $account,
            ".kind and hotel_id = ",
            $account,
            ".hotel_id and partner is null
                  and currency = ",
            $currency,
            "
              union all
              select account_id from ledger_account
              where kind = ",
            $account,
            ".kind and hotel_id is null and partner = ",
            $account,
            ".partner
                  and currency = ",
            $currency,
            ")"
        )
    };
}
pub(super) use account_id;
