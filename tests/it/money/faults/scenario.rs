//! The scenarios of the fault matrix: actions of guests, administrators and the provider that reach a step. Callers know
//! nothing of faults; they retry unanswered requests.

use staymesh_mesh::fault::Step;

use super::{
    outcome::{self, Outcome},
    shop::{Sale, Shop},
};
use crate::support::DECLINED_CARD;

/// Settings: the provider sends no event of a payment, and the payment service polls soon.
pub(super) const EVENTS_LOST: &str = "webhook=lose";
pub(super) const UNHEARD: [(&str, &str); 1] = [("STAYMESH_PAYMENT_CHECK_AFTER", "200ms")];

const PAID_AND_CANCELLED: &[&str] = &["pending_payment", "paid", "cancelled", "refunded"];

/// A flow of money, or its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// The guest pays.
    Paid,
    /// The guest pays, and the provider sends no event.
    Unheard,
    /// The card is declined for good.
    Declined,
    /// The guest cancels before paying.
    Left,
    /// The guest pays and cancels.
    Cancelled,
    /// The guest pays and cancels, and the provider sends no event.
    CancelledUnheard,
    /// The guest pays and cancels, and the response to the first refund request is lost.
    CancelledUnanswered,
    /// The guest pays, and an administrator refunds.
    PaidBack,
    /// The guest pays after the provider reported the checkout as expired, and the rooms are sold.
    TooLate,
    /// The guest pays after the provider reported the checkout page as closed.
    Reopened,
}

impl Scenario {
    /// The scenario that reaches a step.
    pub(super) fn through(step: Step) -> Self {
        match step.0 {
            "pay_in.terms_saved"
            | "pay_in.order_saved"
            | "pay_in.page_opened"
            | "pay_in.page_saved"
            | "pay_in.event_taken"
            | "pay_in.reservation_told"
            | "payment.confirmed" => Self::Paid,
            "pay_in.status_learned" => Self::Unheard,
            "pay_in.failure_told" | "payment.rejected" => Self::Declined,
            "pay_in.page_closed" => Self::Left,
            "refund.requested" | "refund.reservation_told" | "cancel.written" | "settle.told" | "refund.confirmed" => {
                Self::Cancelled
            }
            // The refund event and the refund query must each suffice without the other.
            "refund.paid_back" | "refund.saved" => Self::CancelledUnheard,
            "refund.event_taken" => Self::CancelledUnanswered,
            "refund.ordered" => Self::PaidBack,
            "refund.sent_back" => Self::TooLate,
            other => panic!("no scenario leads through {other}"),
        }
    }

    /// Settings of the payment service for it.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Unheard | Self::CancelledUnheard => &UNHEARD,
            _ => &[],
        }
    }

    /// The simulated fault of the provider.
    fn simulate(self) -> &'static str {
        match self {
            Self::Unheard | Self::CancelledUnheard => EVENTS_LOST,
            Self::CancelledUnanswered => "refund=timeout-after",
            _ => "",
        }
    }

    /// Performs the actions of guests and administrators.
    pub(super) async fn run(self, shop: &Shop<'_>) -> Sale {
        let sale = shop.open(&shop.book().await, self.simulate()).await;
        match self {
            Self::Paid | Self::Unheard => shop.use_good_card(&sale).await,
            Self::Declined => assert_eq!(shop.provider.use_card(&sale.payment, DECLINED_CARD).await, 402),
            Self::Left => shop.cancel(&sale).await,
            Self::Cancelled | Self::CancelledUnheard | Self::CancelledUnanswered => {
                shop.pay(&sale).await;
                shop.cancel(&sale).await;
            }
            Self::PaidBack => {
                shop.pay(&sale).await;
                shop.pay_back(&sale).await;
            }
            Self::TooLate => {
                shop.tell(&shop.provider.event("checkout.failed", &sale.payment).await).await;
                shop.await_state(&sale, "FAILED", "rejected").await;
                shop.use_good_card(&sale).await;
            }
            Self::Reopened => {
                shop.tell(&shop.provider.event("checkout.expired", &sale.payment).await).await;
                shop.await_state(&sale, "EXPIRED", "pending_payment").await;
                shop.use_good_card(&sale).await;
            }
        }
        sale
    }

    /// The expected outcome.
    pub(super) fn end(self) -> Outcome {
        let (payment, events, history): (_, &[&str], &[&str]) = match self {
            Self::Paid => ("PAID", &["checkout.paid"], &["pending_payment", "paid"]),
            Self::Reopened => ("PAID", &["checkout.expired", "checkout.paid"], &["pending_payment", "paid"]),
            Self::Unheard => ("PAID", &[], &["pending_payment", "paid"]),
            Self::Declined => ("FAILED", &["checkout.failed"], &["pending_payment", "rejected"]),
            Self::Left => ("EXPIRED", &["checkout.expired"], &["pending_payment", "cancelled"]),
            Self::Cancelled | Self::CancelledUnanswered => {
                ("REFUNDED", &["checkout.paid", "refund.succeeded"], PAID_AND_CANCELLED)
            }
            Self::CancelledUnheard => ("REFUNDED", &[], PAID_AND_CANCELLED),
            Self::PaidBack => ("REFUNDED", &["checkout.paid", "refund.succeeded"], &["pending_payment", "paid"]),
            Self::TooLate => (
                "REFUNDED",
                &["checkout.failed", "checkout.paid", "refund.succeeded"],
                &["pending_payment", "rejected"],
            ),
        };
        Outcome { payment, events, history }
    }

    /// Waits for the expected outcome, and asserts that it is final.
    pub(super) async fn assert_ended(self, shop: &Shop<'_>, sale: &Sale, what: &str) {
        outcome::assert_is(shop, sale, &self.end(), what).await;
    }
}
