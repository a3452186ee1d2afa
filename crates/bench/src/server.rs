//! The reservation service over loopback, behind the real server stack, with bookings made by one of the strategies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use prometheus::Registry;
use sqlx::PgPool;
use staymesh_api::{
    DESCRIPTOR_SET,
    reservation::v1::{
        reservation_service_client::ReservationServiceClient, reservation_service_server::ReservationServiceServer,
    },
};
use staymesh_mesh::{
    Problem, Reason,
    auth::{AccessTable, Revocations},
    config::ServerConfig,
    server::{Served, StackParts, serve},
};
use staymesh_parts::{port::free_port, wait};
use staymesh_reservation::{
    Bookings, Hotels, OfferKeys, Rates, RoomTypeInfo, Service, Writer, offer_token::OfferSigner, store::Store,
};
use staymesh_store::outbox::Wake;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint},
};

use crate::{
    callers::Callers,
    database::Database,
    strategy::{Constraint, Floor, Optimistic, Pessimistic, Single, Strategy},
};

/// The longest time a request may take, as in production.
pub(crate) const LONGEST: Duration = Duration::from_secs(15);
/// How long an unpaid booking holds its rooms, as in production.
const HOLD: Duration = Duration::from_mins(15);
/// More than any number of clients: what is measured is not how load is shed.
const MAX_CONCURRENCY: usize = 4096;

/// What every server of a run has in common.
pub(crate) struct Shared<'a> {
    pub(crate) callers: &'a Callers,
    pub(crate) keys: &'a OfferKeys,
    /// Database connections that each strategy may use.
    pub(crate) connections: u32,
    pub(crate) lanes: usize,
    pub(crate) registry: Registry,
}

/// A running server; it stops with this value.
pub(crate) struct Server {
    address: SocketAddr,
    _serving: JoinHandle<()>,
    _stop: DropGuard,
}

impl Server {
    /// Serves `ReservationService` with bookings made in this way.
    pub(crate) async fn start(strategy: Strategy, database: &Database, shared: &Shared<'_>) -> Result<Self> {
        let stop = CancellationToken::new();
        let pool = database.connect(shared.connections)?;
        let bookings: Option<Box<dyn Bookings>> = match strategy {
            Strategy::Pessimistic => Some(Box::new(Single { pool: pool.clone(), strategy: Pessimistic })),
            Strategy::Optimistic => Some(Box::new(Single { pool: pool.clone(), strategy: Optimistic })),
            Strategy::Constraint => Some(Box::new(Single { pool: pool.clone(), strategy: Constraint })),
            Strategy::Writer => Some(Box::new(writer(database.connect_lanes(shared.lanes)?, shared.lanes))),
            Strategy::Floor => None,
        };
        let routes = match bookings {
            Some(bookings) => staymesh_reservation::routes(Arc::new(Service {
                store: Store::new(pool),
                bookings,
                hotels: Box::new(Nobody),
                rates: Box::new(Nobody),
                offers: OfferSigner::new(shared.keys),
                hold: HOLD,
                wake: Wake::default(),
            })),
            None => Routes::new(ReservationServiceServer::new(Floor)),
        };
        serve_routes(routes, shared, stop).await
    }

    /// Clients on so many connections.
    pub(crate) async fn clients(&self, connections: usize) -> Result<Vec<ReservationServiceClient<Channel>>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?.tcp_nodelay(true);
        let mut clients = Vec::with_capacity(connections);
        for _ in 0..connections {
            clients.push(ReservationServiceClient::new(endpoint.connect().await?));
        }
        Ok(clients)
    }
}

fn writer(pool: PgPool, lanes: usize) -> Writer {
    let (writer, lanes) = Writer::new(&Store::new(pool), lanes);
    for lane in lanes {
        tokio::spawn(lane);
    }
    writer
}

async fn serve_routes(routes: Routes, shared: &Shared<'_>, stop: CancellationToken) -> Result<Server> {
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
    let served = Served {
        name: "reservation",
        routes,
        grpc_services: vec![],
        checks: vec![],
        stack: StackParts {
            access: AccessTable::read(DESCRIPTOR_SET).context("the contract")?,
            verifier: shared.callers.verifier(),
            revocations: Revocations::new(None),
            max_concurrency: config.max_concurrency,
            max_deadline: config.max_deadline,
        },
        registry: shared.registry.clone(),
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

/// The neighbours, who are not asked for anything that is measured.
struct Nobody;

fn not_here() -> Problem {
    Problem::new(Reason::DependencyUnavailable, "this is a benchmark of the reservation service alone")
}

#[tonic::async_trait]
impl Hotels for Nobody {
    async fn room_types(&self, _: staymesh_domain::HotelId) -> Result<Vec<RoomTypeInfo>, Problem> {
        Err(not_here())
    }

    async fn room_type(
        &self,
        _: staymesh_domain::HotelId,
        _: staymesh_domain::RoomTypeId,
    ) -> Result<RoomTypeInfo, Problem> {
        Err(not_here())
    }
}

#[tonic::async_trait]
impl Rates for Nobody {
    async fn price(
        &self,
        _: staymesh_domain::HotelId,
        _: staymesh_domain::StayDates,
        _: i32,
        _: Vec<staymesh_api::rate::v1::RoomTypeDemand>,
    ) -> Result<Vec<staymesh_api::rate::v1::StayPrice>, Problem> {
        Err(not_here())
    }
}
