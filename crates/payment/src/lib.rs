//! The payment service: payments and refunds of reservations, partner sales, payouts to hotels, and reconciliation.
//!
//! Guests pay on the provider's checkout page, so no card number reaches this service; the provider reports the outcome by
//! signed webhooks. Three mechanisms recover from lost messages: requests are idempotent and reuse the provider's
//! idempotency key; a sweep queries the provider for open payments whose event is missing; and whatever the reservation
//! service or the provider must do goes through the transactional outbox.
//!
//! Hotels are paid after the guests' departure, by a job ([`payouts`]) and the outbox. Every change of money is one
//! transaction together with its postings in the [ledger](staymesh_ledger).
//!
//! Modules: `grpc` (handlers, requests, responses), `service` (rules), `clients` (hotel and reservation service), `model`
//! (data), `store` (SQL), `status_page` (HTML for guests), `reconcile`, `payouts`, `check` (invariants).

pub mod check;
pub mod clients;
pub mod config;
pub mod error;
pub mod fault_points;
pub mod grpc;
pub mod jobs;
pub mod model;
pub mod operator;
pub mod payouts;
pub mod reconcile;
pub mod service;
pub mod status_links;
pub mod status_page;
pub mod store;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use staymesh_api::payment::v1::{
    finance_service_server::{FinanceServiceServer, SERVICE_NAME as FINANCE},
    payment_admin_service_server::{PaymentAdminServiceServer, SERVICE_NAME as ADMIN},
    payment_flow_service_server::{PaymentFlowServiceServer, SERVICE_NAME as FLOW},
    payment_service_server::{PaymentServiceServer, SERVICE_NAME as PUBLIC},
    psp_webhook_service_server::{PspWebhookServiceServer, SERVICE_NAME as WEBHOOK},
    status_page_service_server::{SERVICE_NAME as PAGES, StatusPageServiceServer},
};
use staymesh_mesh::{Node, context::RequestContext, node::NodeError};
use staymesh_psp::AnyPsp;
use staymesh_store::outbox::{RelayOptions, Wake};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use clients::{hotels::GrpcHotelClient, reservations::GrpcReservationClient};
pub use config::Config;
use grpc::{
    FinanceHandler, InternalPaymentHandler, PaymentAdminHandler, PaymentHandler, StatusPageHandler, WebhookHandler,
};
use service::{OutboxDispatcher, PARTNER_SALES_AT_ONCE, PAYOUT_CONCURRENCY, Payments, REFUND_CONCURRENCY};
use status_links::StatusLinks;
use status_page::StatusPages;

/// The migrations of this service's database.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/payment");

/// Delivery attempts that may fail before an event becomes a dead letter: with a backoff of up to five minutes, most of a
/// day. Attempts while the receiver is unavailable do not count.
const MAX_ATTEMPTS: i32 = 200;

/// Serves until `stop`.
///
/// # Errors
/// If the configuration is invalid or the server fails.
pub async fn serve(config: Config, stop: CancellationToken) -> Result<(), NodeError> {
    config.psp.validate().map_err(NodeError::Config)?;
    let psp = AnyPsp::new(&config.psp).map_err(NodeError::Config)?;
    let psp = psp.with_caller_budget(|| RequestContext::current().map(|context| context.remaining()));
    let links = StatusLinks::new(&config.links, config.psp.psp_return_url.clone()).map_err(NodeError::Config)?;
    let node = Node::new("payment", config.node, stop)?;
    let (mesh, verifier) = node.join(&config.client)?;
    let hotels = Arc::new(GrpcHotelClient::new(mesh.channel("hotel", &config.hotel_url)?));
    let payments = Arc::new(Payments {
        pool: node.pool.clone(),
        reservations: Arc::new(GrpcReservationClient::new(mesh.channel("reservation", &config.reservation_url)?)),
        hotels: hotels.clone(),
        psp,
        links,
        wake: Wake::default(),
        check_after: config.payment_check_after,
        page_margin: config.payment_page_margin,
        commission_basis_points: config.commission_basis_points,
        default_credit: config.partner_credit_default,
        partner_sales: Arc::new(Semaphore::new(PARTNER_SALES_AT_ONCE)),
    });
    let concurrency = 2 * REFUND_CONCURRENCY + PAYOUT_CONCURRENCY;
    let options = RelayOptions { concurrency, max_attempts: MAX_ATTEMPTS, ..RelayOptions::default() };
    node.relay_outbox(OutboxDispatcher::new(payments.clone()), payments.wake.clone(), options);
    node.spawn(payments.clone().sweep(node.stop.clone()));
    node.spawn(staymesh_ledger::wallets::fold_periodically(node.pool.clone(), node.stop.clone()));

    let pages = StatusPageHandler::new(StatusPages { payments: payments.clone(), hotels });
    let webhook = WebhookHandler {
        payments: payments.clone(),
        provider: config.psp.psp,
        secrets: config.psp.psp_webhook_secrets,
    };
    let routes = Routes::new(PaymentServiceServer::new(PaymentHandler(payments.clone())))
        .add_service(PaymentAdminServiceServer::new(PaymentAdminHandler(payments.clone())))
        .add_service(FinanceServiceServer::new(FinanceHandler(payments.clone())))
        .add_service(PaymentFlowServiceServer::new(InternalPaymentHandler(payments)))
        .add_service(PspWebhookServiceServer::new(webhook))
        .add_service(StatusPageServiceServer::new(pages));
    node.serve(verifier, routes, vec![PUBLIC, ADMIN, FINANCE, FLOW, WEBHOOK, PAGES], &MIGRATOR).await
}
