//! What guests, administrators and the provider do, as far as a step needs it. Nobody in a story knows of faults; they
//! repeat what was not answered, as they would.

use staymesh_localmesh::LocalMesh;
use staymesh_mesh::fault::Step;

use super::{
    end::{self, End},
    restart,
    shop::{Sale, Shop},
};
use crate::support::DECLINED_CARD;

/// The ways that money goes, and that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// The guest pays.
    Paid,
    /// The guest pays, and no event of it ever comes.
    Unheard,
    /// The card is declined for good.
    Declined,
    /// The guest cancels before paying.
    Left,
    /// The guest pays and cancels.
    Cancelled,
    /// The guest pays, and an administrator pays back.
    PaidBack,
    /// The guest pays after the provider had said that nobody will, and the rooms are gone.
    TooLate,
    /// The guest pays after the provider had said that the page is closed.
    Reopened,
}

impl Story {
    /// The story that leads through a step.
    pub(super) fn through(step: Step) -> Self {
        match step.0 {
            "pay_in.order_saved"
            | "pay_in.page_opened"
            | "pay_in.page_saved"
            | "pay_in.event_taken"
            | "pay_in.reservation_told"
            | "payment.confirmed" => Self::Paid,
            "pay_in.status_learned" => Self::Unheard,
            "pay_in.failure_told" | "payment.rejected" => Self::Declined,
            "pay_in.page_closed" => Self::Left,
            "refund.requested"
            | "refund.paid_back"
            | "refund.saved"
            | "refund.event_taken"
            | "refund.reservation_told"
            | "cancel.written"
            | "settle.told"
            | "refund.confirmed" => Self::Cancelled,
            "refund.ordered" => Self::PaidBack,
            "refund.sent_back" => Self::TooLate,
            other => panic!("no story leads through {other}"),
        }
    }

    /// Settings of the service that dies.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Unheard => &[("STAYMESH_PAYMENT_CHECK_AFTER", "200ms")],
            _ => &[],
        }
    }

    /// Before it: has the provider tell nobody, when that is how it goes.
    pub(super) fn prepare(self, local: &mut LocalMesh) -> anyhow::Result<()> {
        match self {
            // Nobody listens at the port that is for asking anybody's.
            Self::Unheard => restart(local, "psp-simulator", &[("STAYMESH_PSP_WEBHOOK_URL", "http://127.0.0.1:9/")]),
            _ => Ok(()),
        }
    }

    /// After it: the opposite.
    pub(super) fn clear_up(self, local: &mut LocalMesh) -> anyhow::Result<()> {
        match self {
            Self::Unheard => restart(local, "psp-simulator", &[]),
            _ => Ok(()),
        }
    }

    /// Goes through it as far as people do something.
    pub(super) async fn live(self, shop: &Shop<'_>) -> Sale {
        let sale = shop.open(&shop.book().await).await;
        match self {
            Self::Paid | Self::Unheard => shop.use_good_card(&sale).await,
            Self::Declined => assert_eq!(shop.provider.use_card(&sale.payment, DECLINED_CARD).await, 402),
            Self::Left => shop.cancel(&sale).await,
            Self::Cancelled => {
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

    /// What everybody has in the end.
    pub(super) fn end(self) -> End {
        let (payment, events, history): (_, &[&str], &[&str]) = match self {
            Self::Paid => ("PAID", &["checkout.paid"], &["pending_payment", "paid"]),
            Self::Reopened => ("PAID", &["checkout.expired", "checkout.paid"], &["pending_payment", "paid"]),
            Self::Unheard => ("PAID", &[], &["pending_payment", "paid"]),
            Self::Declined => ("FAILED", &["checkout.failed"], &["pending_payment", "rejected"]),
            Self::Left => ("EXPIRED", &["checkout.expired"], &["pending_payment", "cancelled"]),
            Self::Cancelled => (
                "REFUNDED",
                &["checkout.paid", "refund.succeeded"],
                &["pending_payment", "paid", "cancelled", "refunded"],
            ),
            Self::PaidBack => ("REFUNDED", &["checkout.paid", "refund.succeeded"], &["pending_payment", "paid"]),
            Self::TooLate => (
                "REFUNDED",
                &["checkout.failed", "checkout.paid", "refund.succeeded"],
                &["pending_payment", "rejected"],
            ),
        };
        End { payment, events, history }
    }

    /// Waits for the end, and sees that it is the only one.
    pub(super) async fn assert_ended(self, shop: &Shop<'_>, sale: &Sale, what: &str) {
        end::assert_is(shop, sale, &self.end(), what).await;
    }
}
