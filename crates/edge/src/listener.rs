//! A listener with its HTTP connection manager.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{
    EdgeConfig, EdgeError, access_log,
    envoy::{address, seconds, typed},
    filters::filters,
    listener_kind::ListenerKind,
    local_replies,
    routes::route_config,
};

/// Names the gateway to the services, which admit roles by it and write it into audit records.
const GATEWAY_HEADER: &str = "x-staymesh-gateway";

pub(crate) fn listener(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Value, EdgeError> {
    let at = match kind {
        ListenerKind::Public => config.public_listen,
        ListenerKind::Internal => config.internal_listen,
    };
    Ok(json!({
        "name": kind.name(),
        "address": address(at),
        // Bodies are buffered until their field names are checked; larger ones are refused.
        "per_connection_buffer_limit_bytes": config.limits.max_body_bytes,
        // The limit of the overload manager is for the public gateway; the internal one has a limit of its own.
        "ignore_global_conn_limit": kind == ListenerKind::Internal,
        "filter_chains": [{"filters": network_filters(config, contract, kind)?}],
    }))
}

fn network_filters(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Vec<Value>, EdgeError> {
    let connections = json!({
        "name": "envoy.filters.network.connection_limit",
        "typed_config": typed("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", json!({
            "stat_prefix": kind.name(),
            "max_connections": config.shares.max_internal_connections,
        })),
    });
    let http = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager(config, contract, kind)?,
    });
    Ok(match kind {
        ListenerKind::Public => vec![http],
        ListenerKind::Internal => vec![connections, http],
    })
}

fn connection_manager(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Value, EdgeError> {
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    let manager = json!({
        "stat_prefix": kind.name(),
        "codec_type": "AUTO",
        "route_config": route_config(config, contract, kind)?,
        "http_filters": filters(config, contract, kind)?,
        "access_log": [access_log::log(config, kind)],
        "local_reply_config": local_replies::config(config),

        // Normalizes paths, so that every filter and service sees the same path.
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "server_name": "staymesh",

        "use_remote_address": true,
        "xff_num_trusted_hops": config.trusted_hops,
        "early_header_mutation_extensions": [set_headers(kind)],
        "generate_request_id": true,
        "always_set_request_id_in_response": true,

        "max_request_headers_kb": limits.max_headers_kib,
        "common_http_protocol_options": {
            "idle_timeout": seconds(timeouts.idle_seconds),
            "max_headers_count": limits.max_headers,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        // Monitors speak HTTP/1.0, without a host.
        "http_protocol_options": {"accept_http_10": true, "default_host_for_http_10": "staymesh"},
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 64 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
        "request_headers_timeout": seconds(timeouts.headers_seconds),
        "request_timeout": seconds(timeouts.receive_seconds),
        "stream_idle_timeout": seconds(timeouts.idle_seconds),
        "drain_timeout": "10s",
    });
    Ok(typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", manager))
}

/// Removes headers that only the edge may set, and sets the one that names this gateway to the services.
fn set_headers(kind: ListenerKind) -> Value {
    let gateway = json!({"append": {
        "header": {"key": GATEWAY_HEADER, "value": kind.name()},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }});
    let remove = |prefix: &str| json!({"remove_on_match": {"key_matcher": {"prefix": prefix}}});
    json!({
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed("envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", json!({
            "mutations": [remove("x-envoy-"), remove("x-staymesh-"), gateway],
        })),
    })
}
