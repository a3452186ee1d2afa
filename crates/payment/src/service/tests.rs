//! The rules against a real database, with a provider and a reservation service that do as they are told.

mod cancel;
mod create;
mod destinations;
mod guards;
mod ledger;
mod partner;
mod payouts;
mod relay;
mod stripe;
mod sweep;
mod webhook;
mod whole;
