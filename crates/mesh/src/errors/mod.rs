//! How an error leaves a service: one list of reasons ([`Reason`]), one way to say one ([`Problem`]).

mod problem;
mod reason;

pub use problem::{ERROR_DOMAIN, Problem};
pub use reason::Reason;
