//! gRPC: parses requests into domain values, calls the service, and renders responses. No rules.

mod policy;
mod pricing;
mod rate_admin;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub(crate) use pricing::PricingHandler;
pub(crate) use rate_admin::RateAdminHandler;
