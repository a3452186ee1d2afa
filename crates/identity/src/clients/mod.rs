//! Clients of other services, one module per service: a trait that the rules depend on, and its gRPC implementation.

pub(crate) mod hotel;
pub(crate) mod reservation;
