//! Clusters: the services behind the edge, and the edge itself.
//!
//! A cluster is what a circuit breaker limits, so each kind of traffic that must not take another's places has clusters of its
//! own: a service's requests from each gateway, the payment provider's events, health checks, and streams.

use serde_json::{Value, json};

use crate::{
    EdgeConfig, HostPort,
    envoy::{seconds, typed},
    listener_kind::ListenerKind,
};

/// The cluster of the edge itself: token verification fetches the key set through the internal listener, which transcodes it
/// to JSON and which strangers cannot fill.
pub(crate) const SELF: &str = "edge_self";

/// The cluster for events of the payment provider.
pub(crate) const PROVIDER: &str = "payment_provider";

/// The cluster of a service for requests of a listener.
pub(crate) fn of_service(kind: ListenerKind, service: &str) -> String {
    match kind {
        ListenerKind::Public => service.to_owned(),
        ListenerKind::Internal => format!("{}_{service}", kind.name()),
    }
}

/// The cluster for health checks through a listener.
pub(crate) fn of_health(kind: ListenerKind) -> String {
    of_service(kind, "health")
}

/// The cluster for long-lived streams through a listener: health watches and reflection.
pub(crate) fn of_streams(kind: ListenerKind) -> String {
    of_service(kind, "streams")
}

pub(crate) fn clusters(config: &EdgeConfig) -> Vec<Value> {
    let (limits, shares, services) = (&config.limits, &config.shares, config.upstreams.by_name());
    let mut clusters = Vec::new();
    for (kind, limit) in
        [(ListenerKind::Public, limits.max_upstream_requests), (ListenerKind::Internal, shares.max_internal_requests)]
    {
        clusters.extend(services.iter().map(|(name, at)| upstream(config, &of_service(kind, name), at, limit)));
        // Any service would do: each reports its own health, and describes the whole contract.
        let at = &config.upstreams.identity;
        clusters.push(upstream(config, &of_health(kind), at, shares.max_streams));
        clusters.push(upstream(config, &of_streams(kind), at, shares.max_streams));
    }
    clusters.push(upstream(config, PROVIDER, &config.upstreams.payment, shares.max_provider_requests));
    clusters.push(itself(config));
    clusters
}

/// A service. Without active health checks and outlier detection: behind a name is usually one address that the platform
/// balances, a service without its database reports that itself, and refused connections are detected immediately.
///
/// TLS to the services would be configured here, as `transport_socket` with their authority and the edge's certificate.
fn upstream(config: &EdgeConfig, name: &str, at: &HostPort, limit: u32) -> Value {
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
                // As many as a service accepts, so that the circuit breaker decides and nothing queues for a stream.
                "max_concurrent_streams": 1024,
            }},
            "common_http_protocol_options": {"idle_timeout": seconds(config.timeouts.idle_seconds)},
        })),
    })
}

fn itself(config: &EdgeConfig) -> Value {
    let at = config.internal_listen;
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
