//! Routes of a listener.

use serde_json::{Value, json};
use staymesh_contract::{Binding, Contract, Method, Service};

use crate::{
    EdgeConfig, EdgeError, body, clusters, cors,
    envoy::seconds,
    listener_kind::ListenerKind,
    lua,
    rate_limit::{HEALTH, REFLECTION, WEBHOOK},
    rest_methods, template,
};

/// Health of the upstream: one answer, or a stream of changes.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// How the paths of all REST forms begin, but for the few that standards give.
const REST: &str = "/v1/";

/// The service whose raw bodies are those of OAuth 2.0; all others are pages.
const OAUTH: &str = "staymesh.identity.v1.OAuthService";
/// Header with the caller's address, for limits by source. Callers cannot set it.
const SOURCE_HEADER: &str = "x-staymesh-source";

/// Routing uses gRPC paths only: the transcoder has replaced the path of a REST request before it is routed.
pub(crate) fn route_config(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Value, EdgeError> {
    let mut routes: Vec<Value> = cors::preflight(config, kind, &stream(config, kind)).into_iter().collect();
    for service in contract.exposed_services() {
        if !kind.serves(service.gateway) {
            routes.push(json!({"match": {"prefix": prefix(&service.name)}, "direct_response": {"status": 403}}));
            continue;
        }
        if config.upstreams.by_name().iter().all(|(name, _)| *name != service.upstream) {
            return Err(EdgeError::NoUpstream { service: service.name.clone(), upstream: service.upstream.clone() });
        }
        let bindings = service.methods.iter().flat_map(|method| &method.bindings);
        routes.extend(bindings.filter_map(|binding| rest_metadata_route(config, kind, service, binding)));
        routes.extend(service.methods.iter().filter_map(|method| raw_route(config, kind, service, method)));
        routes.extend(service.methods.iter().filter_map(|method| provider_route(config, kind, method)));
        let route = json!({
            "match": {"prefix": prefix(&service.name)},
            "route": action(config, &clusters::of_service(kind, &service.upstream)),
        });
        routes.push(sized(service, route));
    }
    routes.extend(rest_methods::routes(contract, kind));
    routes.extend(infrastructure(config, kind));
    // The transcoder would read the unknown verb of `/v1/hotels/7:close` as a part of the id.
    routes.push(json!({
        "match": {"prefix": REST},
        "metadata": lua::no_method(),
        "direct_response": {"status": 404},
    }));
    // Services without a gateway, and unknown paths.
    routes.push(json!({"match": {"prefix": "/"}, "direct_response": {"status": 404}}));
    Ok(json!({
        "name": kind.name(),
        "request_headers_to_add": [{
            "header": {"key": SOURCE_HEADER, "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
        "virtual_hosts": [{
            "name": kind.name(),
            "domains": ["*"],
            "typed_per_filter_config": cors::policies(config, kind),
            "routes": routes,
        }],
    }))
}

/// The route of a method that returns a raw body: its metadata tells the Lua filter which form its errors have.
fn raw_route(config: &EdgeConfig, kind: ListenerKind, service: &Service, method: &Method) -> Option<Value> {
    if !method.raw {
        return None;
    }
    let route = json!({
        "match": {"path": method.path},
        "metadata": if service.name == OAUTH { lua::oauth() } else { lua::page() },
        "route": action(config, &clusters::of_service(kind, &service.upstream)),
    });
    Some(sized(service, route))
}

/// The route of the payment provider's events on the public listener, to a cluster of their own.
fn provider_route(config: &EdgeConfig, kind: ListenerKind, method: &Method) -> Option<Value> {
    (kind == ListenerKind::Public && method.path == WEBHOOK)
        .then(|| json!({"match": {"path": method.path}, "route": action(config, clusters::PROVIDER)}))
}

/// Health and reflection. Only reflection is a stream of requests, so it alone passes the edge before it is complete.
fn infrastructure(config: &EdgeConfig, kind: ListenerKind) -> Vec<Value> {
    let mut routes = vec![
        json!({"match": {"path": HEALTH_CHECK}, "route": action(config, &clusters::of_health(kind))}),
        json!({"match": {"prefix": prefix(HEALTH)}, "route": stream(config, kind)}),
    ];
    routes.extend(
        REFLECTION
            .map(|name| body::unbuffered(json!({"match": {"prefix": prefix(name)}, "route": stream(config, kind)}))),
    );
    routes
}

/// With the body limit of the service.
fn sized(service: &Service, route: Value) -> Value {
    if body::is_small(service) { body::limit(route) } else { route }
}

/// A route that only carries metadata of a REST form for the Lua filter, which runs before the transcoder. No request is sent
/// by it: the transcoder replaces the path, and Envoy selects a route again.
fn rest_metadata_route(config: &EdgeConfig, kind: ListenerKind, service: &Service, binding: &Binding) -> Option<Value> {
    let mut route = json!({
        "match": {
            "safe_regex": {"regex": template::any_of([binding.template.as_str()])?},
            "headers": [rest_methods::is_served(binding.verb)],
        },
        "metadata": lua::request(binding),
    });
    // The CORS filter, which is before the transcoder, applies to routes with an upstream only.
    if cors::is_on(config, kind) {
        route["route"] = action(config, &clusters::of_service(kind, &service.upstream));
    } else {
        route["direct_response"] = json!({"status": 404});
    }
    Some(sized(service, route))
}

fn action(config: &EdgeConfig, upstream: &str) -> Value {
    let limit = seconds(config.timeouts.request_seconds);
    json!({
        "cluster": upstream,
        // The caller's own deadline applies if it is nearer. These options replace the route's `timeout`.
        "max_stream_duration": {"max_stream_duration": limit, "grpc_timeout_header_max": limit},
        "retry_policy": retry_policy(),
    })
}

/// Reflection and health watching are long-lived streams.
fn stream(config: &EdgeConfig, kind: ListenerKind) -> Value {
    json!({
        "cluster": clusters::of_streams(kind),
        "timeout": "0s",
        "max_stream_duration": {"max_stream_duration": seconds(config.timeouts.stream_seconds)},
        "idle_timeout": seconds(config.timeouts.idle_seconds),
        "retry_policy": retry_policy(),
    })
}

/// Retries only requests that certainly did not reach the service. Other retries are up to the caller, who has the
/// idempotency key.
fn retry_policy() -> Value {
    json!({"retry_on": "connect-failure", "num_retries": 1})
}

fn prefix(service: &str) -> String {
    format!("/{service}/")
}
