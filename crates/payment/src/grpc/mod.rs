//! gRPC handlers, one per service. `request` parses messages into domain values, `response` renders domain values into
//! messages; neither contains rules.

mod finance;
mod payment;
mod payment_admin;
mod payment_internal;
mod request;
mod response;
mod status_page;
mod webhook;

#[cfg(test)]
mod tests;

pub(crate) use finance::FinanceHandler;
pub(crate) use payment::PaymentHandler;
pub(crate) use payment_admin::PaymentAdminHandler;
pub(crate) use payment_internal::InternalPaymentHandler;
pub(crate) use status_page::StatusPageHandler;
pub(crate) use webhook::WebhookHandler;
