//! The chain of HTTP filters of a listener: requests pass from top to bottom, responses from bottom to top.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{
    EdgeConfig, EdgeError, body, cors, envoy::typed, jwt, listener_kind::ListenerKind, lua, rate_limit, rest_methods,
    transcoder,
};

pub(crate) fn filters(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Vec<Value>, EdgeError> {
    let [auth_limit, buffer] = body::filters(config);
    let mut filters: Vec<Value> = cors::filter(config, kind).into_iter().collect();
    filters.extend([
        health_check(),
        plain("envoy.filters.http.grpc_web", "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", json!({})),
        // Before the transcoder reads the body: unauthorized callers must not learn whether their request is valid.
        jwt::filter(config, contract, kind)?,
        // After authentication, which identifies the caller, and before the expensive filters.
        rate_limit::filter(config, contract)?,
        auth_limit,
        buffer,
        lua::filter(contract),
        transcoder::filter(config, contract),
        // For gRPC; the transcoder limits REST bodies itself. This filter logs paths, which have no query after transcoding.
        plain(
            "envoy.filters.http.body_size_limit",
            "envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit",
            json!({"max_request_bytes": config.limits.max_body_bytes.saturating_add(body::FRAMING_BYTES)}),
        ),
        plain(
            "envoy.filters.http.router",
            "envoy.extensions.filters.http.router.v3.Router",
            json!({"suppress_envoy_headers": true}),
        ),
    ]);
    Ok(filters)
}

/// `GET` and `HEAD /healthz`: whether this Envoy accepts requests, which it does not while draining. Independent of the services: a load
/// balancer that removed the edge because payment is down would remove everything.
fn health_check() -> Value {
    plain(
        "envoy.filters.http.health_check",
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        json!({"pass_through_mode": false, "headers": [
            {"name": ":path", "string_match": {"exact": "/healthz"}},
            rest_methods::is_served("GET"),
        ]}),
    )
}

fn plain(name: &str, message: &str, fields: Value) -> Value {
    json!({"name": name, "typed_config": typed(message, fields)})
}
