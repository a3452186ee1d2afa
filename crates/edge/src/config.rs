//! Configuration of the edge.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, builder::RangedI64ValueParser};
use serde::{Deserialize, Serialize};
use staymesh_contract::ErrorPages;

use crate::origin::Origin;

use crate::shares::{AddressLimits, Shares};

/// Listeners, upstreams, limits and timeouts of the edge.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct EdgeConfig {
    /// Address of the public listener, for guests and partners.
    #[arg(long, env = "STAYMESH_EDGE_PUBLIC_LISTEN", default_value = "127.0.0.1:8080")]
    pub public_listen: SocketAddr,
    /// Address of the internal listener, for staff and administrators. It must not be reachable by others.
    #[arg(long, env = "STAYMESH_EDGE_INTERNAL_LISTEN", default_value = "127.0.0.1:8081")]
    pub internal_listen: SocketAddr,
    /// Address of Envoy's admin interface: readiness and metrics, but also shutdown. Never expose it to a network.
    #[arg(long, env = "STAYMESH_EDGE_ADMIN_LISTEN", default_value = "127.0.0.1:9901")]
    pub admin_listen: SocketAddr,
    /// The file from which Envoy reads the descriptor set.
    #[arg(long, env = "STAYMESH_EDGE_DESCRIPTOR_SET", default_value = "/etc/staymesh/contract.binpb")]
    pub descriptor_set: PathBuf,
    /// File of the access log, one JSON object per line; standard output by default.
    #[arg(long, env = "STAYMESH_EDGE_ACCESS_LOG")]
    pub access_log: Option<PathBuf>,
    /// The `iss` that access tokens must carry.
    #[arg(long, env = "STAYMESH_TOKEN_ISSUER", default_value = "https://identity.staymesh.local")]
    pub issuer: String,
    /// The `aud` that access tokens must carry.
    #[arg(long, env = "STAYMESH_TOKEN_AUDIENCE", default_value = "staymesh")]
    pub audience: String,
    /// Number of trusted proxies in front of the edge that append to `x-forwarded-for`; with 0 the peer address is the caller's.
    #[arg(long, env = "STAYMESH_EDGE_TRUSTED_HOPS", default_value_t = 0)]
    pub trusted_hops: u32,
    /// Origins whose pages may call the public gateway (CORS), comma-separated: `https://booking.example`. None by default.
    #[arg(long, env = "STAYMESH_EDGE_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,
    /// Where the error pages are published, which errors link to: `https://docs.example/errors`, or with `{reason}` in it.
    #[arg(long, env = "STAYMESH_ERROR_PAGES_URL")]
    pub error_pages_url: Option<ErrorPages>,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub upstreams: Upstreams,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub limits: Limits,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub addresses: AddressLimits,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub shares: Shares,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub timeouts: Timeouts,
}

/// Addresses of the services, each as `host:port`.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct Upstreams {
    /// The identity service.
    #[arg(long, env = "STAYMESH_EDGE_IDENTITY", default_value = "127.0.0.1:50051")]
    pub identity: HostPort,
    /// The hotel service.
    #[arg(long, env = "STAYMESH_EDGE_HOTEL", default_value = "127.0.0.1:50052")]
    pub hotel: HostPort,
    /// The rate service.
    #[arg(long, env = "STAYMESH_EDGE_RATE", default_value = "127.0.0.1:50053")]
    pub rate: HostPort,
    /// The reservation service.
    #[arg(long, env = "STAYMESH_EDGE_RESERVATION", default_value = "127.0.0.1:50054")]
    pub reservation: HostPort,
    /// The payment service.
    #[arg(long, env = "STAYMESH_EDGE_PAYMENT", default_value = "127.0.0.1:50055")]
    pub payment: HostPort,
}

