//! The whole of Envoy's configuration.

use serde_json::{Value, json};

use crate::{EdgeConfig, EdgeError, clusters::clusters, contract::Contract, listener::listener, routes::Gate};

pub(crate) fn bootstrap(config: &EdgeConfig, contract: &Contract) -> Result<Value, EdgeError> {
    Ok(json!({
        "node": {"id": "staymesh-edge", "cluster": "staymesh-edge"},
        "admin": {"address": address(config.admin_listen)},
        "static_resources": {
            "listeners": [
                listener(config, contract, Gate::Public)?,
                listener(config, contract, Gate::Internal)?,
            ],
            "clusters": clusters(config),
        },
        "overload_manager": overload_manager(config),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": {
            // The limit, 100 by default, is against expressions of strangers. Ours hold all paths of an HTTP method,
            // and one automaton of some hundred states is quicker than a list of small ones.
            "re2.max_program_size.error_level": 10_000,
        }}]},
    }))
}

/// Connections cost memory before any request is seen, so their number has an end.
fn overload_manager(config: &EdgeConfig) -> Value {
    const MESSAGE: &str = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
    json!({"resource_monitors": [{
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": typed(MESSAGE, json!({"max_active_downstream_connections": config.limits.max_connections})),
    }]})
}

/// A message that says what it is, as Envoy's extensions are configured.
pub(crate) fn typed(name: &str, mut fields: Value) -> Value {
    fields["@type"] = json!(format!("type.googleapis.com/{name}"));
    fields
}

pub(crate) fn address(at: std::net::SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

/// A duration in the JSON of Protocol Buffers.
pub(crate) fn seconds(count: u32) -> String {
    format!("{count}s")
}
