//! The payment provider: checkout pages and refunds, each recognised by the key of its request.

use staymesh_psp::CheckoutStatus;
use uuid::Uuid;

/// A checkout page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Page {
    /// The payment that it was opened for, which is its key.
    pub(crate) payment: usize,
    pub(crate) status: CheckoutStatus,
    /// Whether its URL was returned to the guest.
    pub(crate) shown: bool,
    /// What the guest paid, in cents.
    pub(crate) charged: i64,
    /// What was refunded, in cents.
    pub(crate) refunded: i64,
    /// The refunds that were made.
    pub(crate) refunds: Vec<Uuid>,
}

impl Page {
    pub(crate) const fn new(payment: usize) -> Self {
        let (shown, charged, refunded) = (false, 0, 0);
        Self { payment, status: CheckoutStatus::Open, shown, charged, refunded, refunds: Vec::new() }
    }

    /// The statuses that may follow.
    pub(crate) const fn next(&self) -> &'static [CheckoutStatus] {
        match self.status {
            CheckoutStatus::Open if self.shown => {
                &[CheckoutStatus::Paid, CheckoutStatus::Failed, CheckoutStatus::InReview, CheckoutStatus::Expired]
            }
            CheckoutStatus::Open => &[CheckoutStatus::Expired],
            CheckoutStatus::InReview => &[CheckoutStatus::Paid, CheckoutStatus::Failed],
            _ => &[],
        }
    }

    /// Refunds so much, once for each id unless `forgetful`.
    pub(crate) fn refund(&mut self, id: Uuid, minor: i64, forgetful: bool) {
        if forgetful || !self.refunds.contains(&id) {
            self.refunded += minor;
            self.refunds.push(id);
        }
    }
}

/// An event of the provider, on its way to the payment service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ProviderEvent {
    /// A checkout changed.
    Checkout { payment: usize, status: CheckoutStatus },
    /// A refund succeeded.
    RefundSucceeded { payment: usize, refund: usize },
}
