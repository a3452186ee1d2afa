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

/// Serves `/metrics`, `/livez` and `/readyz` until it is dropped.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, state: OpsState) -> std::io::Result<()> {
    axum::serve(listener, router(state)).await
}

fn router(state: OpsState) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .with_state(state)
}

async fn metrics(State(state): State<OpsState>) -> impl IntoResponse {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&state.registry.gather(), &mut text) {
        // Prometheus 3 refuses a page without the type of its text format.
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(state): State<OpsState>) -> impl IntoResponse {
    let obstacles = state.obstacles.load_full();
    let code = if obstacles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(serde_json::json!({ "ready": obstacles.is_empty(), "obstacles": *obstacles })))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn metrics_names_the_type_of_the_text_format() {
        let registry = Registry::new();
        registry.register(Box::new(prometheus::IntGauge::new("up", "is up").unwrap())).unwrap();
        let router = router(OpsState { registry, obstacles: crate::health::not_checked_yet() });
        let request = Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; version=0.0.4");
        let page = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        assert!(page.starts_with(b"# HELP up is up\n# TYPE up gauge\n"), "{page:?}");
    }
}
