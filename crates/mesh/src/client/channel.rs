//! Channels to other services: load-balanced, authenticated and guarded by a circuit breaker.
//!
//! Balancing is "power of two choices" over the pending requests of each endpoint (Mitzenmacher, 2001; implementation:
//! `tower::balance`, which tonic uses).

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio_util::sync::CancellationToken;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri},
};

use super::{breaker::Breaker, outgoing::Outgoing, resolve, tokens::ServiceTokens};
use crate::config::ClientConfig;

/// A channel to another service. From outside in: deadline and circuit breaker, then headers, then the balanced
/// connections.
pub type MeshChannel = Breaker<InterceptedService<Channel, Outgoing>>;

/// Why a channel cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not a URL with a host and a port.
    #[error("'{0}' is not an address like http://hotel:50051")]
    Address(String),
    /// A certificate or key cannot be read.
    #[error("cannot read {path}: {source}")]
    Tls {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The transport refuses its settings.
    #[error("channel: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Creates channels to other services, with the token and the TLS settings of this one.
pub struct Mesh {
    tokens: ServiceTokens,
    call_timeout: Duration,
    tls: Option<ClientTlsConfig>,
    stop: CancellationToken,
}

impl Mesh {
    /// Prepares calls of other services; keeps an access token of this service until `stop`.
    ///
    /// # Errors
    /// When identity's address or a certificate is invalid. An unavailable service is no error here.
    pub fn join(config: &ClientConfig, stop: CancellationToken) -> Result<Self, ClientError> {
        let tls = tls(config)?;
        let identity = balanced(&config.identity_url, tls.as_ref(), &stop)?;
        let tokens = ServiceTokens::keep(
            identity,
            config.service_client_id.clone(),
            config.service_client_secret.clone(),
            stop.clone(),
        );
        Ok(Self { tokens, call_timeout: config.call_timeout, tls, stop })
    }

    /// A channel to the service `name` (for messages) at `url`. It connects on first use and reconnects by itself.
    ///
    /// # Errors
    /// When the address is invalid.
    pub fn channel(&self, name: &'static str, url: &str) -> Result<MeshChannel, ClientError> {
        let channel = balanced(url, self.tls.as_ref(), &self.stop)?;
        let outgoing = Outgoing { tokens: self.tokens.clone(), call_timeout: self.call_timeout };
        Ok(Breaker::new(name, self.call_timeout, InterceptedService::new(channel, outgoing)))
    }

    /// A channel to identity without breaker and token, for fetching keys.
    ///
    /// # Errors
    /// When the address is invalid.
    pub fn identity(&self, config: &ClientConfig) -> Result<Channel, ClientError> {
        balanced(&config.identity_url, self.tls.as_ref(), &self.stop)
    }

    /// The access token of this service.
    pub fn tokens(&self) -> &ServiceTokens {
        &self.tokens
    }
}

fn balanced(url: &str, tls: Option<&ClientTlsConfig>, stop: &CancellationToken) -> Result<Channel, ClientError> {
    let wrong = || ClientError::Address(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16()) else {
        return Err(wrong());
    };
    let secure = match scheme {
        "http" => None,
        "https" => Some(tls.cloned().unwrap_or_default().domain_name(host)),
        _ => return Err(wrong()),
    };
    let (channel, changes) = Channel::balance_channel(64);
    let scheme = scheme.to_owned();
    let endpoint = move |address: SocketAddr| endpoint(&scheme, address, secure.as_ref());
    tokio::spawn(resolve::follow(host.to_owned(), port, endpoint, changes, stop.clone()));
    Ok(channel)
}

fn endpoint(scheme: &str, address: SocketAddr, tls: Option<&ClientTlsConfig>) -> Option<Endpoint> {
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .ok()?
        .connect_timeout(Duration::from_secs(1))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    match tls {
        Some(tls) => endpoint.tls_config(tls.clone()).ok(),
        None => Some(endpoint),
    }
}

fn tls(config: &ClientConfig) -> Result<Option<ClientTlsConfig>, ClientError> {
    let Some(authority) = &config.tls_ca else {
        return Ok(None);
    };
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(authority)?));
    if let (Some(cert), Some(key)) = (&config.tls_caller_cert, &config.tls_caller_key) {
        tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(Some(tls))
}

fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|source| ClientError::Tls { path: path.display().to_string(), source })
}