impl Upstreams {
    /// Every upstream by the NAME in its packages (`staymesh.NAME.v1`).
    pub fn by_name(&self) -> [(&'static str, &HostPort); 5] {
        [
            ("identity", &self.identity),
            ("hotel", &self.hotel),
            ("rate", &self.rate),
            ("reservation", &self.reservation),
            ("payment", &self.payment),
        ]
    }
}

/// Rate, size and concurrency limits.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Sustained requests per second of one account or client, or of one address for requests without a token (token bucket).
    #[arg(long, env = "STAYMESH_EDGE_REQUESTS_PER_SECOND", default_value_t = 100, value_parser = positive())]
    pub requests_per_second: u32,
    /// Size of that token bucket: requests that an idle caller may make at once.
    #[arg(long, env = "STAYMESH_EDGE_BURST", default_value_t = 200, value_parser = positive())]
    pub burst: u32,
    /// Sustained payment provider events per second of one address, in a token bucket of their own.
    #[arg(long, env = "STAYMESH_EDGE_WEBHOOKS_PER_SECOND", default_value_t = 500, value_parser = positive())]
    pub webhooks_per_second: u32,
    /// Size of that token bucket.
    #[arg(long, env = "STAYMESH_EDGE_WEBHOOK_BURST", default_value_t = 2000, value_parser = positive())]
    pub webhook_burst: u32,
    /// Upper limit of a request body, in bytes.
    #[arg(long, env = "STAYMESH_EDGE_MAX_BODY_BYTES", default_value_t = 1 << 20, value_parser = positive())]
    pub max_body_bytes: u32,
    /// Upper limit of a response that is transcoded to JSON, in bytes.
    #[arg(long, env = "STAYMESH_EDGE_MAX_RESPONSE_BYTES", default_value_t = 8 << 20, value_parser = positive())]
    pub max_response_bytes: u32,
    /// Upper limit of all headers of a request together, in KiB.
    #[arg(long, env = "STAYMESH_EDGE_MAX_HEADERS_KIB", default_value_t = 32, value_parser = positive().range(..=8192))]
    pub max_headers_kib: u32,
    /// Upper limit of the number of headers of a request.
    #[arg(long, env = "STAYMESH_EDGE_MAX_HEADERS", default_value_t = 64, value_parser = positive())]
    pub max_headers: u32,
    /// Upper limit of connections to the public gateway.
    #[arg(long, env = "STAYMESH_EDGE_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = positive())]
    pub max_connections: u32,
    /// Upper limit of requests in progress per service from the public gateway; further requests are refused immediately.
    #[arg(long, env = "STAYMESH_EDGE_MAX_UPSTREAM_REQUESTS", default_value_t = 512, value_parser = positive())]
    pub max_upstream_requests: u32,
}

/// Timeouts in seconds.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct Timeouts {
    /// Upper limit of a request's deadline, whatever the caller sets with `grpc-timeout`.
    #[arg(long, env = "STAYMESH_EDGE_REQUEST_SECONDS", default_value_t = 15, value_parser = positive())]
    pub request_seconds: u32,
    /// For receiving all headers of a request.
    #[arg(long, env = "STAYMESH_EDGE_HEADERS_SECONDS", default_value_t = 5, value_parser = positive())]
    pub headers_seconds: u32,
    /// For receiving a whole request, from first to last byte; then 408.
    #[arg(long, env = "STAYMESH_EDGE_RECEIVE_SECONDS", default_value_t = 10, value_parser = positive())]
    pub receive_seconds: u32,
    /// For connections without a request in progress, and for streams without a frame.
    #[arg(long, env = "STAYMESH_EDGE_IDLE_SECONDS", default_value_t = 60, value_parser = positive())]
    pub idle_seconds: u32,
    /// Upper limit of a health watch or a reflection stream; then its caller opens another.
    #[arg(long, env = "STAYMESH_EDGE_STREAM_SECONDS", default_value_t = 300, value_parser = positive())]
    pub stream_seconds: u32,
}

fn positive() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(1..)
}

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    host: String,
    port: u16,
}

/// Not a `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not host:port, for example hotel:50051 or [::1]:50051")]
pub struct HostPortError(String);

impl HostPort {
    /// The host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1 to 65535.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || HostPortError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        match bracketed {
            Some(inside) if inside.parse::<std::net::Ipv6Addr>().is_ok() => Ok(Self { host: inside.to_owned(), port }),
            None if !host.is_empty() && host.chars().all(is_name) => Ok(Self { host: host.to_owned(), port }),
            _ => Err(wrong()),
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl TryFrom<String> for HostPort {
    type Error = HostPortError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(address: HostPort) -> Self {
        address.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("hotel:50051")]
    #[case("hotel.staymesh.svc:50051")]
    #[case("127.0.0.1:1")]
    #[case("[::1]:65535")]
    fn host_port_round_trips(#[case] text: &str) {
        assert_eq!(text.parse::<HostPort>().map(|a| a.to_string()), Ok(text.to_owned()));
    }

    #[rstest]
    #[case("hotel")]
    #[case(":50051")]
    #[case("hotel:0")]
    #[case("hotel:65536")]
    #[case("http://hotel:50051")]
    #[case("::1:50051")]
    #[case("[hotel]:50051")]
    #[case("a b:50051")]
    fn invalid_host_port_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<HostPort>(), Err(HostPortError(text.to_owned())));
    }
}
