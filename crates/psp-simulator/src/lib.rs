//! A stand-in for a payment provider, over real HTTP: hosted checkout pages, signed webhooks, refunds.
//!
//! Staymesh uses it in development and in tests. Card numbers only select an effect (see [`TEST_CARDS`]); they are never
//! stored, logged or forwarded, and no real card is ever charged.
//!
//! | Caller | Calls |
//! |---|---|
//! | the merchant, with `authorization: Bearer API_KEY` | `POST /v1/checkout_sessions`, `GET .../{id}`, `POST .../{id}/expire`, `POST .../{id}/review`; `POST /v1/refunds`; `POST /v1/transfers`, `GET .../{id}`; `GET /v1/settlements/{day}.csv`, `POST /v1/settlements/faults` |
//! | the guest's browser | `GET /checkout/{token}`, `POST` to `pay`, `challenge`, `review` and `decline` beneath it |
//! | the simulator | `POST` of each event to the webhook URL, with `psp-signature: t=UNIX,v1=HEX` |
//!
//! Creating, refunding and transferring take an `Idempotency-Key`: the same key with the same content gives the same
//! answer, with other content 409. Webhooks are delivered at least once, in no guaranteed order; those in flight when the
//! process ends are lost, so a merchant must also poll.
//!
//! Faults are injected by card, by request and at random; `docs/SANDBOX.md` documents them for partners.

mod api;
mod cards;
mod config;
mod error;
mod event;
mod faults;
mod journal;
mod model;
mod page;
mod provider;
mod server;
mod signature;
mod store;
mod webhook;

pub use cards::{TEST_CARD, TEST_CARDS, TestCard};
pub use config::Config;
pub use faults::FaultConfig;
pub use server::{ServeError, serve, serve_on};
