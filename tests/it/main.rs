//! Cross-service tests: real processes, real stores, the real Envoy in front.

mod crash;
mod money;
mod outages;
mod races;
mod reflection;
mod replay;
mod routes;
mod support;
mod walk;
