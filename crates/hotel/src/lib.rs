//! Hotel service: the catalog of hotels, room types and rooms.
//!
//! | module | contents |
//! |---|---|
//! | `grpc` | `HotelService` (public reads) and `HotelAdminService` (writes by staff and administrators) |
//! | `service` | rules: merging an update, comparing etags, idempotent creates, when a delete is refused |
//! | `clients` | the reservation service, which takes inventory off sale before a delete |
//! | `store` | SQL |
//! | `model` | hotels, room types, rooms, and the patches that change them |
//!
//! Deletes are soft: a deleted row is hidden and kept, because reservations still refer to its id. Before a hotel or a
//! room type is deleted, the reservation service retires its inventory and refuses if future reservations exist.

mod clients;
mod config;
mod error;
mod grpc;
mod model;
mod service;
mod store;
#[cfg(test)]
mod testing;

pub use config::Config;

use std::sync::Arc;

use staymesh_api::hotel::v1::{
    hotel_admin_service_server::{HotelAdminServiceServer, SERVICE_NAME as HOTEL_ADMIN},
    hotel_service_server::{HotelServiceServer, SERVICE_NAME as HOTEL},
};
use staymesh_mesh::{Node, node::NodeError};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    clients::reservation::GrpcReservationClient,
    grpc::{HotelAdminHandler, HotelHandler},
    service::CatalogService,
};

/// Migrations of the service's own database, `migrations/hotel`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/hotel");

/// Serves the hotel service until `stop` is cancelled, then drains.
///
/// # Errors
/// [`NodeError`] when the configuration is invalid or a listen address cannot be bound. An unavailable database,
/// identity service or reservation service is not an error: requests that need it fail until it is available again.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let node = Node::new("hotel", config.node, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let reservations = GrpcReservationClient::new(mesh.channel("reservation", &config.reservation_url)?);
    let catalog = Arc::new(CatalogService::new(node.pool.clone(), Box::new(reservations)));
    let routes = Routes::new(HotelServiceServer::new(HotelHandler::new(Arc::clone(&catalog))))
        .add_service(HotelAdminServiceServer::new(HotelAdminHandler::new(catalog)));
    node.serve(verifier, routes, vec![HOTEL, HOTEL_ADMIN], &MIGRATOR).await
}
