//! Which gateway has a route to which service.

use serde_json::{Value, json};
use staymesh_contract::{Binding, Contract, Method, Service};

use crate::{EdgeConfig, EdgeError, envoy::seconds, listener_kind::ListenerKind, lua, template};

/// What every service offers beside the contract. Reflection anywhere describes the whole contract, so one place does.
const INFRASTRUCTURE: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
const INFRASTRUCTURE_UPSTREAM: &str = "identity";

/// What is told where a request comes from: it limits the guessing of passwords, and nobody else needs to know.
const SOURCE_READER: &str = "staymesh.identity.v1.AuthService";
/// How it is told. Callers cannot send it.
const SOURCE_HEADER: &str = "x-staymesh-source";

/// Routes are decided by gRPC paths: a REST request has one when it comes here, given by the transcoder.
pub(crate) fn route_config(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Value, EdgeError> {
    let mut routes = Vec::new();
    for service in contract.exposed_services() {
        if !kind.serves(service.gateway) {
            routes.push(json!({"match": {"prefix": prefix(&service.name)}, "direct_response": {"status": 403}}));
            continue;
        }
        if config.upstreams.by_name().iter().all(|(name, _)| *name != service.upstream) {
            return Err(EdgeError::NoUpstream { service: service.name.clone(), upstream: service.upstream.clone() });
        }
        routes.extend(service.methods.iter().flat_map(|method| &method.bindings).filter_map(as_rest));
        routes.extend(service.methods.iter().filter_map(|method| unwrapped(config, service, method)));
        routes.push(told_where_from(
            service,
            json!({
                "match": {"prefix": prefix(&service.name)},
                "route": action(config, &service.upstream),
            }),
        ));
    }
    routes.extend(INFRASTRUCTURE.map(|name| json!({"match": {"prefix": prefix(name)}, "route": stream(config)})));
    // Services of the mesh, and what does not exist.
    routes.push(json!({"match": {"prefix": "/"}, "direct_response": {"status": 404}}));
    Ok(json!({
        "name": kind.name(),
        "virtual_hosts": [{"name": kind.name(), "domains": ["*"], "routes": routes}],
    }))
}

/// A method whose answer is unwrapped has a route of its own that says what to unwrap; one that answers with a page, that
/// its errors are to be pages too.
fn unwrapped(config: &EdgeConfig, service: &Service, method: &Method) -> Option<Value> {
    let field = method.response_body.as_ref()?;
    let route = json!({
        "match": {"path": method.path},
        "metadata": if method.raw { lua::page() } else { lua::response_body(field) },
        "route": action(config, &service.upstream),
    });
    Some(told_where_from(service, route))
}

fn told_where_from(service: &Service, mut route: Value) -> Value {
    if service.name == SOURCE_READER {
        route["request_headers_to_add"] = json!([{
            "header": {"key": SOURCE_HEADER, "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }]);
    }
    route
}

/// What is known of a REST request before the transcoder has it. Nothing is ever routed by this: the transcoder gives
/// the request its gRPC path, and a route is looked for again.
fn as_rest(binding: &Binding) -> Option<Value> {
    if binding.body.is_none() && binding.in_path.is_empty() {
        return None;
    }
    Some(json!({
        "match": {
            "safe_regex": {"regex": template::any_of([binding.template.as_str()])?},
            "headers": [{"name": ":method", "string_match": {"exact": binding.verb}}],
        },
        "metadata": lua::request(binding),
        "direct_response": {"status": 404},
    }))
}

fn action(config: &EdgeConfig, upstream: &str) -> Value {
    let limit = seconds(config.timeouts.request_seconds);
    json!({
        "cluster": upstream,
        // A caller's own deadline holds when it is nearer. With these Envoy ignores the route's plain `timeout`.
        "max_stream_duration": {"max_stream_duration": limit, "grpc_timeout_header_max": limit},
        "retry_policy": retry_policy(),
    })
}

/// Reflecting and watching health are streams without an end.
fn stream(config: &EdgeConfig) -> Value {
    json!({
        "cluster": INFRASTRUCTURE_UPSTREAM,
        "timeout": "0s",
        "idle_timeout": seconds(config.timeouts.idle_seconds),
        "retry_policy": retry_policy(),
    })
}

/// Only what has certainly not reached the service. All else is for the caller to repeat, who has the idempotency key.
fn retry_policy() -> Value {
    json!({"retry_on": "connect-failure", "num_retries": 1})
}

fn prefix(service: &str) -> String {
    format!("/{service}/")
}
