//! A payment of a reservation and its state machine.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, Money, MoneyError, PaymentId, ReservationId};

use staymesh_ledger::{Holder, Sold, Split};
use staymesh_psp::CheckoutStatus;

use super::PaymentMethod;

/// The status of a payment.
///
/// Transitions are [`Status::can_become`]; the trigger `payment_order_legal_transition` enforces the same table, and a
/// test compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Created; not paid yet.
    Pending,
    /// Paid.
    Paid,
    /// The provider refused the payment for good.
    Failed,
    /// Not paid before the checkout page closed, or the reservation ended first.
    Expired,
    /// Paid, and at least one requested refund has not succeeded yet.
    Refunding,
    /// Paid, and every requested refund has succeeded. They need not add up to the whole amount.
    Refunded,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Paid, Self::Failed, Self::Expired, Self::Refunding, Self::Refunded];

    /// The value of the column `payment_order.status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The status with this name; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the transition from this status to `next` is legal.
    pub const fn can_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Paid | Self::Failed | Self::Expired)
                | (Self::Expired | Self::Failed, Self::Paid)
                | (Self::Paid | Self::Refunded, Self::Refunding)
                | (Self::Refunding, Self::Refunded)
        )
    }

    /// Whether the payment has been paid, refunded or not.
    pub const fn has_money(self) -> bool {
        matches!(self, Self::Paid | Self::Refunding | Self::Refunded)
    }

    /// The next status when the provider reports `checkout`. `None` if the report is a duplicate, or older than the
    /// current status: a paid payment stays paid, and a failed or expired one changes only when it is paid after all.
    pub const fn after_checkout(self, checkout: CheckoutStatus) -> Option<Self> {
        let next = match checkout {
            CheckoutStatus::Open | CheckoutStatus::InReview => return None,
            CheckoutStatus::Paid => Self::Paid,
            CheckoutStatus::Failed => Self::Failed,
            CheckoutStatus::Expired => Self::Expired,
        };
        if self.can_become(next) { Some(next) } else { None }
    }
}

/// The revision of the booking itself; changes have higher ones.
pub const BOOKING: i32 = 1;

/// A payment of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id, which is also the idempotency key of its checkout at the provider.
    pub payment_id: PaymentId,
    /// The reservation that is paid.
    pub reservation_id: ReservationId,
    /// The revision that is paid for: 1 for the booking itself, otherwise a change with its difference.
    pub revision: i32,
    /// Subject of the token that created the reservation.
    pub owner: String,
    /// The amount to be paid.
    pub amount: Money,
    /// The shares of the amount: hotel, taxes, commission.
    pub split: Split,
    /// How it is taken.
    pub method: PaymentMethod,
    /// Number of the receipt or of the terminal's slip of a payment at the desk; `None` if there is none.
    pub desk_reference: Option<String>,
    /// Current status.
    pub status: Status,
    /// Where the checkout page sends the guest afterwards; empty for nowhere.
    pub return_url: String,
    /// The provider's id of the checkout; `None` until the provider has answered.
    pub psp_session: Option<String>,
    /// URL of the checkout page; `None` until the provider has answered.
    pub checkout_url: Option<String>,
    /// When the checkout page closes.
    pub expire_time: Timestamp,
    /// Sum of all requested refunds, succeeded or not.
    pub refund_requested: Money,
    /// Sum of all succeeded refunds.
    pub refunded: Money,
    /// When the provider began to review the payment; not cleared when the review ends.
    pub in_review_since: Option<Timestamp>,
    /// When a card was last declined; not cleared when another card is accepted.
    pub decline_time: Option<Timestamp>,
    /// Whether the reservation service has reported that the reservation ended. If so, it expects to be notified of
    /// completed refunds.
    pub reservation_ended: bool,
    /// What the cancellation or no-show gives back in all, without goodwill; `None` if the reservation has not ended.
    pub refund_due: Option<Money>,
    /// When the payment was created.
    pub create_time: Timestamp,
    /// When its status last changed.
    pub update_time: Timestamp,
}

