//! The contract's two services: a request in, a checked value to the service or store, an answer out.

mod admin;
mod answer;
mod pricing;
mod read;

pub use admin::Admin;
pub use pricing::Pricing;

#[cfg(test)]
mod tests;
