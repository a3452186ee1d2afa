//! The layers of every server, in one place.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use super::{authorize, deadline, limit, malformed, panic, trace};
use crate::auth::{AccessTable, Revocations, TokenVerifier};

/// What the layers need.
pub struct LayerConfig {
    /// Who may call what.
    pub access: AccessTable,
    /// Verifies tokens.
    pub verifier: TokenVerifier,
    /// Logins that have ended.
    pub revocations: Revocations,
    /// Requests that may be in progress at once.
    pub max_concurrency: usize,
    /// The longest time a request may take.
    pub max_deadline: Duration,
}

/// Puts the layers around the services. Read from top to bottom: the first layer sees a request first and its answer
/// last.
pub fn server_stack(services: Router, parts: LayerConfig) -> Router {
    // Each request clones what a layer needs, and all that the layers below need: one counter each.
    let limit = Arc::new(Semaphore::new(parts.max_concurrency));
    let authorize = Arc::new(authorize::Authorize {
        access: parts.access,
        verifier: parts.verifier,
        revocations: parts.revocations,
    });
    let metrics = Arc::new(trace::Metrics::new());
    services.layer(
        ServiceBuilder::new()
            // Outermost: sees every answer, also those of the layers below.
            .layer(from_fn_with_state(metrics, trace::layer))
            // Makes the context of the request, so that every refusal below can name its request id.
            .layer(from_fn_with_state(parts.max_deadline, deadline::layer))
            // Below the trace, so that a panic is counted and logged with its request id.
            .layer(CatchPanicLayer::custom(panic::answer))
            // Before any work is done for a request that there is no room for.
            .layer(from_fn_with_state(limit, limit::layer))
            // Under the deadline: verifying may have to fetch keys.
            .layer(from_fn_with_state(authorize, authorize::layer))
            // Innermost: only what the services themselves answer.
            .layer(from_fn(malformed::layer)),
    )
}
