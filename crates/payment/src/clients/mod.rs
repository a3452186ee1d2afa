//! Callers of other services: one file per service called, with the trait that the rules use and its gRPC
//! implementation. Every call has a deadline, and every call is idempotent.

pub mod hotels;
pub mod reservations;
