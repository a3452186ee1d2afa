//! The reservation service over loopback, behind the real server stack, with bookings made by one of the strategies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use sqlx::PgPool;
use staymesh_api::{
    DESCRIPTOR_SET,
    reservation::v1::{
        reservation_service_client::ReservationServiceClient, reservation_service_server::ReservationServiceServer,
    },
};
use staymesh_devenv::{port::free_port, wait};
use staymesh_mesh::{
    auth::{AccessTable, Revocations},
    coalesce::CoalescingStream,
    config::ServerConfig,
    server::{LayerConfig, ServerSpec, serve},
};
use staymesh_reservation::{
    BookingService, Bookings, Dependencies, UnpaidRoomLimit, Writer, offer_token::OfferSigner, store::Store,
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
    neighbours::Neighbours,
    rig::Rig,
    strategy::{Constraint, Floor, Optimistic, Pessimistic, Single, Strategy},
};

/// The longest time a request may take, as in production.
pub(crate) const LONGEST: Duration = Duration::from_secs(15);
/// Most connections of the clients: as many as callers would have replicas. More clients share them.
pub(crate) const CONNECTIONS: usize = 4;
/// How long an unpaid booking holds its rooms, as in production.
const HOLD: Duration = Duration::from_mins(15);
/// More than any number of clients: what is measured is not how load is shed.
const MAX_CONCURRENCY: usize = 4096;

/// A running server; it stops with this value.
pub(crate) struct Server {
    address: SocketAddr,
    _serving: JoinHandle<()>,
    _stop: DropGuard,
}

impl Server {
    /// Serves `ReservationService` with bookings made in this way.
    pub(crate) async fn start(strategy: Strategy, connections: u32, lanes: usize, rig: &Rig) -> Result<Self> {
        let stop = CancellationToken::new();
        let pool = rig.database.connect(connections)?;
        let bookings: Option<Box<dyn Bookings>> = match strategy {
            Strategy::Pessimistic => Some(Box::new(Single { pool: pool.clone(), strategy: Pessimistic })),
            Strategy::Optimistic => Some(Box::new(Single { pool: pool.clone(), strategy: Optimistic })),
            Strategy::Constraint => Some(Box::new(Single { pool: pool.clone(), strategy: Constraint })),
            Strategy::Writer => Some(Box::new(writer(rig.database.connect_lanes(lanes)?, lanes))),
            Strategy::Floor => None,
        };
        let routes = match bookings {
            Some(bookings) => staymesh_reservation::routes(Arc::new(BookingService::new(Dependencies {
                store: Store::new(rig.database.connect_reads(connections)?),
                bookings,
                hotels: Box::new(Neighbours),
                rates: Box::new(Neighbours),
                offers: OfferSigner::new(&rig.keys),
                hold: HOLD,
                // A few callers book everything.
                unpaid: UnpaidRoomLimit::unlimited(),
                wake: Wake::default(),
            }))),
            None => Routes::new(ReservationServiceServer::new(Floor)),
        };
        serve_routes(routes, rig, stop).await
    }

    /// Clients on so many connections.
    pub(crate) async fn clients(&self, connections: usize) -> Result<Vec<ReservationServiceClient<Channel>>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let mut clients = Vec::with_capacity(connections);
        for _ in 0..connections {
            clients.push(ReservationServiceClient::new(endpoint.connect_with_connector(service_fn(connect)).await?));
        }
        Ok(clients)
    }
}

/// As Envoy does, a client sends what is ready together.
async fn connect(to: Uri) -> std::io::Result<TokioIo<CoalescingStream<TcpStream>>> {
    let address = to.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(CoalescingStream::new(stream)))
}

fn writer(pool: PgPool, lanes: usize) -> Writer {
    let (writer, lanes) = Writer::new(&Store::new(pool), lanes);
    for lane in lanes {
        tokio::spawn(lane);
    }
    writer
}

async fn serve_routes(routes: Routes, rig: &Rig, stop: CancellationToken) -> Result<Server> {
    let free = || anyhow::Ok(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
    let config = ServerConfig {
        listen: free()?,
        ops_listen: free()?,
        max_concurrency: MAX_CONCURRENCY,
        max_deadline: LONGEST,
        drain: Duration::from_secs(5),
        tls_cert: None,
        tls_key: None,
        tls_client_ca: None,
    };
    let served = ServerSpec {
        name: "reservation",
        routes,
        grpc_services: vec![],
        checks: vec![],
        stack: LayerConfig {
            access: AccessTable::read(DESCRIPTOR_SET).context("the contract")?,
            verifier: rig.callers.verifier(),
            revocations: Revocations::new(None),
            max_concurrency: config.max_concurrency,
            max_deadline: config.max_deadline,
        },
        registry: rig.registry.clone(),
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
