//! Payment service providers (PSP): the traits that the payment service calls, and one adapter for each provider.
//!
//! - [`Psp`]: hosted checkout pages, refunds and transfers to hotels. Each call carries an idempotency key of ours.
//! - [`settlement::Settlements`]: the provider's settlement file of a day, for the reconciliation.
//! - [`event`] and [`signature`]: signed webhooks, verified and then parsed into a [`event::ProviderEvent`].
//! - [`AnyPsp`]: the adapter that the settings select, [`simulator`] or [`stripe`].
//!
//! The crate knows no database, no ledger and no service: amounts and ids come from `staymesh_domain`, and every failure
//! is a [`PspError`] that says whether the provider may have acted.

pub mod config;
mod error;
pub mod event;
mod http;
mod model;
pub mod provider;
pub mod settlement;
pub mod signature;
pub mod simulator;
pub mod stripe;
#[cfg(test)]
mod testing;

pub use config::{Provider, PspConfig};
pub use error::PspError;
pub use http::CallerBudget;
pub use model::{
    Checkout, CheckoutOrder, CheckoutStatus, Psp, RefundOrder, TransferOrder, TransferOutcome, Transferred,
};
pub use provider::AnyPsp;
