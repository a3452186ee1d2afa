//! Request bodies: complete at the edge before a service sees the request, and limited in size before they are read.
//!
//! A caller that does not finish a request thereby occupies memory of the edge, for at most
//! [`Timeouts::receive_seconds`](crate::Timeouts), and no place at a service.

use serde_json::{Value, json};
use staymesh_contract::Service;

use crate::{EdgeConfig, envoy::typed};

/// The filter that holds a request back until it is complete.
const BUFFER: &str = "envoy.filters.http.buffer";
/// The filter that limits bodies of calls about accounts, logins and tokens.
const AUTH_LIMIT: &str = "staymesh.auth_body_limit";
/// The service that implements these calls.
const AUTH_UPSTREAM: &str = "identity";

/// Allowance above the body limit for the framing of a gRPC message: frame, field tags, content type of a raw body.
pub(crate) const FRAMING_BYTES: u32 = 1024;

/// The filters, in order: the small limit, which judges `content-length` before it counts bytes, then the buffer.
pub(crate) fn filters(config: &EdgeConfig) -> [Value; 2] {
    [
        json!({
            "name": AUTH_LIMIT,
            // Enabled by route.
            "disabled": true,
            "typed_config": typed("envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit", json!({
                "max_request_bytes": config.addresses.max_auth_body_bytes,
            })),
        }),
        json!({
            "name": BUFFER,
            "typed_config": typed("envoy.extensions.filters.http.buffer.v3.Buffer", json!({
                "max_request_bytes": config.limits.max_body_bytes.saturating_add(FRAMING_BYTES),
            })),
        }),
    ]
}

/// Whether bodies of this service are limited to [`AddressLimits::max_auth_body_bytes`](crate::AddressLimits).
pub(crate) fn is_small(service: &Service) -> bool {
    service.upstream == AUTH_UPSTREAM
}

/// Applies the small limit to a route.
pub(crate) fn limit(mut route: Value) -> Value {
    route["typed_per_filter_config"][AUTH_LIMIT] = typed("envoy.config.route.v3.FilterConfig", json!({"config": {}}));
    route
}

/// Lets the requests of a route pass before they are complete, for streams of requests.
pub(crate) fn unbuffered(mut route: Value) -> Value {
    route["typed_per_filter_config"][BUFFER] =
        typed("envoy.extensions.filters.http.buffer.v3.BufferPerRoute", json!({"disabled": true}));
    route
}
