//! The operations server of a service: metrics, liveness and readiness over plain HTTP. No gateway routes to it.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::net::TcpListener;

use crate::health::Obstacles;

/// What the operations server exports.
#[derive(Clone)]
pub struct OpsState {
    /// The metrics of this process.
    pub registry: Registry,
    /// The failed readiness probes.
    pub obstacles: Obstacles,
}

/// Serves `/metrics`, `/livez` and `/readyz` until the task is aborted: after everything that they report on has ended.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, state: OpsState) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .with_state(state);
    axum::serve(listener, router).await
}

async fn metrics(State(state): State<OpsState>) -> impl IntoResponse {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&state.registry.gather(), &mut text) {
        // Prometheus 3 refuses a scrape whose media type is not one of its formats.
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(state): State<OpsState>) -> impl IntoResponse {
    let obstacles = state.obstacles.load_full();
    let code = if obstacles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(serde_json::json!({ "ready": obstacles.is_empty(), "obstacles": *obstacles })))
}
