//! Payments and refunds that a hotel takes and gives at its desk.

use staymesh_domain::Money;

/// How a payment was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentMethod {
    /// On the payment provider's checkout page.
    Provider,
    /// In cash at the hotel's desk.
    Cash,
    /// With a card terminal at the hotel's desk.
    CardTerminal,
}

impl PaymentMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Provider, Self::Cash, Self::CardTerminal];

    /// The value of the column `payment_order.method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "PROVIDER",
            Self::Cash => "CASH",
            Self::CardTerminal => "CARD_TERMINAL",
        }
    }

    /// The method with this name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether the hotel has the money.
    pub const fn at_desk(self) -> bool {
        !matches!(self, Self::Provider)
    }
}

/// A payment that staff record: the content of their request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskPayment {
    /// What is paid: 1 for the booking itself, otherwise the revision of the pending change.
    pub revision: i32,
    /// Cash or card terminal.
    pub method: PaymentMethod,
    /// What the hotel took, which must be what is due.
    pub amount: Money,
    /// Number of the receipt or of the terminal's slip, 1 to 64 characters; `None` if there is none.
    pub reference: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_names_round_trip_and_only_the_provider_is_not_the_desk() {
        for method in PaymentMethod::ALL {
            assert_eq!(PaymentMethod::from_name(method.as_str()), Some(method));
        }
        assert_eq!(PaymentMethod::from_name("cash"), None);
        assert_eq!(PaymentMethod::ALL.map(PaymentMethod::at_desk), [false, true, true]);
    }
}
