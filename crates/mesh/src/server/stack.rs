//! The stack of layers around the gRPC services, the same for every server.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use super::{authorize, deadline, limit, malformed, panic, source, trace};
use crate::auth::{AccessTable, Revocations, RoleGateways, TokenVerifier};

/// Settings and dependencies of the layers.
pub struct LayerConfig {
    /// The access rule of every method.
    pub access: AccessTable,
    /// The gateway of every role.
    pub role_gateways: RoleGateways,
    /// Verifies access tokens.
    pub verifier: TokenVerifier,
    /// Revoked sessions.
    pub revocations: Revocations,
    /// Limit of requests in progress; further requests are shed.
    pub max_concurrency: usize,
    /// Limit of requests in progress of one address.
    pub max_concurrency_per_source: usize,
    /// Limit of requests in progress of one client, whose token the edge has verified.
    pub max_concurrency_per_client: usize,
    /// Limit of health watches and reflection streams of one address.
    pub max_streams_per_source: usize,
    /// Upper limit of a request's deadline.
    pub max_deadline: Duration,
}

/// Wraps the services in the layers. From top to bottom: the first layer sees a request first and its response last.
pub fn server_stack(services: Router, config: LayerConfig) -> Router {
    // Each request clones the state of every layer, so each state is one `Arc`.
    let limit = Arc::new(Semaphore::new(config.max_concurrency));
    let sources = Arc::new(source::Sources::new(
        config.max_concurrency_per_source,
        config.max_concurrency_per_client,
        config.max_streams_per_source,
    ));
    let authorize = Arc::new(authorize::Authorize {
        access: config.access,
        role_gateways: config.role_gateways,
        verifier: config.verifier,
        revocations: config.revocations,
    });
    let metrics = Arc::new(trace::Metrics::new());
    services.layer(
        ServiceBuilder::new()
            // Outermost: records every response, also those of the layers below.
            .layer(from_fn_with_state(metrics, trace::layer))
            // Creates the request context, so that every error below carries the request id.
            .layer(from_fn_with_state(config.max_deadline, deadline::layer))
            // Below tracing, so that a panic is counted and logged with its request id.
            .layer(CatchPanicLayer::custom(panic::answer))
            // Before load shedding: the excess of one address takes no place of others.
            .layer(from_fn_with_state(sources, source::layer))
            // Load shedding, before any work is done for the request.
            .layer(from_fn_with_state(limit, limit::layer))
            // Below the deadline: verification may fetch keys.
            .layer(from_fn_with_state(authorize, authorize::layer))
            // Innermost: sees responses of the services only.
            .layer(from_fn(malformed::layer)),
    )
}
