//! Proto in, domain out, domain error to status. No rules here.

mod admin;
mod finance;
mod flow;
mod partner;
mod payouts;
mod public;
mod status_page;
mod webhook;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use staymesh_api::payment::v1 as proto;
use staymesh_mesh::proto_types::{money, timestamp};

pub use status_page::StatusPage;
pub use webhook::Webhook;

use crate::{
    model::{Payment, Status},
    service::Payments,
};
use staymesh_domain::FieldError;

/// The payment service, its administration and its mesh side.
pub struct Grpc<R, P>(pub Arc<Payments<R, P>>);

impl<R, P> Clone for Grpc<R, P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A payment as callers see it.
fn shown(payment: Payment) -> proto::Payment {
    let open = payment.status == Status::Pending;
    proto::Payment {
        payment_id: payment.payment_id.to_string(),
        reservation_id: payment.reservation_id.to_string(),
        amount: Some(money(payment.amount)),
        status: status(payment.status).into(),
        checkout_url: payment.checkout_url.filter(|_| open).unwrap_or_default(),
        expire_time: Some(timestamp(payment.expire_time)),
        refunded_amount: Some(money(payment.refunded)),
        create_time: Some(timestamp(payment.create_time)),
        in_review: open && payment.in_review_since.is_some(),
        update_time: Some(timestamp(payment.update_time)),
        // For the one who booked; see there.
        status_url: String::new(),
    }
}

fn status(status: Status) -> proto::PaymentStatus {
    match status {
        Status::Pending => proto::PaymentStatus::Pending,
        Status::Paid => proto::PaymentStatus::Paid,
        Status::Failed => proto::PaymentStatus::Failed,
        Status::Expired => proto::PaymentStatus::Expired,
        Status::Refunding => proto::PaymentStatus::Refunding,
        Status::Refunded => proto::PaymentStatus::Refunded,
    }
}

/// The status to filter by; none for the unset one.
fn status_filter(number: i32) -> Result<Option<Status>, FieldError> {
    let wanted =
        proto::PaymentStatus::try_from(number).map_err(|_| FieldError::new("status", "is not a known status"))?;
    Ok(Status::ALL.into_iter().find(|candidate| status(*candidate) == wanted))
}
