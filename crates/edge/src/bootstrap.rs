//! The bootstrap configuration: listeners, clusters and limits.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{
    EdgeConfig, EdgeError,
    clusters::clusters,
    envoy::{address, typed},
    listener::listener,
    listener_kind::ListenerKind,
};

pub(crate) fn bootstrap(config: &EdgeConfig, contract: &Contract) -> Result<Value, EdgeError> {
    Ok(json!({
        "node": {"id": "staymesh-edge", "cluster": "staymesh-edge"},
        // Readiness and metrics stay reachable when all connections of callers are taken.
        "admin": {"address": address(config.admin_listen), "ignore_global_conn_limit": true},
        "static_resources": {
            "listeners": [
                listener(config, contract, ListenerKind::Public)?,
                listener(config, contract, ListenerKind::Internal)?,
            ],
            "clusters": clusters(config),
        },
        "overload_manager": overload_manager(config),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": {
            // The default of 100 protects against untrusted expressions. These contain all paths of an HTTP method: one
            // automaton of some hundred states is faster than many small ones.
            "re2.max_program_size.error_level": 10_000,
        }}]},
    }))
}

/// Limits downstream connections, which use memory before any request is read.
fn overload_manager(config: &EdgeConfig) -> Value {
    const MESSAGE: &str = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
    json!({"resource_monitors": [{
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": typed(MESSAGE, json!({"max_active_downstream_connections": config.limits.max_connections})),
    }]})
}
