//! Jobs that an operator or a scheduler runs against the payment database, beside the service.
//!
//! Each is idempotent, may be stopped at any point, and may run concurrently with itself and with the service.

pub mod backfill;
pub mod payouts;
pub mod statements;
