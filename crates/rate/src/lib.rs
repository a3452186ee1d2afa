//! The rate service: what rooms cost, night by night, in their hotel's currency.
//!
//! - [`pricing`]: the rules, without I/O.
//! - [`grpc`]: the contract's two services, and what a request must look like.
//! - [`service`]: what staff set, and what must hold for it.
//! - [`store`]: the SQL.
//!
//! Hotels and room types are the hotel service's: [`catalog`] asks it when a rate or tax is set. Pricing a stay asks
//! nobody.

pub mod catalog;
mod config;
mod error;
pub mod grpc;
pub mod pricing;
pub mod service;
pub mod store;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use error::RateError;

use staymesh_api::rate::v1::{
    pricing_service_server::{PricingServiceServer, SERVICE_NAME as PRICING},
    rate_admin_service_server::{RateAdminServiceServer, SERVICE_NAME as ADMIN},
};
use staymesh_mesh::{Node, node::NodeError};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// The service's own database.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/rate");

/// Serves until `stop`.
///
/// # Errors
/// When the configuration is wrong or an address cannot be listened on. That the database or another service is away
/// is no error: requests are refused until it is back.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    let node = Node::new("rate", config.node, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let hotels = catalog::Hotels::new(mesh.channel("hotel", &config.hotel_url)?);
    let rates = service::Rates::new(node.pool.clone(), hotels);
    let routes = Routes::new(PricingServiceServer::new(grpc::Pricing::new(node.pool.clone())))
        .add_service(RateAdminServiceServer::new(grpc::Admin::new(rates)));
    node.serve(verifier, routes, vec![PRICING, ADMIN], &MIGRATOR).await
}
