//! Cross-origin resource sharing: which sites' pages may call the public gateway, over REST and gRPC-Web.

use serde_json::{Value, json};

use crate::{EdgeConfig, envoy::typed, listener_kind::ListenerKind};

/// Name of the filter, and key of its policy on virtual hosts.
const FILTER: &str = "envoy.filters.http.cors";

/// Headers that pages may send beside those that need no permission. Cookies are never allowed: tokens are sent in
/// `authorization`.
const REQUEST_HEADERS: &str = "authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent";
/// Headers of answers that pages may read.
const RESPONSE_HEADERS: &str = "allow, grpc-message, grpc-status, grpc-status-details-bin, retry-after, x-request-id";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// How long a browser may keep the answer to a preflight request, in seconds.
const MAX_AGE: &str = "3600";

/// The filter, if pages of any origin may call this listener. It answers preflight requests, so it is the first filter.
pub(crate) fn filter(config: &EdgeConfig, kind: ListenerKind) -> Option<Value> {
    is_on(config, kind).then(
        || json!({"name": FILTER, "typed_config": typed("envoy.extensions.filters.http.cors.v3.Cors", json!({}))}),
    )
}

/// Configuration of the virtual host, by filter.
pub(crate) fn policies(config: &EdgeConfig, kind: ListenerKind) -> Value {
    if !is_on(config, kind) {
        return json!({});
    }
    let origins: Vec<Value> = config.cors_origins.iter().map(|origin| json!({"exact": origin.as_str()})).collect();
    json!({FILTER: typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", json!({
        "allow_origin_string_match": origins,
        "allow_methods": METHODS,
        "allow_headers": REQUEST_HEADERS,
        "expose_headers": RESPONSE_HEADERS,
        "max_age": MAX_AGE,
        "allow_credentials": false,
    }))})
}

/// The route of preflight requests that the filter answers. The filter applies to routes with an upstream only, so this one
/// names one, which gets no request.
pub(crate) fn preflight(config: &EdgeConfig, kind: ListenerKind, unreached: &Value) -> Option<Value> {
    let origins: Vec<String> = config.cors_origins.iter().map(|origin| origin.as_str().replace('.', r"\.")).collect();
    let header = |name: &str, expected: Value| json!({"name": name, "string_match": expected});
    is_on(config, kind).then(|| {
        json!({
            "match": {"prefix": "/", "headers": [
                header(":method", json!({"exact": "OPTIONS"})),
                header("origin", json!({"safe_regex": {"regex": origins.join("|")}})),
                {"name": "access-control-request-method", "present_match": true},
            ]},
            "route": unreached,
        })
    })
}

pub(crate) fn is_on(config: &EdgeConfig, kind: ListenerKind) -> bool {
    kind == ListenerKind::Public && !config.cors_origins.is_empty()
}
