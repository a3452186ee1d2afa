//! The one way to reach another service.

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio_util::sync::CancellationToken;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri},
};

use super::{breaker::Breaker, outgoing::Outgoing, resolve, tokens::ServiceTokens};
use crate::config::ClientConfig;

/// A channel to another service. Read from outside in: time limit and breaker, then headers, then the
/// balanced connection.
pub type MeshChannel = Breaker<InterceptedService<Channel, Outgoing>>;

/// Why a channel cannot be made.
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
        /// What the system says.
        source: std::io::Error,
    },
    /// The channel refuses its settings.
    #[error("channel: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// The other services, as this one calls them.
pub struct Mesh {
    tokens: ServiceTokens,
    call_timeout: Duration,
    tls: Option<ClientTlsConfig>,
    stop: CancellationToken,
}

impl Mesh {
    /// Gets ready to call others: keeps a token of this service at hand until `stop`.
    ///
    /// # Errors
    /// When identity's address or a certificate is wrong. That a service is away is not an error here.
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

    /// A channel to the service at `url`. It connects when first used, and again after it was cut.
    ///
    /// # Errors
    /// When the address is wrong.
    pub fn channel(&self, name: &'static str, url: &str) -> Result<MeshChannel, ClientError> {
        let channel = balanced(url, self.tls.as_ref(), &self.stop)?;
        let outgoing = Outgoing { tokens: self.tokens.clone(), call_timeout: self.call_timeout };
        Ok(Breaker::new(name, self.call_timeout, InterceptedService::new(channel, outgoing)))
    }

    /// A bare channel to identity, for fetching keys.
    ///
    /// # Errors
    /// When the address or a certificate is wrong.
    pub fn identity(&self, config: &ClientConfig) -> Result<Channel, ClientError> {
        balanced(&config.identity_url, self.tls.as_ref(), &self.stop)
    }

    /// The token this service calls with.
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
