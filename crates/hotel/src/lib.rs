//! The hotel service: hotels, room types and rooms; who reads them and what staff may change.
//!
//! - [`grpc`]: the contract's two services, and what a request must look like.
//! - [`service`]: what a change does, and when a delete is refused.
//! - [`store`]: the SQL.
//!
//! Nothing is ever removed, only hidden, because reservations go on naming it. Deleting asks the reservation service
//! first, through [`inventory`], for it alone knows what is booked.

mod check;
mod config;
mod error;
pub mod grpc;
pub mod inventory;
mod mask;
pub mod model;
pub mod service;
pub mod store;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use error::HotelError;

use std::sync::Arc;

use staymesh_api::hotel::v1::{
    hotel_admin_service_server::{HotelAdminServiceServer, SERVICE_NAME as ADMIN},
    hotel_service_server::{HotelServiceServer, SERVICE_NAME as READS},
};
use staymesh_mesh::{Node, node::NodeError};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// The service's own database.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/hotel");

/// Serves until `stop`.
///
/// # Errors
/// When the configuration is wrong or an address cannot be listened on. That the database or another service is away
/// is no error: requests are refused until it is back.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let node = Node::new("hotel", config.node, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let inventory = inventory::Reservations::new(mesh.channel("reservation", &config.reservation_url)?);
    let hotels = Arc::new(service::Hotels::new(node.pool.clone(), inventory));
    let routes = Routes::new(HotelServiceServer::new(grpc::Reads::new(node.pool.clone())))
        .add_service(HotelAdminServiceServer::new(grpc::Admin::new(hotels)));
    node.serve(verifier, routes, vec![READS, ADMIN], &MIGRATOR).await
}
