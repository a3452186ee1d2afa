//! A node under overload and during shutdown. A separate process, because telemetry is initialized once per process.

use std::{net::SocketAddr, time::Duration};

use clap::Parser;
use sqlx::migrate::Migrator;
use staymesh_api::identity::v1::JsonWebKey;
use staymesh_devenv::{Durability, Postgres, PostgresOptions, port::free_port, wait};
use staymesh_mesh::{
    Node,
    auth::{KeySource, TokenVerifier},
    config::NodeConfig,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

static MIGRATOR: Migrator = Migrator::DEFAULT;

#[derive(clap::Parser)]
struct Program {
    #[command(flatten)]
    node: NodeConfig,
}

struct NoKeys;

#[tonic::async_trait]
impl KeySource for NoKeys {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        Ok(vec![])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_with_exhausted_pool_is_ready_and_stops_in_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
    let postgres = Postgres::start(dir.path(), options).expect("starts");
    let operations = SocketAddr::from(([127, 0, 0, 1], free_port().expect("a port")));
    let url = postgres.url("postgres");
    let mut config = Program::parse_from(["node", "--database-url", &url]).node;
    config.server.ops_listen = operations;
    config.server.shutdown_delay = Duration::ZERO;
    config.store.database_max_connections = 1;
    staymesh_store::migrate::run(&config.store, &MIGRATOR, Duration::from_secs(20)).await.expect("migrates");

    let stop = CancellationToken::new();
    let verifier = TokenVerifier::new(NoKeys, &config.auth);
    let node = Node::new("test", config, stop.clone()).expect("a node");
    let the_only_one = node.pool.acquire().await.expect("a connection");
    let serving = tokio::spawn(node.serve(verifier, Routes::default(), vec![], &MIGRATOR));
    tokio::task::spawn_blocking(move || {
        wait::wait_until("the node is ready", Duration::from_secs(20), || {
            Ok(wait::http_ok(operations, "/readyz").then_some(()))
        })
    })
    .await
    .expect("no panic")
    .expect("ready");

    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), serving)
        .await
        .expect("stops although a connection never comes back")
        .expect("no panic")
        .expect("no error");
    drop(the_only_one);
}
