//! One running service: what every service crate starts with, and how it ends.

use std::{future::Future, time::Duration};

use futures::future::join_all;
use sqlx::{PgPool, migrate::Migrator};
use staymesh_store::{StoreConfig, bounded, migrate};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

use crate::{
    auth::{AccessTable, RemoteKeys, Revocations, TokenVerifier},
    client::{ClientError, Mesh},
    config::{ClientConfig, NodeConfig},
    health::Check,
    redis::Redis,
    server::{LayerConfig, ServeError, ServerSpec, serve},
    telemetry::{self, Telemetry},
};

/// Longest wait for background work to end, and for connections to be closed.
const WORK_ENDS_WITHIN: Duration = Duration::from_secs(15);
const POOLS_CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Longest readiness check of the database, a little less than [`crate::health`] allows.
const CHECK_LIMIT: Duration = Duration::from_millis(1900);

/// Why a service does not start or has ended.
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
    /// It cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// What a running service stands on.
pub struct Node {
    /// Its database. It may be away: the pool connects when it is needed.
    pub pool: PgPool,
    /// Redis, where one is configured.
    pub redis: Option<Redis>,
    /// The ended logins.
    pub revocations: Revocations,
    /// Cancelled when the service shall stop.
    pub stop: CancellationToken,
    name: &'static str,
    config: NodeConfig,
    check_pool: PgPool,
    other_pools: Vec<PgPool>,
    telemetry: Telemetry,
    tasks: TaskTracker,
}

impl Node {
    /// Sets up what does not need anybody else to be there.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub fn new(name: &'static str, config: NodeConfig, stop: CancellationToken) -> Result<Self, NodeError> {
        let telemetry =
            telemetry::init(name, &config.telemetry).map_err(|error| NodeError::Telemetry(error.to_string()))?;
        let store = named(&config.store, name);
        let pool = connect(&store)?;
        let redis = config.auth.redis_url.as_ref().map(Redis::connect_lazily).transpose().map_err(NodeError::Config)?;
        Ok(Self {
            pool,
            check_pool: connect(&for_checks(store))?,
            other_pools: Vec::new(),
            revocations: Revocations::new(redis.clone()),
            redis,
            stop,
            name,
            config,
            telemetry,
            tasks: TaskTracker::new(),
        })
    }

    /// More connections to the same database, for work that is to have its own.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub fn connect(&mut self, config: &StoreConfig) -> Result<PgPool, NodeError> {
        let pool = connect(&named(config, self.name))?;
        self.other_pools.push(pool.clone());
        Ok(pool)
    }

    /// Gets ready to call other services, and to verify tokens with identity's keys.
    ///
    /// # Errors
    /// When an address or a certificate is wrong.
    pub fn join(&self, config: &ClientConfig) -> Result<(Mesh, TokenVerifier), NodeError> {
        let mesh = Mesh::join(config, self.stop.clone())?;
        let keys = RemoteKeys::new(mesh.identity(config)?);
        Ok((mesh, TokenVerifier::new(keys, &self.config.auth)))
    }

    /// Runs background work that ends by itself soon after [`Self::stop`]; the process waits for it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Serves until [`Self::stop`]. It is ready while its database answers and has every migration.
    ///
    /// # Errors
    /// When an address cannot be listened on, or the server fails.
    pub async fn serve(
        self,
        verifier: TokenVerifier,
        routes: Routes,
        grpc_services: Vec<&'static str>,
        migrator: &'static Migrator,
    ) -> Result<(), NodeError> {
        let config = &self.config.server;
        let access = AccessTable::read(staymesh_api::DESCRIPTOR_SET)
            .map_err(|error| NodeError::Config(format!("the contract: {error}")))?;
        let served = ServerSpec {
            name: self.name,
            routes,
            grpc_services,
            checks: vec![database_check(self.check_pool.clone(), migrator)],
            stack: LayerConfig {
                access,
                verifier,
                revocations: self.revocations.clone(),
                max_concurrency: config.max_concurrency,
                max_deadline: config.max_deadline,
            },
            registry: self.telemetry.registry.clone(),
        };
        let result = serve(config, served, self.stop.clone()).await;
        // A server that failed takes its background work along.
        self.stop.cancel();
        self.tasks.close();
        if timeout(WORK_ENDS_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("background work did not end in time");
        }
        let pools = [&self.pool, &self.check_pool].into_iter().chain(&self.other_pools);
        let closing = join_all(pools.map(PgPool::close));
        if timeout(POOLS_CLOSE_WITHIN, closing).await.is_err() {
            tracing::warn!("connections to the database were not closed in time");
        }
        self.telemetry.flush();
        Ok(result?)
    }
}

/// Under the service's name in the server's views, unless it was given another.
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

/// One connection apart from the others: a service that has so much to do that its pool is used up is still ready, or
/// all replicas would be taken out of service at once. Shorter limits, so that a connection that hangs is soon replaced.
fn for_checks(store: StoreConfig) -> StoreConfig {
    StoreConfig {
        database_max_connections: 1,
        database_acquire_timeout: store.database_acquire_timeout.min(Duration::from_secs(1)),
        database_statement_timeout: store.database_statement_timeout.min(Duration::from_secs(1)),
        ..store
    }
}

fn database_check(pool: PgPool, migrator: &'static Migrator) -> Check {
    Check::new("database", move || {
        let pool = pool.clone();
        async move {
            match bounded(CHECK_LIMIT, migrate::is_current(&pool, migrator)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("migrations are missing; run `staymesh migrate`".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        }
    })
}
