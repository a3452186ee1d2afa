//! The payment provider, behind a trait: what every provider with hosted pages can do. Two adapters, [`simulator`] and
//! [`stripe`]; which of them it is, is a setting: [`provider`].

pub mod event;
mod http;
pub mod provider;
pub mod settlement;
pub mod signature;
pub mod simulator;
pub mod stripe;
mod switches;

use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId};
use uuid::Uuid;

use crate::model::CheckoutStatus;

/// Why a call to the provider failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PspError {
    /// It said no, and will say no again: nothing has changed there. Holds its code.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// It takes no such amount; says why. It was not asked, and nothing has changed there.
    #[error("{0}")]
    Amount(&'static str),
    /// It has taken the order and will do it in its own time. To be asked again, with the same key.
    #[error("the payment provider has not done it yet: {0}")]
    NotYet(&'static str),
    /// It did nothing: not reached, too busy, or it does not know our key.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(&'static str),
    /// Whether it did it is not known, for nothing came back. To be repeated with the same key.
    #[error("the payment provider gave no answer: {0}")]
    NoAnswer(&'static str),
    /// Whether it did it is not known, for its answer does not say. To be repeated with the same key.
    #[error("the payment provider gave no usable answer: {0}")]
    Unknown(&'static str),
}

/// A checkout at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The provider's id of it.
    pub session: String,
    /// The page on which to pay.
    pub url: String,
    /// How it stands.
    pub status: CheckoutStatus,
    /// What it takes or took.
    pub amount: Money,
}

/// What to open a checkout for. The same for each repeat, or the provider takes it for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutOrder {
    /// The idempotency key, and the reference that comes back in events.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// What the guest reads on the page.
    pub description: String,
    /// Where the page sends the guest afterwards; empty for nowhere.
    pub return_url: String,
    /// Until when it takes money.
    pub expire_time: Timestamp,
}

/// What to pay back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundOrder {
    /// The idempotency key, and the reference that comes back in the event.
    pub refund_id: Uuid,
    /// The provider's id of the checkout that was paid.
    pub session: String,
    /// How much.
    pub amount: Money,
}

/// What to pay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOrder {
    /// The idempotency key, and the reference that comes back in the event.
    pub transfer_id: Uuid,
    /// Whose account, in the provider's words.
    pub destination: String,
    /// How much.
    pub amount: Money,
}

/// What became of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferWord {
    /// The money has moved.
    Paid,
    /// It will not move.
    Failed,
    /// It moved, and came back. Nobody here asks for that: people must look.
    CameBack,
}

/// A transfer at the provider, which has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// The provider's id of it.
    pub psp_transfer: String,
    /// How it ended.
    pub word: TransferWord,
}

/// A payment provider. Each call has a deadline of its own and may be repeated.
#[cfg_attr(test, mockall::automock)]
pub trait Psp: Send + Sync + 'static {
    /// What is wrong with an address to send guests to that it would refuse, before anything is written down: an order
    /// does not change, so one that is refused could never be paid.
    fn check_return_url(&self, url: &str) -> Result<(), &'static str>;

    /// Opens a checkout, or finds the one that was opened for this payment before.
    fn create_checkout(&self, order: CheckoutOrder) -> impl Future<Output = Result<Checkout, PspError>> + Send;

    /// Closes a checkout that is open; the answer says how it stands, which may be "paid".
    fn expire_checkout(&self, session: String) -> impl Future<Output = Result<Checkout, PspError>> + Send;

    /// How a checkout stands.
    fn fetch_checkout(&self, session: String) -> impl Future<Output = Result<Checkout, PspError>> + Send;

    /// Pays back; the answer is the provider's id of the refund.
    fn refund(&self, order: RefundOrder) -> impl Future<Output = Result<String, PspError>> + Send;

    /// Pays out, or finds what was paid out for this transfer before.
    fn transfer(&self, order: TransferOrder) -> impl Future<Output = Result<Transferred, PspError>> + Send;
}
