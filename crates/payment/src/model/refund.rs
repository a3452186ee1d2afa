//! A refund of a payment.

use staymesh_domain::{Money, PaymentId};
use uuid::Uuid;

/// Why a refund is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundReason {
    /// The reservation was cancelled; the cancellation policy determines the amount.
    Cancellation,
    /// The payment arrived when the rooms were no longer available.
    RoomsGone,
    /// An administrator requested it.
    Requested,
}

impl RefundReason {
    /// The value of the column `refund.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancellation => "CANCELLATION",
            Self::RoomsGone => "ROOMS_GONE",
            Self::Requested => "REQUESTED",
        }
    }

    /// The reason with this name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cancellation, Self::RoomsGone, Self::Requested].into_iter().find(|reason| reason.as_str() == name)
    }
}

/// A refund of a payment, requested or succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its id, which is also its idempotency key at the provider.
    pub refund_id: Uuid,
    /// The payment that is refunded.
    pub payment_id: PaymentId,
    /// Why.
    pub reason: RefundReason,
    /// The amount, in the payment's currency; always positive.
    pub amount: Money,
    /// Whether the provider has confirmed it.
    pub succeeded: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_names_round_trip() {
        for reason in [RefundReason::Cancellation, RefundReason::RoomsGone, RefundReason::Requested] {
            assert_eq!(RefundReason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(RefundReason::from_name("rooms_gone"), None);
    }
}
