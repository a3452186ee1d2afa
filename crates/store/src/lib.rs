//! Access to `PostgreSQL`, the only durable store of a service.
//!
//! - [`StoreConfig`] and [`connect`]: a connection pool that starts without the database and survives its outages.
//! - [`migrate`](mod@migrate): creates and migrates the service's own database, and checks whether it is current.
//! - [`StoreError`] and [`ResultExt`]: errors by cause; violations of named constraints become domain errors.
//! - [`bounded`]: a deadline for work on a database that hangs.
//! - [`idempotency`]: a repeated create gets its first answer.
//! - [`audit`]: a record of each change by staff, administrators and services.
//! - [`outbox`]: at-least-once delivery of events to other services.
//!
//! The services' own SQL is in their `store` modules.

pub mod audit;
mod bounded;
mod config;
mod constraint;
mod error;
pub mod idempotency;
pub mod migrate;
pub mod outbox;
mod pool;
mod stale_plan;

pub use bounded::bounded;
pub use config::StoreConfig;
pub use constraint::ResultExt;
pub use error::{Cause, StoreError};
pub use pool::{InvalidDatabaseUrl, connect, ping};
pub use staymesh_domain::parse_duration;
