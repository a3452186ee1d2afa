//! Rate service: what rooms cost, per night and in the currency of their hotel.
//!
//! | module | contents |
//! |---|---|
//! | `grpc` | `PricingService` (prices of stays, for other services) and `RateAdminService` (rates, set by hotel staff) |
//! | `service` | rules: `service/pricing.rs` computes the price of a stay without I/O, the rest keeps rates consistent |
//! | `clients` | the hotel service, which owns currencies and room types |
//! | `store` | SQL |
//! | `model` | rates, occupancy rules, cancellation policies, taxes, prices |
//!
//! Setting a rate or a tax calls the hotel service, to validate room type and currency. Pricing a stay calls no other
//! service.

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

use staymesh_api::rate::v1::{
    pricing_service_server::{PricingServiceServer, SERVICE_NAME as PRICING},
    rate_admin_service_server::{RateAdminServiceServer, SERVICE_NAME as RATE_ADMIN},
};
use staymesh_mesh::{Node, node::NodeError};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    clients::hotel::GrpcHotelClient,
    grpc::{PricingHandler, RateAdminHandler},
    service::RateService,
};

/// Migrations of the service's own database, `migrations/rate`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/rate");

/// Serves the rate service until `stop` is cancelled, then drains.
///
/// # Errors
/// [`NodeError`] when the configuration is invalid or a listen address cannot be bound. An unavailable database,
/// identity service or hotel service is not an error: requests that need it fail until it is available again.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let node = Node::new("rate", config.node, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let hotels = GrpcHotelClient::new(mesh.channel("hotel", &config.hotel_url)?);
    let rates = Arc::new(RateService::new(node.pool.clone(), Box::new(hotels)));
    let routes = Routes::new(PricingServiceServer::new(PricingHandler::new(Arc::clone(&rates))))
        .add_service(RateAdminServiceServer::new(RateAdminHandler::new(rates)));
    node.serve(verifier, routes, vec![PRICING, RATE_ADMIN], &MIGRATOR).await
}
