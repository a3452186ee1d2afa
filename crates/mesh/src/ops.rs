//! The operations server of a service: metrics, liveness and readiness over plain HTTP. No gateway routes to it.

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Obstacles;

/// What the operations server exports.
#[derive(Clone)]
pub struct OpsState {
    /// The metrics of this process.
    pub registry: Registry,
    /// The failed readiness probes.
    pub obstacles: Obstacles,
}

/// Serves `/metrics`, `/livez` and `/readyz` until `stop`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, state: OpsState, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .with_state(state);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn metrics(State(state): State<OpsState>) -> impl IntoResponse {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&state.registry.gather(), &mut text) {
        Ok(()) => (StatusCode::OK, text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(state): State<OpsState>) -> impl IntoResponse {
    let obstacles = state.obstacles.load_full();
    let code = if obstacles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(serde_json::json!({ "ready": obstacles.is_empty(), "obstacles": *obstacles })))
}
