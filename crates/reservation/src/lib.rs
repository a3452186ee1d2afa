//! The reservation service: what is for sale, who has booked it, and nothing sold twice.
//!
//! Inventory and reservations share one database, so that a booking is one transaction (R17). The database's own CHECK
//! decides whether a room is left (R10, R13); everything in front of it is courtesy. No lock is held while anybody pays
//! (R14): an unpaid booking holds its rooms until a time that everybody can see, and then frees itself.
//!
//! | to change | look in |
//! |---|---|
//! | the states of a booking and the ways between them | [`lifecycle`] |
//! | what is signed into an offer | [`offer_token`], [`quote`] |
//! | the rules of offering and booking | `service/` |
//! | SQL | `store/` |
//! | how bookings are gathered into transactions | `writer/` |
//! | what the wire looks like | `grpc/` |
//! | what an operator runs | [`check`], [`extend`], [`archive`], [`seed`] |

pub mod archive;
pub mod check;
mod config;
mod error;
pub mod expiry;
pub mod extend;
pub mod fault_points;
mod grpc;
pub mod lifecycle;
mod model;
#[cfg(test)]
mod model_tests;
pub mod offer_token;
pub mod quote;
pub mod seed;
mod service;
mod settlement;
pub mod store;
#[cfg(test)]
mod testing;
mod writer;

use std::sync::Arc;

use sqlx::migrate::Migrator;
use staymesh_api::{
    hotel::v1::hotel_service_client::HotelServiceClient,
    payment::v1::payment_flow_service_client::PaymentFlowServiceClient,
    rate::v1::pricing_service_client::PricingServiceClient,
    reservation::v1::{
        inventory_admin_service_server::{InventoryAdminServiceServer, SERVICE_NAME as INVENTORY},
        reservation_admin_service_server::{ReservationAdminServiceServer, SERVICE_NAME as ADMIN},
        reservation_flow_service_server::{ReservationFlowServiceServer, SERVICE_NAME as FLOW},
        reservation_service_server::{ReservationServiceServer, SERVICE_NAME as RESERVATION},
    },
};
use staymesh_mesh::{Node, config::NodeConfig, node::NodeError};
use staymesh_store::outbox::{RelayOptions, Wake};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, OfferKeys};
pub use error::ReservationError;
pub use model::{CancellationReason, Guest, NewReservation, PaymentMode, Reservation, Status};
pub use service::{Bookings, Hotels, Rates, RoomTypeInfo, Service, UnpaidRooms};
pub use writer::Writer;

/// The migrations of the reservation database.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/reservation");

/// Serves until `stop`.
///
/// # Errors
/// When the configuration is wrong or an address cannot be listened on.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let connections = store::Store::connections(&config.node.store);
    let mut node = Node::new("reservation", NodeConfig { store: connections, ..config.node.clone() }, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let hotels = service::HotelClient::new(HotelServiceClient::new(mesh.channel("hotel", &config.hotel_url)?));
    let rates = service::RateClient::new(PricingServiceClient::new(mesh.channel("rate", &config.rate_url)?));
    let payments = PaymentFlowServiceClient::new(mesh.channel("payment", &config.payment_url)?);

    let store = store::Store::new(node.pool.clone());
    let wake = Wake::default();
    let connections = node.connect(&Writer::connections(&config.node.store, config.writer_lanes))?;
    let (writer, lanes) = Writer::new(&store::Store::new(connections), config.writer_lanes);
    for lane in lanes {
        node.spawn(lane);
    }
    let service = Arc::new(Service {
        store: store.clone(),
        bookings: Box::new(writer),
        hotels: Box::new(hotels),
        rates: Box::new(rates),
        offers: offer_token::OfferSigner::new(&config.offer_keys),
        hold: config.hold,
        unpaid: UnpaidRooms::new(config.guest_unpaid_rooms, config.partner_unpaid_rooms, config.hold),
        wake: wake.clone(),
    });

    node.spawn(expiry::run(store, wake.clone(), node.stop.clone()));
    let settlement = settlement::Settlement::new(payments);
    node.relay_outbox(settlement, wake, RelayOptions::default());

    node.serve(verifier, routes(service), vec![RESERVATION, ADMIN, INVENTORY, FLOW], &MIGRATOR).await
}

/// The gRPC services over these rules.
pub fn routes(service: Arc<Service>) -> Routes {
    Routes::new(ReservationServiceServer::new(grpc::Reservations(service.clone())))
        .add_service(ReservationAdminServiceServer::new(grpc::Admin(service.clone())))
        .add_service(InventoryAdminServiceServer::new(grpc::Inventory(service.clone())))
        .add_service(ReservationFlowServiceServer::new(grpc::Flow(service)))
}
