//! Shares of the edge's capacity: what one address may use, and what one kind of traffic may use.

use clap::{Args, builder::RangedI64ValueParser};
use serde::{Deserialize, Serialize};

/// Token buckets of one address, whatever token its requests carry. An IPv6 address counts as its /64, which is what one
/// customer of a network has at least.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct AddressLimits {
    /// Sustained requests per second of one address, with all its tokens together.
    #[arg(long, env = "STAYMESH_EDGE_ADDRESS_REQUESTS_PER_SECOND", default_value_t = 200, value_parser = positive())]
    pub address_requests_per_second: u32,
    /// Size of that token bucket.
    #[arg(long, env = "STAYMESH_EDGE_ADDRESS_BURST", default_value_t = 400, value_parser = positive())]
    pub address_burst: u32,
    /// Sustained logins per second of one address. Each costs a password hash, so the bucket is small.
    #[arg(long, env = "STAYMESH_EDGE_LOGINS_PER_SECOND", default_value_t = 2, value_parser = positive())]
    pub logins_per_second: u32,
    /// Size of that token bucket.
    #[arg(long, env = "STAYMESH_EDGE_LOGIN_BURST", default_value_t = 30, value_parser = positive())]
    pub login_burst: u32,
    /// Sustained sign-ups per second of one address.
    #[arg(long, env = "STAYMESH_EDGE_SIGN_UPS_PER_SECOND", default_value_t = 1, value_parser = positive())]
    pub sign_ups_per_second: u32,
    /// Size of that token bucket.
    #[arg(long, env = "STAYMESH_EDGE_SIGN_UP_BURST", default_value_t = 20, value_parser = positive())]
    pub sign_up_burst: u32,
    /// Sustained requests for client tokens per second of one address.
    #[arg(long, env = "STAYMESH_EDGE_TOKENS_PER_SECOND", default_value_t = 5, value_parser = positive())]
    pub tokens_per_second: u32,
    /// Size of that token bucket.
    #[arg(long, env = "STAYMESH_EDGE_TOKEN_BURST", default_value_t = 50, value_parser = positive())]
    pub token_burst: u32,
    /// Sustained health checks, health watches and reflection streams per second of one address. Each holds a place of
    /// [`Shares::max_streams`] until the service has judged it, so the bucket is smaller than that share.
    #[arg(long, env = "STAYMESH_EDGE_STREAMS_PER_SECOND", default_value_t = 5, value_parser = positive())]
    pub streams_per_second: u32,
    /// Size of that token bucket.
    #[arg(long, env = "STAYMESH_EDGE_STREAM_BURST", default_value_t = 30, value_parser = positive())]
    pub stream_burst: u32,
    /// Upper limit of a request body of a call about accounts, logins and tokens, in bytes.
    #[arg(long, env = "STAYMESH_EDGE_MAX_AUTH_BODY_BYTES", default_value_t = 8192, value_parser = positive())]
    pub max_auth_body_bytes: u32,
}

/// Requests in progress by kind of traffic, each in a cluster with a circuit breaker of its own. Together with
/// [`Limits::max_upstream_requests`](crate::Limits) they stay below a service's own limit, `STAYMESH_MAX_CONCURRENCY`.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct Shares {
    /// Upper limit of requests in progress per service from the internal gateway.
    #[arg(long, env = "STAYMESH_EDGE_MAX_INTERNAL_REQUESTS", default_value_t = 256, value_parser = positive())]
    pub max_internal_requests: u32,
    /// Upper limit of events of the payment provider in progress.
    #[arg(long, env = "STAYMESH_EDGE_MAX_PROVIDER_REQUESTS", default_value_t = 128, value_parser = positive())]
    pub max_provider_requests: u32,
    /// Upper limit of health watches and reflection streams in progress, for each gateway; of health checks likewise.
    #[arg(long, env = "STAYMESH_EDGE_MAX_STREAMS", default_value_t = 256, value_parser = positive())]
    pub max_streams: u32,
    /// Upper limit of connections to the internal gateway, which do not count as connections of the public one.
    #[arg(long, env = "STAYMESH_EDGE_MAX_INTERNAL_CONNECTIONS", default_value_t = 1000, value_parser = positive())]
    pub max_internal_connections: u32,
}

fn positive() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(1..)
}
