//! The reservation service: inventory, offers and reservations, without overbooking.
//!
//! Inventory and reservations share one database, so that a booking is one transaction (R17). The database's own CHECK
//! decides whether a room is left (R10, R13); checks before it only give better errors. No lock is held while a guest
//! pays (R14): an unpaid reservation holds its rooms until `hold_expire_time` and then releases them.
//!
//! | to change | look in |
//! |---|---|
//! | the statuses of a reservation and their transitions | [`lifecycle`] |
//! | what is signed into an offer | [`offer_token`], [`quote`] |
//! | the rooms of a reservation, their nights and refunds | `room_line` |
//! | what a change of rooms costs, and its token | `rooms_change/`, [`offer_token`] |
//! | arrivals and departures: the status of a room, its transitions | `room_status`, `room_step`, `departures` |
//! | guests who leave early | `early_departure` |
//! | which date is today, and when a date begins | [`calendar`] |
//! | whether parties fit their rooms | `fit` |
//! | rooms that are set aside for a group, and their cut-off | `group_block`, `block_status`, `block_release` |
//! | the rules of offering and booking | `service/` |
//! | how bookings are batched into transactions | `writer/` |
//! | the expiry of unpaid holds | [`expiry`] |
//! | personal data of deleted accounts | `forgotten` |
//! | events for the payment service | `events`, `payment_events` |
//! | mails to guests | `events`, `mails/` |
//! | calls of other services | `clients/` |
//! | SQL | `store/`, and `store.rs` of each job |
//! | request and response messages | `grpc/` |
//! | jobs and tools of an operator | [`carry_over`], [`check`], [`extend`], [`archive`], [`seed`] |

pub mod archive;
mod block_release;
mod block_status;
pub mod calendar;
pub mod carry_over;
pub mod check;
mod clients;
mod config;
mod credit_refusal;
mod departures;
mod early_departure;
mod error;
mod events;
pub mod expiry;
pub mod extend;
pub mod fault_points;
mod fit;
mod forgotten;
mod group_block;
mod grpc;
pub mod lifecycle;
mod mails;
mod model;
mod night;
pub mod offer_token;
mod payment_events;
pub mod protocol;
pub mod quote;
mod room_guest;
mod room_line;
mod room_plan;
mod room_status;
mod room_step;
mod rooms_change;
pub mod seed;
mod service;
pub mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use sqlx::migrate::Migrator;
use staymesh_api::{
    hotel::v1::hotel_service_client::HotelServiceClient,
    payment::v1::payment_flow_service_client::PaymentFlowServiceClient,
    rate::v1::pricing_service_client::PricingServiceClient,
    reservation::v1::{
        front_desk_service_server::{FrontDeskServiceServer, SERVICE_NAME as FRONT_DESK},
        inventory_admin_service_server::{InventoryAdminServiceServer, SERVICE_NAME as INVENTORY},
        reservation_admin_service_server::{ReservationAdminServiceServer, SERVICE_NAME as ADMIN},
        reservation_flow_service_server::{ReservationFlowServiceServer, SERVICE_NAME as FLOW},
        reservation_service_server::{ReservationServiceServer, SERVICE_NAME as RESERVATION},
    },
};
use staymesh_mail::{MailConfigError, Mailer};
use staymesh_mesh::{Node, config::NodeConfig, node::NodeError};
use staymesh_store::outbox::{Kinds, RelayOptions, Wake};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use block_status::BlockStatus;
pub use clients::{
    HotelClient, HotelInfo, PaymentClient, RateClient, RoomInfo, RoomTypeDemand, RoomTypeInfo, RoomTypePrice,
};
pub use config::{Config, LongHolds, OfferKeys};
pub use error::{ReservationError, UnpaidLimit};
pub use events::{Cancelled, ChangeSettled, ChangeSoldByPartner, SoldByPartner, Terms};
pub use fit::RoomMisfit;

