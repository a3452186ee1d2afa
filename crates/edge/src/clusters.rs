//! Clusters: the services behind the edge, and the edge itself.

use serde_json::{Value, json};

use crate::{
    EdgeConfig, HostPort,
    envoy::{seconds, typed},
};

/// The cluster of the edge itself: token verification fetches the key set through the public listener, which transcodes it
/// to JSON.
pub(crate) const SELF: &str = "edge_self";

pub(crate) fn clusters(config: &EdgeConfig) -> Vec<Value> {
    let mut clusters: Vec<Value> =
        config.upstreams.by_name().into_iter().map(|(name, at)| upstream(config, name, at)).collect();
    clusters.push(itself(config));
    clusters
}

/// A service. Without active health checks and outlier detection: behind a name is usually one address that the platform
/// balances, a service without its database reports that itself, and refused connections are detected immediately.
///
/// TLS to the services would be configured here, as `transport_socket` with their authority and the edge's certificate.
fn upstream(config: &EdgeConfig, name: &str, at: &HostPort) -> Value {
    let limit = config.limits.max_upstream_requests;
    json!({
        "name": name,
        // Every resolved address is an endpoint.
        "cluster_type": {
            "name": "envoy.cluster.dns",
            "typed_config": typed("envoy.extensions.clusters.dns.v3.DnsCluster", json!({
                "dns_lookup_family": "V4_PREFERRED",
                "dns_refresh_rate": "5s",
                "respect_dns_ttl": true,
            })),
        },
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": endpoint(name, at.host(), at.port()),
        "circuit_breakers": {"thresholds": [{
            "max_connections": limit,
            "max_pending_requests": limit,
            "max_requests": limit,
            "max_retries": 3,
        }]},
        "typed_extension_protocol_options": http_options(json!({
            "explicit_http_config": {"http2_protocol_options": {
                // Detects a peer that disappeared without closing, also on an idle connection.
                "connection_keepalive": {"interval": "30s", "timeout": "5s"},
                "max_concurrent_streams": limit,
            }},
            "common_http_protocol_options": {"idle_timeout": seconds(config.timeouts.idle_seconds)},
        })),
    })
}

fn itself(config: &EdgeConfig) -> Value {
    let at = config.public_listen;
    // A listener on all addresses is reachable on loopback.
    let ip = match at.ip() {
        ip if !ip.is_unspecified() => ip.to_string(),
        std::net::IpAddr::V4(_) => "127.0.0.1".to_owned(),
        std::net::IpAddr::V6(_) => "::1".to_owned(),
    };
    json!({
        "name": SELF,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": endpoint(SELF, &ip, at.port()),
        "typed_extension_protocol_options": http_options(json!({
            "explicit_http_config": {"http_protocol_options": {}},
        })),
    })
}

fn endpoint(cluster: &str, host: &str, port: u16) -> Value {
    json!({
        "cluster_name": cluster,
        "endpoints": [{"lb_endpoints": [{"endpoint": {
            "address": {"socket_address": {"address": host, "port_value": port}},
        }}]}],
    })
}

fn http_options(options: Value) -> Value {
    const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({NAME: typed(NAME, options)})
}
