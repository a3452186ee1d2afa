//! A stand-in for a payment provider, over real HTTP: hosted checkout pages, signed webhooks, refunds.
//!
//! It is what Staymesh pays through in development and in tests. Card numbers only choose what happens (see
//! [`TEST_CARDS`]); they are never stored, logged or sent on, and no real card is ever charged.
//!
//! | who calls | what |
//! |---|---|
//! | the merchant, with `authorization: Bearer API_KEY` | `POST /v1/checkout_sessions`, `GET /v1/checkout_sessions/{id}`, `POST /v1/checkout_sessions/{id}/expire`, `POST /v1/refunds` |
//! | the guest's browser | `GET /checkout/{token}`, `POST /checkout/{token}/pay`, `POST /checkout/{token}/decline` |
//! | the simulator | `POST` of each event to the webhook URL, with `psp-signature: t=UNIX,v1=HEX` |
//!
//! Creating and refunding take an `Idempotency-Key`: the same key with the same content gives the same answer, with
//! other content 409. Webhooks come at least once, in no promised order; those on their way when the process ends are
//! lost, as they are with any provider on its worst day, so whoever takes payments must also ask.

mod api;
mod book;
mod cards;
mod config;
mod error;
mod journal;
mod model;
mod page;
mod provider;
mod server;
mod webhook;

pub use cards::{TEST_CARD, TEST_CARDS};
pub use config::Config;
pub use server::{ServeError, serve, serve_on};