impl Payment {
    /// The hotel of the reservation.
    pub fn hotel_id(&self) -> HotelId {
        self.reservation_id.hotel_id()
    }

    /// The sale as the ledger posts it.
    pub fn sold(&self) -> Sold {
        let holder = if self.method.at_desk() { Holder::Hotel } else { Holder::Chain };
        Sold { reservation_id: self.reservation_id, split: self.split, holder }
    }

    /// Whether every requested refund has succeeded and some of the amount is left.
    pub fn is_partially_refunded(&self) -> bool {
        self.status == Status::Refunded && self.refunded != self.amount
    }

    /// The amount that is paid and not requested as a refund; zero if the payment has not been paid.
    ///
    /// # Errors
    /// If the amount and the refunds differ in currency or their difference is out of range, which the constraints of
    /// the database exclude.
    pub fn refundable(&self) -> Result<Money, MoneyError> {
        if self.status.has_money() {
            self.amount.checked_sub(self.refund_requested)
        } else {
            Ok(Money::zero(self.amount.currency()))
        }
    }
}

/// Selects payments by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusFilter {
    /// The status.
    pub status: Status,
    /// Whether less than the whole amount is refunded; `None` for both.
    pub in_part: Option<bool>,
}

/// A payment to be created. Fields as in [`Payment`].
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "documented at Payment")]
pub struct NewPayment {
    pub payment_id: PaymentId,
    pub reservation_id: ReservationId,
    pub revision: i32,
    pub owner: String,
    pub amount: Money,
    pub split: Split,
    /// Day of departure; the hotel is paid after it.
    pub check_out: Date,
    pub return_url: String,
    pub expire_time: Timestamp,
    /// When to query the provider for the checkout if no event has arrived by then.
    pub next_check_time: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_report() -> impl Strategy<Value = CheckoutStatus> {
        prop::sample::select(vec![
            CheckoutStatus::Open,
            CheckoutStatus::InReview,
            CheckoutStatus::Paid,
            CheckoutStatus::Failed,
            CheckoutStatus::Expired,
        ])
    }

    fn status_after(reports: &[CheckoutStatus]) -> Status {
        reports.iter().fold(Status::Pending, |status, report| status.after_checkout(*report).unwrap_or(status))
    }

    #[test]
    fn status_names_round_trip() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.as_str()), Some(status));
        }
        assert_eq!(Status::from_name("paid"), None);
    }

    proptest! {
        #[test]
        fn paid_report_wins_in_any_order(
            mut reports in prop::collection::vec(any_report(), 0..12),
            at in any::<prop::sample::Index>(),
        ) {
            reports.insert(at.index(reports.len() + 1), CheckoutStatus::Paid);
            prop_assert_eq!(status_after(&reports), Status::Paid);
        }

        #[test]
        fn first_final_report_wins_if_never_paid(reports in prop::collection::vec(any_report(), 0..12)) {
            prop_assume!(!reports.contains(&CheckoutStatus::Paid));
            let is_final = |report: &&CheckoutStatus| !matches!(report, CheckoutStatus::Open | CheckoutStatus::InReview);
            let expected = reports.iter().find(is_final).map_or(Status::Pending, |report| {
                if *report == CheckoutStatus::Failed { Status::Failed } else { Status::Expired }
            });
            prop_assert_eq!(status_after(&reports), expected);
        }

        #[test]
        fn duplicate_reports_change_nothing(reports in prop::collection::vec(any_report(), 0..12)) {
            let twice: Vec<_> = reports.iter().flat_map(|report| [*report, *report]).collect();
            prop_assert_eq!(status_after(&twice), status_after(&reports));
        }

        #[test]
        fn report_never_changes_a_payment_with_refunds(report in any_report()) {
            prop_assert_eq!(Status::Refunding.after_checkout(report), None);
            prop_assert_eq!(Status::Refunded.after_checkout(report), None);
        }
    }
}
