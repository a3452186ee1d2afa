//! A node: one running service with its database, Redis, telemetry, background tasks and server, from start to drain.

use std::{future::Future, time::Duration};

use futures::future::join_all;
use sqlx::{PgPool, migrate::Migrator};
use staymesh_store::{StoreConfig, bounded, migrate};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

use crate::{
    auth::{AccessTable, RemoteKeys, RemoteRevocations, Revocations, RoleGateways, TokenVerifier},
    client::{ClientError, Mesh},
    config::{ClientConfig, NodeConfig},
    errors::link_error_pages,
    health::Probe,
    redis::Redis,
    server::{LayerConfig, ServeError, ServerSpec, serve},
    telemetry::{self, Telemetry},
};

/// Deadline for background tasks to end after the server has stopped.
const TASKS_END_WITHIN: Duration = Duration::from_secs(15);
/// Deadline for closing database connections.
const POOLS_CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Deadline of the readiness probe of the database, a little less than [`crate::health`] allows.
const PROBE_LIMIT: Duration = Duration::from_millis(1900);

/// Why a service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// Logs, metrics or traces cannot be set up.
    #[error("telemetry: {0}")]
    Telemetry(String),
    /// Another service's address or a certificate is wrong.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A running service and the resources it uses.
pub struct Node {
    /// Its database. The pool connects on demand, so the database may be unavailable.
    pub pool: PgPool,
    /// Redis, if configured.
    pub redis: Option<Redis>,
    /// The revoked sessions.
    pub revocations: Revocations,
    /// Cancelled when background tasks are to stop: after the server has drained.
    pub stop: CancellationToken,
    /// Cancelled when the server is to stop.
    signal: CancellationToken,
    name: &'static str,
    config: NodeConfig,
    probe_pool: PgPool,
    other_pools: Vec<PgPool>,
    telemetry: Telemetry,
    tasks: TaskTracker,
}

