//! A refund of a payment.

use jiff::Timestamp;
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
    /// A change of the reservation gives it back.
    Change {
        /// The revision that the change makes.
        revision: i32,
    },
}

impl RefundReason {
    /// The value of the column `refund.reason`. The release before this one knows no change, and reads it as requested.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancellation => "CANCELLATION",
            Self::RoomsGone => "ROOMS_GONE",
            Self::Requested | Self::Change { .. } => "REQUESTED",
        }
    }

    /// The value of the column `refund.revision`.
    pub const fn revision(self) -> Option<i32> {
        match self {
            Self::Change { revision } => Some(revision),
            Self::Cancellation | Self::RoomsGone | Self::Requested => None,
        }
    }

    /// The reason in these columns; `None` if there is none.
    pub fn from_columns(name: &str, revision: Option<i32>) -> Option<Self> {
        match (name, revision) {
            ("CANCELLATION", None) => Some(Self::Cancellation),
            ("ROOMS_GONE", None) => Some(Self::RoomsGone),
            ("REQUESTED", None) => Some(Self::Requested),
            ("REQUESTED", Some(revision)) => Some(Self::Change { revision }),
            _ => None,
        }
    }
}

/// A request for a refund. Reason and id identify it; the rest is its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundRequest {
    /// Why.
    pub reason: RefundReason,
    /// Idempotency key, unique for each reason.
    pub request_id: Uuid,
    /// The amount; `None` for all that is refundable.
    pub amount: Option<Money>,
    /// Whether it is given on top of what the cancellation policy gives back.
    pub goodwill: bool,
}

impl RefundRequest {
    /// Whether `made`, which a request with the same reason and id made, was requested with the same content: payment,
    /// amount or its absence, and goodwill. Earlier releases did not store whether an amount was absent; a refund of
    /// theirs is the same for a request without an amount and for one with its amount.
    pub fn made(&self, made: &Refund, payment_id: PaymentId) -> bool {
        let same_amount = self.amount.is_none_or(|amount| amount == made.amount);
        let same_absence = made.requested_rest.is_none_or(|rest| rest == self.amount.is_none());
        made.payment_id == payment_id && made.goodwill == self.goodwill && same_amount && same_absence
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
    /// Whether it was given on top of what the cancellation policy gives back.
    pub goodwill: bool,
    /// Whether it was requested without an amount; `None` if an earlier release wrote it.
    pub requested_rest: Option<bool>,
    /// Number of the receipt if it was given at the desk; `None` if there is none.
    pub desk_reference: Option<String>,
    /// When it was requested.
    pub create_time: Timestamp,
    /// When the provider confirmed it, or staff recorded it; `None` while it is pending.
    pub succeed_time: Option<Timestamp>,
}

impl Refund {
    /// Whether the provider has confirmed it.
    pub const fn succeeded(&self) -> bool {
        self.succeed_time.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_columns_round_trip() {
        let change = RefundReason::Change { revision: 2 };
        for reason in [RefundReason::Cancellation, RefundReason::RoomsGone, RefundReason::Requested, change] {
            assert_eq!(RefundReason::from_columns(reason.as_str(), reason.revision()), Some(reason));
        }
        assert_eq!(RefundReason::from_columns("rooms_gone", None), None);
        assert_eq!(RefundReason::from_columns("CANCELLATION", Some(2)), None);
    }

    #[test]
    fn repeat_is_compared_with_payment_amount_absence_and_goodwill() {
        let money = |minor| Money::from_minor(minor, "EUR".parse().unwrap()).unwrap();
        let payment_id = PaymentId::new();
        let made = |requested_rest| Refund {
            refund_id: Uuid::nil(),
            payment_id,
            reason: RefundReason::Requested,
            amount: money(3_000),
            goodwill: false,
            requested_rest,
            desk_reference: None,
            create_time: Timestamp::UNIX_EPOCH,
            succeed_time: None,
        };
        let request = |amount: Option<i64>, goodwill| RefundRequest {
            reason: RefundReason::Requested,
            request_id: Uuid::nil(),
            amount: amount.map(money),
            goodwill,
        };
        let (named, rest, unknown) = (made(Some(false)), made(Some(true)), made(None));
        for (request, of_named, of_rest, of_unknown) in [
            (request(Some(3_000), false), true, false, true),
            (request(None, false), false, true, true),
            (request(Some(3_001), false), false, false, false),
            (request(Some(3_000), true), false, false, false),
            (request(None, true), false, false, false),
        ] {
            let same = [&named, &rest, &unknown].map(|made| request.made(made, payment_id));
            assert_eq!(same, [of_named, of_rest, of_unknown], "{request:?}");
            assert!(!request.made(&named, PaymentId::new()), "{request:?}");
        }
    }
}