pub use model::{
    CancellationReason, Guest, HoldLimits, NewReservation, PaymentMode, PendingChange, Reservation, Source, Status,
};
pub use room_guest::{Beds, RoomGuest};
pub use room_line::{RoomLine, RoomLinesError, RoomLinesSum, ShortRoom};
pub use room_status::RoomStatus;
pub use rooms_change::{PlacedRoom, RoomsChange, RoomsChangeError};
pub use service::{BookingService, Dependencies, UnpaidLimits};
pub use writer::{Applied, ChangeOrder, Created, Revised, RevisionOrder, Writer};

/// The migrations of the reservation database.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/reservation");

/// Serves requests and runs the service's tasks until `stop`.
///
/// # Errors
/// When the configuration is invalid or an address cannot be listened on.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let connections = store::Store::connections(&config.node.store);
    let mut node = Node::new("reservation", NodeConfig { store: connections, ..config.node.clone() }, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let hotels = clients::GrpcHotelClient::new(HotelServiceClient::new(mesh.channel("hotel", &config.hotel_url)?));
    let rates = clients::GrpcRateClient::new(PricingServiceClient::new(mesh.channel("rate", &config.rate_url)?));
    let payments = PaymentFlowServiceClient::new(mesh.channel("payment", &config.payment_url)?);
    let payments: Arc<dyn PaymentClient> = Arc::new(clients::GrpcPaymentClient::new(payments));

    let store = store::Store::new(node.pool.clone());
    let invalid = |error: MailConfigError| NodeError::Config(error.to_string());
    let identity = mesh.channel("identity", &config.client.identity_url)?;
    let mails = mails::MailSender {
        store: store.clone(),
        recipients: Box::new(clients::GrpcRecipientClient::new(identity)),
        names: Box::new(clients::GrpcStayNameClient::new(mesh.channel("hotel", &config.hotel_url)?)),
        mailer: Mailer::new(&config.mail).map_err(invalid)?,
        site: config.mail.site().map_err(invalid)?,
    };
    let wake = Wake::default();
    let connections = node.connect(&Writer::connections(&config.node.store, config.writer_lanes))?;
    let (writer, lanes) = Writer::new(&store::Store::new(connections), config.writer_lanes);
    for lane in lanes {
        node.spawn(lane);
    }
    let service = Arc::new(BookingService::new(Dependencies {
        store: store.clone(),
        writer,
        hotels: Box::new(hotels),
        rates: Box::new(rates),
        payments: payments.clone(),
        offers: offer_token::OfferSigner::new(&config.offer_keys),
        hold: config.hold,
        unpaid: unpaid_limits(&config),
        long_holds: config.long_holds.clone(),
        wake: wake.clone(),
    }));

    node.spawn(forgotten::run(store.clone(), node.stop.clone()));
    node.spawn(departures::run(store.clone(), node.stop.clone()));
    node.spawn(block_release::run(store.clone(), node.stop.clone()));
    node.spawn(expiry::run(store, wake.clone(), node.stop.clone()));
    let publisher = payment_events::PaymentEventPublisher::new(payments, service.clone());
    let kinds = Kinds::Without(events::MAILS);
    node.relay_outbox(publisher, wake, RelayOptions { kinds, ..RelayOptions::default() });
    node.relay_kinds(mails, Wake::default(), mails::relay_options());

    node.serve(verifier, routes(service), vec![RESERVATION, ADMIN, INVENTORY, FRONT_DESK, FLOW], &MIGRATOR).await
}

const fn unpaid_limits(config: &Config) -> UnpaidLimits {
    UnpaidLimits {
        unconfirmed: config.unconfirmed_unpaid_room_nights,
        guest: config.guest_unpaid_room_nights,
        partner: config.partner_unpaid_room_nights,
        source: config.source_unpaid_room_nights,
        share: config.unpaid_share,
    }
}

/// The gRPC services over the rules.
pub fn routes(service: Arc<BookingService>) -> Routes {
    Routes::new(ReservationServiceServer::new(grpc::ReservationHandler(service.clone())))
        .add_service(ReservationAdminServiceServer::new(grpc::ReservationAdminHandler(service.clone())))
        .add_service(InventoryAdminServiceServer::new(grpc::InventoryAdminHandler(service.clone())))
        .add_service(FrontDeskServiceServer::new(grpc::FrontDeskHandler(service.clone())))
        .add_service(ReservationFlowServiceServer::new(grpc::InternalReservationHandler(service)))
}
