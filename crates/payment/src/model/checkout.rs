//! The provider's view of a checkout.

/// What the provider says of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutStatus {
    /// The page accepts payments.
    Open,
    /// The guest has finished, and the provider reviews the payment or waits for a debit. May take days.
    InReview,
    /// It was paid.
    Paid,
    /// It was refused for good.
    Failed,
    /// It accepts no payment any more.
    Expired,
}
