//! The HTTP filters of a listener. Read from top to bottom for requests, from bottom to top for answers.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{EdgeConfig, EdgeError, envoy::typed, jwt, listener_kind::ListenerKind, lua, rate_limit, transcoder};

/// What a body may have beyond the limit once it is a gRPC message: frame, field tags, content type of a raw body.
const FRAMING_BYTES: u32 = 1024;

pub(crate) fn filters(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Vec<Value>, EdgeError> {
    Ok(vec![
        health_check(),
        plain("envoy.filters.http.grpc_web", "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", json!({})),
        // Before the transcoder looks at a body: who may not call learns nothing of what a call would say.
        jwt::filter(config, contract, kind)?,
        // Knows the caller, and comes before what costs.
        rate_limit::filter(config, contract)?,
        lua::filter(contract),
        transcoder::filter(config, contract),
        // Here for gRPC; the transcoder has its own for REST. It logs paths, which have no query behind the transcoder.
        plain(
            "envoy.filters.http.body_size_limit",
            "envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit",
            json!({"max_request_bytes": config.limits.max_body_bytes.saturating_add(FRAMING_BYTES)}),
        ),
        plain(
            "envoy.filters.http.router",
            "envoy.extensions.filters.http.router.v3.Router",
            json!({"suppress_envoy_headers": true}),
        ),
    ])
}

/// `GET /healthz` says whether this Envoy takes requests: not while it drains. Whether the services behind it work is
/// not its question: a balancer that took away the edge because payment is down would take away everything.
fn health_check() -> Value {
    plain(
        "envoy.filters.http.health_check",
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        json!({"pass_through_mode": false, "headers": [
            {"name": ":path", "string_match": {"exact": "/healthz"}},
            {"name": ":method", "string_match": {"exact": "GET"}},
        ]}),
    )
}

fn plain(name: &str, message: &str, fields: Value) -> Value {
    json!({"name": name, "typed_config": typed(message, fields)})
}
