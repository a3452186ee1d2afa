//! What a service keeps, it keeps in `PostgreSQL`, through this crate.
//!
//! - [`StoreConfig`] and [`connect`]: a pool that starts without the database and outlives its outages.
//! - [`migrate`](mod@migrate): creates and migrates the service's own database; tells readiness whether it is current.
//! - [`StoreError`] and [`ResultExt`]: the database guards the invariants; a named constraint becomes a domain error
//!   in one line.
//! - [`bounded`]: an end to waiting for a database that hangs.
//! - [`idempotency`]: a repeated create gets its first answer.
//! - [`outbox`]: what must reach another service although either may crash in between.
//!
//! SQL itself belongs to the services: plain functions with static text.

mod bounded;
mod config;
mod constraint;
mod error;
pub mod idempotency;
pub mod migrate;
pub mod outbox;
mod pool;

pub use bounded::bounded;
pub use config::StoreConfig;
pub use constraint::ResultExt;
pub use error::{Cause, StoreError};
pub use pool::{InvalidDatabaseUrl, connect, ping};
pub use staymesh_domain::parse_duration;
