//! The life cycle of a server: listen, serve, drain.

use std::{net::SocketAddr, path::Path, time::Duration};

use futures::TryStreamExt as _;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use super::{
    reflection::{ReflectionError, add_reflection},
    stack::{LayerConfig, server_stack},
};
use crate::{
    coalesce::CoalescingStream,
    config::ServerConfig,
    health::{self, Probe},
    ops,
};

/// What a server serves, and with which settings.
pub struct ServerSpec {
    /// Name of the service, for logs.
    pub name: &'static str,
    /// Its gRPC services.
    pub routes: Routes,
    /// The full names of its gRPC services, for `grpc.health.v1`.
    pub grpc_services: Vec<&'static str>,
    /// Its readiness probes.
    pub probes: Vec<Probe>,
    /// Settings of its layers.
    pub layers: LayerConfig,
    /// Its metrics, for `/metrics`.
    pub registry: Registry,
}

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}; is another process using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A certificate or key cannot be read.
    #[error("cannot read {path}: {source}")]
    Tls {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The server failed.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// Reflection cannot be built from the contract.
    #[error("reflection: {0}")]
    Reflection(#[from] ReflectionError),
}

/// Serves until `stop`, then ends in this order:
///
/// 1. The service reports that it is not ready. It accepts requests for [`ServerConfig::shutdown_delay`] more.
/// 2. The gRPC server closes its port and drains: requests in progress may continue for [`ServerConfig::drain`].
/// 3. The operations server stops, so that metrics and readiness can be read until then.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(config: &ServerConfig, spec: ServerSpec, stop: CancellationToken) -> Result<(), ServeError> {
    let listener = listen(config.listen).await?;
    let ops_listener = listen(config.ops_listen).await?;
    tracing::info!(
        service = spec.name,
        listen = ?listener.local_addr(),
        ops_listen = ?ops_listener.local_addr(),
        "listening"
    );
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let mut names = vec![String::new()];
    names.extend(spec.grpc_services.iter().map(|s| (*s).to_owned()));
    let obstacles = health::not_checked_yet();
    let watching = tokio::spawn(health::watch(reporter, names, spec.probes, obstacles.clone(), stop.clone()));
    let ops_server = tokio::spawn(ops::serve(ops_listener, ops::OpsState { registry: spec.registry, obstacles }));

    let services = add_reflection(spec.routes.add_service(health_service).into_axum_router())?;
    let mut builder = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .http2_max_header_list_size(32 * 1024)
        .max_concurrent_streams(1024);
    if let Some(tls) = tls(config)? {
        builder = builder.tls_config(tls)?;
    }
    let router = builder.add_routes(Routes::from(server_stack(services, spec.layers)));
    let refusing = async {
        stop.cancelled().await;
        tokio::time::sleep(config.shutdown_delay).await;
    };
    // A response is several small writes. Without TCP_NODELAY the last one waits 40 ms for the delayed acknowledgement of
    // the first (Nagle's algorithm). The builder's own setting applies only to listeners that the builder creates.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).map_ok(CoalescingStream::new);
    let serving = router.serve_with_incoming_shutdown(incoming, refusing);
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(config.shutdown_delay + config.drain).await;
    };
    tokio::select! {
        result = serving => result?,
        () = drained => tracing::warn!("requests were still in progress at the end of the drain period"),
    }
    for task in [watching.abort_handle(), ops_server.abort_handle()] {
        task.abort();
    }
    tracing::info!(service = spec.name, "stopped");
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

fn tls(config: &ServerConfig) -> Result<Option<ServerTlsConfig>, ServeError> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else {
        return Ok(None);
    };
    let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(read(cert)?, read(key)?));
    if let Some(authority) = &config.tls_client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(read(authority)?));
    }
    Ok(Some(tls))
}

fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|source| ServeError::Tls { path: path.display().to_string(), source })
}
