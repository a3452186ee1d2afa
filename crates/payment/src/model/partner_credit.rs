//! The credit of partners who collect: how much they may owe, and what they pay.

use std::str::FromStr;

use jiff::Timestamp;
use staymesh_domain::{Currency, Money, MoneyError};
use uuid::Uuid;

/// What a partner may owe in a currency, and what it owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditLimit {
    /// The partner: the subject of its token.
    pub partner: String,
    /// The most that it may owe. Zero: it sells only what it has paid for in advance.
    pub limit: Money,
    /// What it owes by the ledger, in the same currency; negative if it has paid in advance.
    pub used: Money,
    /// Whether no administrator has set the limit, so that the default of the setting holds.
    pub is_default: bool,
    /// Counts the changes of the limit.
    pub version: i32,
}

impl CreditLimit {
    /// What the partner may still sell: zero if it owes the limit or more, which happens when the limit is lowered.
    ///
    /// # Errors
    /// If the amount is out of range, because the partner has paid in advance more than amounts can express.
    pub fn left(&self) -> Result<Money, MoneyError> {
        let left = self.limit.checked_sub(self.used)?;
        Ok(if left.is_negative() { Money::zero(left.currency()) } else { left })
    }

    /// Whether a sale of `amount` is within the limit.
    pub const fn admits(&self, amount: Money) -> bool {
        // Amounts are far below the half of what the type holds.
        self.used.minor() + amount.minor() <= self.limit.minor()
    }

    /// The etag, which changes with the limit.
    pub fn etag(&self) -> String {
        self.version.to_string()
    }
}

/// A sale that the credit limit of a partner refused, in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditRefusal {
    /// The amount of the sale.
    pub asked: Money,
    /// The most that the partner may owe.
    pub limit: Money,
    /// What it owed.
    pub used: Money,
}

/// The limit of partners for whom no administrator has set one, in each currency; zero in a currency that is not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultCredit(Vec<Money>);

impl DefaultCredit {
    /// The limit in this currency.
    pub fn of(&self, currency: Currency) -> Money {
        let limit = self.0.iter().find(|limit| limit.currency() == currency);
        limit.copied().unwrap_or(Money::zero(currency))
    }

    /// The currencies that are listed.
    pub fn currencies(&self) -> impl Iterator<Item = Currency> {
        self.0.iter().map(|limit| limit.currency())
    }
}

/// `EUR=50000.00,JPY=6000000`: amounts in major units, each currency once. Empty: none.
impl FromStr for DefaultCredit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits: Vec<Money> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (currency, amount) = part.split_once('=').ok_or(format!("'{part}' is not written CURRENCY=AMOUNT"))?;
            let limit = Money::parse(currency, amount).map_err(|error| format!("'{part}': {error}"))?;
            if limits.iter().any(|known| known.currency() == limit.currency()) {
                return Err(format!("{} is listed twice", limit.currency()));
            }
            limits.push(limit);
        }
        Ok(Self(limits))
    }
}

/// A payment of a partner to the chain, as requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartnerPayment {
    /// The idempotency key.
    pub request_id: Uuid,
    /// The partner: the subject of its token.
    pub partner: String,
    /// What was paid; positive.
    pub amount: Money,
    /// The bank's reference of the transfer, 1 to 200 characters.
    pub reference: String,
    /// Whether what exceeds the debt is kept as credit.
    pub keep_credit: bool,
}

/// A recorded payment of a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerPayment {
    /// Its id.
    pub partner_payment_id: Uuid,
    /// The request.
    pub request: NewPartnerPayment,
    /// When it was recorded.
    pub create_time: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(minor: i64) -> Money {
        Money::from_minor(minor, "EUR".parse().unwrap()).unwrap()
    }

    #[test]
    fn default_credit_is_zero_in_currencies_that_are_not_listed() {
        let credit: DefaultCredit = "EUR=500.00, JPY=7,KWD=0".parse().unwrap();
        let minor = |code: &str| credit.of(code.parse().unwrap()).minor();
        assert_eq!(["EUR", "JPY", "KWD", "USD"].map(minor), [50_000, 7, 0, 0]);
        assert_eq!("".parse::<DefaultCredit>().unwrap(), DefaultCredit::default());
    }

    #[test]
    fn default_credit_that_is_malformed_is_refused() {
        for wrong in ["EUR", "EUR=", "=1", "EUR=-1", "EUR=1.001", "XXX=1", "EUR=1,EUR=2", "eur=1", "EUR=1;USD=1"] {
            assert!(wrong.parse::<DefaultCredit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn limit_admits_up_to_itself_and_left_is_never_negative() {
        let limit = |limit, used| CreditLimit {
            partner: "client:x".into(),
            limit: eur(limit),
            used: eur(used),
            is_default: false,
            version: 1,
        };
        for (most, used, left) in [(100, 0, 100), (100, 99, 1), (100, 100, 0), (100, 150, 0), (0, -30, 30)] {
            let credit = limit(most, used);
            assert_eq!(credit.left().unwrap(), eur(left));
            assert!(!credit.admits(eur(left + 1)));
            assert_eq!(credit.admits(eur(left)), used + left <= most);
        }
    }
}
