//! The HTTP server: routes, limits, and shutdown.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    Config, api,
    faults::{Chaos, WithheldAnswers},
    page,
    provider::Provider,
    webhook::Webhooks,
};

/// Timeout of a request, its body included.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest drain of requests in progress during shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the simulator does not start or has ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting is invalid.
    #[error("{0}")]
    Config(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another process using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The state file cannot be read or written.
    #[error("state file {path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The client for webhooks cannot be made.
    #[error("the HTTP client for webhooks: {0}")]
    Client(#[from] reqwest::Error),
    /// The server failed.
    #[error("the server failed: {0}")]
    Server(#[source] io::Error),
}

/// Serves until `stop`.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), ServeError> {
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    serve_on(listener, config, stop).await
}

/// As [`serve`], on an open socket; [`Config::listen`] is ignored.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve_on(listener: TcpListener, config: Config, stop: CancellationToken) -> Result<(), ServeError> {
    if config.api_key.expose_secret().is_empty() || config.webhook_secret.expose_secret().is_empty() {
        return Err(ServeError::Config("the API key and the webhook secret must not be empty".to_owned()));
    }
    let address = listener.local_addr().map_err(ServeError::Server)?;
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}")).map_err(|error| ServeError::Config(error.to_string()))?,
    };
    let webhooks = Webhooks::new(&config, stop.clone())?;
    let chaos = Arc::new(Chaos::new(config.faults));
    let provider = Provider::open(&config, webhooks.clone(), chaos.clone())
        .map_err(|source| ServeError::State { path: config.state.clone().unwrap_or_default(), source })?;
    let housekeeping = tokio::spawn(provider.clone().run_housekeeping(stop.clone()));
    let api = api::router(provider.clone(), public_url.clone(), config.api_key.clone(), chaos);
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .merge(page::router(provider, &public_url))
        .merge(api.layer(DefaultBodyLimit::max(64 * 1024)))
        .layer(from_fn(bounded))
        // Outside of the timeout, because withheld answers take longer.
        .layer(from_fn_with_state(WithheldAnswers::new(stop.clone()), WithheldAnswers::keep));
    tracing::info!(listen = %address, "the simulated payment provider is listening");

    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let result = tokio::select! {
        result = serving => result.map_err(ServeError::Server),
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    };
    stop.cancel();
    webhooks.ended().await;
    // It ends by the same token; it can only fail by a panic, which is logged.
    let _ = housekeeping.await;
    result
}

async fn bounded(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}
