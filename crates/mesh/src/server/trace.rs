//! The tracing layer: request id, span, metrics and one log line per request.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use opentelemetry::{
    KeyValue, global,
    metrics::{Histogram, UpDownCounter},
    propagation::Extractor,
};
use tonic::{Code, Status};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::refusal::is_infrastructure;

/// The header with the request id, propagated through the mesh and returned to the caller.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request id, as an extension of the request for the layers below.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) Arc<str>);

/// Metrics of the server.
pub(super) struct Metrics {
    duration: Histogram<f64>,
    in_progress: UpDownCounter<i64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let meter = global::meter("staymesh");
        Self {
            duration: meter
                .f64_histogram("rpc.server.duration")
                .with_unit("s")
                .with_description("Time from request to response.")
                .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
                .build(),
            in_progress: meter
                .i64_up_down_counter("rpc.server.active_requests")
                .with_description("Requests in progress.")
                .build(),
        }
    }
}

pub(super) async fn layer(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if is_infrastructure(&path) {
        return next.run(request).await;
    }
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("rpc", otel.name = %path, otel.kind = "server", request_id = %id);
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Headers(request.headers())));
    // Fails only if no trace layer is installed; then there is no trace to continue.
    let _ = span.set_parent(parent);

    let started = Instant::now();
    let active = InProgress::start(&metrics.in_progress);
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(active);

    let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    let elapsed = started.elapsed();
    metrics.duration.record(
        elapsed.as_secs_f64(),
        &[
            // Unknown paths share one label value, or callers could create unlimited series.
            KeyValue::new("rpc.method", if code == Code::Unimplemented { "unknown".to_owned() } else { path.clone() }),
            KeyValue::new("rpc.grpc.status_code", i64::from(i32::from(code))),
        ],
    );
    span.in_scope(|| {
        tracing::info!(
            request_id = %id,
            rpc.path = path,
            rpc.code = ?code,
            duration_ms = elapsed.as_secs_f64() * 1000.0,
            "request"
        );
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Counts a request as in progress until dropped, also when the caller disconnects.
struct InProgress<'a>(&'a UpDownCounter<i64>);

impl<'a> InProgress<'a> {
    fn start(counter: &'a UpDownCounter<i64>) -> Self {
        counter.add(1, &[]);
        Self(counter)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}

/// The request id from the edge or the caller if it is 8 to 64 letters, digits and hyphens; a new one otherwise.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    headers
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| (8..=64).contains(&text.len()))
        .filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .map_or_else(|| Arc::from(Uuid::now_v7().to_string()), Arc::from)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_id_with_characters_unsafe_for_logs_is_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("0123-4567-good"));
        assert_eq!(&*request_id(&headers), "0123-4567-good");
        for bad in ["short", "with space in it", "{\"a\":\"12345678\"}"] {
            headers.insert(REQUEST_ID, HeaderValue::from_static(bad));
            assert_ne!(&*request_id(&headers), bad);
        }
    }
}
