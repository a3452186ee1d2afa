//! Configuration that every service reads from its environment. `staymesh serve SERVICE --help` prints it with the
//! defaults.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use secrecy::SecretString;
use staymesh_contract::ErrorPages;
use staymesh_store::{StoreConfig, parse_duration};

/// Listeners, limits and TLS of a service.
#[derive(Args, Clone, Debug)]
pub struct ServerConfig {
    /// Address of the gRPC server.
    #[arg(long, env = "STAYMESH_LISTEN", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Address of the operations server: /metrics, /livez, /readyz.
    #[arg(long, env = "STAYMESH_OPS_LISTEN", default_value = "127.0.0.1:0")]
    pub ops_listen: SocketAddr,
    /// Limit of requests in progress; further requests are refused with OVERLOADED (load shedding).
    #[arg(long, env = "STAYMESH_MAX_CONCURRENCY", default_value_t = 1024)]
    pub max_concurrency: usize,
    /// Limit of requests in progress of one address, as the edge reports it; beyond it `RATE_LIMITED`.
    #[arg(long, env = "STAYMESH_MAX_CONCURRENCY_PER_SOURCE", default_value_t = 64)]
    pub max_concurrency_per_source: usize,
    /// Limit of requests in progress of one client whose token the edge has verified, whatever its address.
    #[arg(long, env = "STAYMESH_MAX_CONCURRENCY_PER_CLIENT", default_value_t = 256)]
    pub max_concurrency_per_client: usize,
    /// Limit of health checks, health watches and reflection streams of one address.
    #[arg(long, env = "STAYMESH_MAX_STREAMS_PER_SOURCE", default_value_t = 16)]
    pub max_streams_per_source: usize,
    /// Upper limit of a request's deadline, whatever the caller sets.
    #[arg(long, env = "STAYMESH_MAX_DEADLINE", default_value = "15s", value_parser = parse_duration)]
    pub max_deadline: Duration,
    /// Where the error pages are published, which errors link to: `https://docs.example/errors`, or with `{reason}` in it.
    #[arg(long, env = "STAYMESH_ERROR_PAGES_URL")]
    pub error_pages_url: Option<ErrorPages>,
    /// How long new requests are still accepted after SIGTERM, while the service reports that it is not ready: the time in
    /// which load balancers and other services notice.
    #[arg(long, env = "STAYMESH_SHUTDOWN_DELAY", default_value = "5s", value_parser = parse_duration)]
    pub shutdown_delay: Duration,
    /// How long requests in progress may continue after that delay.
    #[arg(long, env = "STAYMESH_DRAIN", default_value = "20s", value_parser = parse_duration)]
    pub drain: Duration,
    /// Certificate of this service (PEM). If set, the server accepts TLS only.
    #[arg(long, env = "STAYMESH_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[arg(long, env = "STAYMESH_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authority that signs the certificates of callers (PEM). If set, callers without a certificate are refused (mTLS).
    #[arg(long, env = "STAYMESH_TLS_CLIENT_CA", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

/// Logs and traces of a service.
#[derive(Args, Clone, Debug)]
pub struct TelemetryConfig {
    /// Log filter, in the syntax of tracing's `EnvFilter`.
    #[arg(long, env = "STAYMESH_LOG", default_value = "info")]
    pub log: String,
    /// OTLP/gRPC collector for traces, for example `http://otel-collector:4317`. Without it no traces are recorded.
    #[arg(long, env = "STAYMESH_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Fraction of requests that start a trace, 0 to 1. A trace started by the caller is always continued.
    #[arg(long, env = "STAYMESH_TRACE_RATIO", default_value_t = 0.1)]
    pub trace_ratio: f64,
}

/// Verification of access tokens.
#[derive(Args, Clone, Debug)]
pub struct AuthConfig {
    /// The `iss` that access tokens must carry.
    #[arg(long, env = "STAYMESH_TOKEN_ISSUER", default_value = "https://identity.staymesh.local")]
    pub issuer: String,
    /// The `aud` that access tokens must carry.
    #[arg(long, env = "STAYMESH_TOKEN_AUDIENCE", default_value = "staymesh")]
    pub audience: String,
    /// Redis with the log of revoked sessions. Without it, or while it is unavailable, services read them from identity.
    #[arg(long, env = "STAYMESH_REDIS_URL")]
    pub redis_url: Option<SecretString>,
}

/// Calls of other services.
#[derive(Args, Clone, Debug)]
pub struct ClientConfig {
    /// Address of identity, for example `http://identity:50051`.
    #[arg(long, env = "STAYMESH_IDENTITY_URL")]
    pub identity_url: String,
    /// The OAuth 2.0 client id of this service.
    #[arg(long, env = "STAYMESH_SERVICE_CLIENT_ID")]
    pub service_client_id: String,
    /// The OAuth 2.0 client secret of this service.
    #[arg(long, env = "STAYMESH_SERVICE_CLIENT_SECRET", hide_env_values = true)]
    pub service_client_secret: SecretString,
    /// Deadline of a call to another service; less if the deadline of the current request is nearer.
    #[arg(long, env = "STAYMESH_CALL_TIMEOUT", default_value = "3s", value_parser = parse_duration)]
    pub call_timeout: Duration,
    /// Authority that signs the certificates of services (PEM), for `https` addresses.
    #[arg(long, env = "STAYMESH_TLS_CA")]
    pub tls_ca: Option<PathBuf>,
    /// Client certificate of this service (PEM).
    #[arg(long, env = "STAYMESH_TLS_CALLER_CERT", requires = "tls_caller_key")]
    pub tls_caller_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM).
    #[arg(long, env = "STAYMESH_TLS_CALLER_KEY", requires = "tls_caller_cert")]
    pub tls_caller_key: Option<PathBuf>,
}

/// The configuration that all services share.
#[derive(Args, Clone, Debug)]
pub struct NodeConfig {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub server: ServerConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub auth: AuthConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub store: StoreConfig,
}