impl Node {
    /// Sets up telemetry and pools; the server stops on `signal`. Connects to nothing, so it succeeds without database and
    /// Redis.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub fn new(name: &'static str, config: NodeConfig, signal: CancellationToken) -> Result<Self, NodeError> {
        let telemetry =
            telemetry::init(name, &config.telemetry).map_err(|error| NodeError::Telemetry(error.to_string()))?;
        if let Some(pages) = &config.server.error_pages_url {
            link_error_pages(pages.clone());
        }
        let store = named(&config.store, name);
        let pool = connect(&store)?;
        let redis = config.auth.redis_url.as_ref().map(Redis::connect_lazily).transpose().map_err(NodeError::Config)?;
        let stop = CancellationToken::new();
        let (revocations, tasks) = (Revocations::new(redis.clone()), TaskTracker::new());
        tasks.spawn(revocations.clone().follow_log(stop.clone()));
        Ok(Self {
            pool,
            probe_pool: connect(&for_probes(store))?,
            other_pools: Vec::new(),
            revocations,
            redis,
            stop,
            signal,
            name,
            config,
            telemetry,
            tasks,
        })
    }

    /// A separate pool to the same database, for work that must not compete for the connections of [`Self::pool`].
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub fn connect(&mut self, config: &StoreConfig) -> Result<PgPool, NodeError> {
        let pool = connect(&named(config, self.name))?;
        self.other_pools.push(pool.clone());
        Ok(pool)
    }

    /// Prepares calls of other services and the verification of tokens with identity's keys, and follows identity's
    /// revoked sessions.
    ///
    /// # Errors
    /// When an address or a certificate is wrong.
    pub fn join(&self, config: &ClientConfig) -> Result<(Mesh, TokenVerifier), NodeError> {
        let mesh = self.callees(config)?;
        let keys = RemoteKeys::new(mesh.identity(config)?);
        let revoked = RemoteRevocations::new(mesh.channel("identity", &config.identity_url)?);
        self.spawn(self.revocations.clone().follow_source(revoked, self.stop.clone()));
        Ok((mesh, TokenVerifier::new(keys, &self.config.auth)))
    }

    /// Prepares calls of other services, without [`Self::join`]'s verification: for identity, which has the keys itself.
    ///
    /// # Errors
    /// When an address or a certificate is wrong.
    pub fn callees(&self, config: &ClientConfig) -> Result<Mesh, NodeError> {
        Ok(Mesh::join(config, self.stop.clone())?)
    }

    /// Spawns a background task, which must end soon after [`Self::stop`] is cancelled. The process waits up to 15 s for it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Serves until the signal, then drains and stops the background tasks. Ready while the database answers and has every
    /// migration.
    ///
    /// # Errors
    /// When an address cannot be bound, or the server fails.
    pub async fn serve(
        self,
        verifier: TokenVerifier,
        routes: Routes,
        grpc_services: Vec<&'static str>,
        migrator: &'static Migrator,
    ) -> Result<(), NodeError> {
        let config = &self.config.server;
        let unreadable = |error| NodeError::Config(format!("the contract: {error}"));
        let access = AccessTable::read(staymesh_api::DESCRIPTOR_SET).map_err(unreadable)?;
        let role_gateways = RoleGateways::read(staymesh_api::DESCRIPTOR_SET).map_err(unreadable)?;
        let spec = ServerSpec {
            name: self.name,
            routes,
            grpc_services,
            probes: vec![database_probe(self.probe_pool.clone(), migrator)],
            layers: LayerConfig {
                access,
                role_gateways,
                verifier,
                revocations: self.revocations.clone(),
                max_concurrency: config.max_concurrency,
                max_concurrency_per_source: config.max_concurrency_per_source,
                max_concurrency_per_client: config.max_concurrency_per_client,
                max_streams_per_source: config.max_streams_per_source,
                max_deadline: config.max_deadline,
            },
            registry: self.telemetry.registry.clone(),
        };
        let result = serve(config, spec, self.signal.clone()).await;
        // Requests in progress may need the background tasks, which therefore end after them; also when the server failed.
        self.stop.cancel();
        self.tasks.close();
        if timeout(TASKS_END_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks did not end in time");
        }
        let pools = [&self.pool, &self.probe_pool].into_iter().chain(&self.other_pools);
        let closing = join_all(pools.map(PgPool::close));
        if timeout(POOLS_CLOSE_WITHIN, closing).await.is_err() {
            tracing::warn!("connections to the database were not closed in time");
        }
        self.telemetry.flush();
        Ok(result?)
    }
}

/// Sets the application name to that of the service, unless another is configured.
fn named(config: &StoreConfig, name: &str) -> StoreConfig {
    let mut config = config.clone();
    if config.database_application_name == "staymesh" {
        config.database_application_name = format!("staymesh-{name}");
    }
    config
}

fn connect(config: &StoreConfig) -> Result<PgPool, NodeError> {
    staymesh_store::connect(config).map_err(|error| NodeError::Config(error.to_string()))
}

/// A pool of one connection for the readiness probe: a service whose pool is exhausted is still ready, or overload would
/// take all replicas out of service at once. Its limits are shorter, so that a connection that hangs is soon replaced.
fn for_probes(store: StoreConfig) -> StoreConfig {
    StoreConfig {
        database_max_connections: 1,
        database_acquire_timeout: store.database_acquire_timeout.min(Duration::from_secs(1)),
        database_statement_timeout: store.database_statement_timeout.min(Duration::from_secs(1)),
        ..store
    }
}

fn database_probe(pool: PgPool, migrator: &'static Migrator) -> Probe {
    Probe::new("database", move || {
        let pool = pool.clone();
        async move {
            match bounded(PROBE_LIMIT, migrate::is_current(&pool, migrator)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("migrations are missing; run `staymesh migrate`".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        }
    })
}
