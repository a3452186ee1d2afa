//! A server of `ReservationService` on loopback, behind the product's server stack, that books by one of the strategies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use prometheus::Registry;
use sqlx::PgPool;
use staymesh_api::{
    DESCRIPTOR_SET,
    reservation::v1::{
        reservation_service_client::ReservationServiceClient, reservation_service_server::ReservationServiceServer,
    },
};
use staymesh_devenv::{port::free_port, wait};
use staymesh_load::REQUEST_TIMEOUT;
use staymesh_mesh::{
    auth::{AccessTable, Revocations, RoleGateways, TokenVerifier},
    coalesce::CoalescingStream,
    config::ServerConfig,
    server::{LayerConfig, ServerSpec, serve},
};
use staymesh_reservation::{
    BookingService, Dependencies, LongHolds, UnpaidLimits, Writer, offer_token::OfferSigner, store::Store,
};
use staymesh_store::outbox::Wake;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Uri},
};
use tower::service_fn;

use crate::{
    rig::Rig,
    strategy::{Constraint, CreateOnly, Direct, Floor, Optimistic, Pessimistic, Strategy, Transaction},
    stub_clients::StubClients,
};

/// Most connections of the clients, which share them: as many as the edge has replicas.
pub(crate) const CONNECTIONS: usize = 4;
/// How long an unpaid reservation holds its rooms: the production default.
const HOLD: Duration = Duration::from_mins(15);
/// Above any number of clients, because load shedding is not measured.
const MAX_CONCURRENCY: usize = 4096;

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    address: SocketAddr,
    _serving: JoinHandle<()>,
    _stop: DropGuard,
}

impl Server {
    /// Serves `strategy` with `connections` database connections; the writer has `lanes` lanes besides.
    ///
    /// # Errors
    /// When the server does not become ready.
    pub(crate) async fn start(strategy: Strategy, connections: u32, lanes: usize, rig: &Rig) -> Result<Self> {
        let stop = CancellationToken::new();
        let routes = match strategy {
            Strategy::Pessimistic => direct(Pessimistic, connections, rig)?,
            Strategy::Optimistic => direct(Optimistic, connections, rig)?,
            Strategy::Constraint => direct(Constraint, connections, rig)?,
            Strategy::Floor => Routes::new(ReservationServiceServer::new(CreateOnly(Floor))),
            Strategy::Writer => staymesh_reservation::routes(Arc::new(BookingService::new(Dependencies {
                store: Store::new(rig.database.connect_reads(connections)?),
                writer: writer(rig.database.connect_lanes(lanes)?, lanes),
                hotels: Box::new(StubClients),
                rates: Box::new(StubClients),
                payments: Arc::new(StubClients),
                offers: OfferSigner::new(&rig.keys),
                hold: HOLD,
                // A few callers make all bookings.
                unpaid: UnpaidLimits::unlimited(),
                long_holds: LongHolds::default(),
                wake: Wake::default(),
            }))),
        };
        serve_routes(routes, rig.callers.verifier(), Revocations::of_this_process(), rig.registry.clone(), stop).await
    }

    /// Serves `routes` with these revoked sessions.
    ///
    /// # Errors
    /// When the server does not become ready.
    pub(crate) async fn serve(
        routes: Routes,
        verifier: TokenVerifier,
        revocations: Revocations,
        registry: Registry,
    ) -> Result<Self> {
        serve_routes(routes, verifier, revocations, registry, CancellationToken::new()).await
    }

    /// A client on each of `connections` connections.
    ///
    /// # Errors
    /// When the server does not accept them.
    pub(crate) async fn clients(&self, connections: usize) -> Result<Vec<ReservationServiceClient<Channel>>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let mut clients = Vec::with_capacity(connections);
        for _ in 0..connections {
            clients.push(ReservationServiceClient::new(endpoint.connect_with_connector(service_fn(connect)).await?));
        }
        Ok(clients)
    }
}

/// Connects with coalesced writes, as Envoy writes.
///
/// # Errors
/// When the server does not accept the connection.
async fn connect(to: Uri) -> std::io::Result<TokioIo<CoalescingStream<TcpStream>>> {
    let authority = to.authority().ok_or(std::io::ErrorKind::InvalidInput)?;
    let stream = TcpStream::connect(authority.as_str()).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(CoalescingStream::new(stream)))
}

/// The routes of a strategy with one transaction per booking.
fn direct<T: Transaction>(strategy: T, connections: u32, rig: &Rig) -> Result<Routes> {
    let pool = rig.database.connect(connections)?;
    let direct = Direct { pool, offers: OfferSigner::new(&rig.keys), hold: HOLD, strategy };
    Ok(Routes::new(ReservationServiceServer::new(CreateOnly(direct))))
}

fn writer(pool: PgPool, lanes: usize) -> Writer {
    let (writer, lanes) = Writer::new(&Store::new(pool), lanes);
    for lane in lanes {
        tokio::spawn(lane);
    }
    writer
}

async fn serve_routes(
    routes: Routes,
    verifier: TokenVerifier,
    revocations: Revocations,
    registry: Registry,
    stop: CancellationToken,
) -> Result<Server> {
    let free = || anyhow::Ok(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
    let config = ServerConfig {
        listen: free()?,
        ops_listen: free()?,
        max_concurrency: MAX_CONCURRENCY,
        max_concurrency_per_source: MAX_CONCURRENCY,
        max_concurrency_per_client: MAX_CONCURRENCY,
        max_streams_per_source: 16,
        max_deadline: REQUEST_TIMEOUT,
        error_pages_url: None,
        shutdown_delay: Duration::ZERO,
        drain: Duration::from_secs(5),
        tls_cert: None,
        tls_key: None,
        tls_client_ca: None,
    };
    let served = ServerSpec {
        name: "reservation",
        routes,
        grpc_services: vec![],
        probes: vec![],
        layers: LayerConfig {
            access: AccessTable::read(DESCRIPTOR_SET).context("the contract")?,
            role_gateways: RoleGateways::read(DESCRIPTOR_SET).context("the contract")?,
            verifier,
            revocations,
            max_concurrency: config.max_concurrency,
            max_concurrency_per_source: config.max_concurrency_per_source,
            max_concurrency_per_client: config.max_concurrency_per_client,
            max_streams_per_source: config.max_streams_per_source,
            max_deadline: config.max_deadline,
        },
        registry,
    };
    let (address, operations) = (config.listen, config.ops_listen);
    let stopping = stop.clone();
    let serving = tokio::spawn(async move {
        if let Err(error) = serve(&config, served, stopping).await {
            eprintln!("the server failed: {error}");
        }
    });
    tokio::task::spawn_blocking(move || {
        wait::wait_until("the server is ready", Duration::from_secs(20), || {
            Ok(wait::http_ok(operations, "/readyz").then_some(()))
        })
    })
    .await??;
    Ok(Server { address, _serving: serving, _stop: stop.drop_guard() })
}
