//! The [`Psp`] trait, and the orders and results of its calls.

use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId};
use uuid::Uuid;

use crate::PspError;

/// The state of a checkout at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckoutStatus {
    /// The page accepts payment.
    Open,
    /// The guest has submitted the payment and the provider has not decided: a manual review, or a debit that is being
    /// collected. May take days.
    InReview,
    /// The money was taken.
    Paid,
    /// The payment was refused for good.
    Failed,
    /// The page no longer accepts payment, and no money was taken.
    Expired,
}

/// A checkout at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The provider's id.
    pub session: String,
    /// The hosted checkout page; empty when the provider no longer shows it.
    pub url: String,
    /// Its state.
    pub status: CheckoutStatus,
    /// The amount to pay, or the amount paid.
    pub amount: Money,
}

/// A request for a checkout. Every retry must be equal to the first: providers compare the content of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutOrder {
    /// The idempotency key, and the reference that events carry.
    pub payment_id: PaymentId,
    /// The amount to take.
    pub amount: Money,
    /// The line that the guest reads on the page.
    pub description: String,
    /// Where the page sends the guest afterwards; empty for the adapter's default.
    pub return_url: String,
    /// When the page stops accepting payment.
    pub expire_time: Timestamp,
}

/// A request to refund a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundOrder {
    /// The idempotency key, and the reference that the event carries.
    pub refund_id: Uuid,
    /// The provider's id of the checkout that was paid.
    pub session: String,
    /// The amount to refund, at most what is left of the checkout.
    pub amount: Money,
}

/// A request to transfer money to a hotel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOrder {
    /// The idempotency key, and the reference that the event carries.
    pub transfer_id: Uuid,
    /// The hotel's account at the provider, for example a connected account of Stripe.
    pub destination: String,
    /// The amount to transfer.
    pub amount: Money,
}

/// The final state of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferOutcome {
    /// The money has moved.
    Paid,
    /// The money has not moved and will not move.
    Failed,
    /// The money moved and was returned. Never requested by this system: a contradiction for finance to examine.
    Reversed,
}

/// A transfer that has ended at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// The provider's id.
    pub psp_transfer: String,
    /// How it ended.
    pub outcome: TransferOutcome,
}

/// A payment provider. Every call has a deadline of its own and is idempotent: a retry with the same id and content has
/// the effect of one call.
pub trait Psp: Send + Sync + 'static {
    /// Opens a checkout, or finds the one that was opened for this payment before.
    ///
    /// # Errors
    /// See [`PspError`]; [`PspError::ReturnUrl`] when the provider does not send guests to the return URL.
    fn create_checkout(&self, order: CheckoutOrder) -> impl Future<Output = Result<Checkout, PspError>> + Send;

    /// Closes an open checkout and returns its state, which is [`CheckoutStatus::Paid`] if the guest was faster.
    ///
    /// # Errors
    /// See [`PspError`].
    fn expire_checkout(&self, session: String) -> impl Future<Output = Result<Checkout, PspError>> + Send;

    /// Reads a checkout.
    ///
    /// # Errors
    /// See [`PspError`].
    fn fetch_checkout(&self, session: String) -> impl Future<Output = Result<Checkout, PspError>> + Send;

    /// Refunds a guest; returns the provider's id of the refund once the money has been returned.
    ///
    /// # Errors
    /// See [`PspError`]; [`PspError::Pending`] while the provider still works on it.
    fn refund(&self, order: RefundOrder) -> impl Future<Output = Result<String, PspError>> + Send;

    /// Transfers money to a hotel, or finds the transfer that was made for this id before.
    ///
    /// # Errors
    /// See [`PspError`]; [`PspError::Pending`] while the provider still works on it.
    fn transfer(&self, order: TransferOrder) -> impl Future<Output = Result<Transferred, PspError>> + Send;
}
