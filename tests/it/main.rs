//! Cross-service tests: every service as a process, with real stores, behind a real Envoy.

mod attacks;
mod audit;
mod crash;
mod money;
mod outages;
mod races;
mod reflection;
mod replay;
mod routes;
mod smoke;
mod support;
mod unpaid;
