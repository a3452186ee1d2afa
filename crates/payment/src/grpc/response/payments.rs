//! Payments.

use staymesh_api::payment::v1 as proto;
use staymesh_mesh::proto_types::{money, timestamp};

use crate::model::{Payment, Status};

/// A payment. The link to its status page is left empty: it is for the owner alone.
pub(in crate::grpc) fn payment(payment: Payment) -> proto::Payment {
    let pending = payment.status == Status::Pending;
    proto::Payment {
        payment_id: payment.payment_id.to_string(),
        reservation_id: payment.reservation_id.to_string(),
        amount: Some(money(payment.amount)),
        status: payment_status(payment.status).into(),
        checkout_url: payment.checkout_url.filter(|_| pending).unwrap_or_default(),
        expire_time: Some(timestamp(payment.expire_time)),
        refunded_amount: Some(money(payment.refunded)),
        create_time: Some(timestamp(payment.create_time)),
        in_review: pending && payment.in_review_since.is_some(),
        update_time: Some(timestamp(payment.update_time)),
        status_url: String::new(),
    }
}

/// The status of a payment.
pub(in crate::grpc) const fn payment_status(status: Status) -> proto::PaymentStatus {
    match status {
        Status::Pending => proto::PaymentStatus::Pending,
        Status::Paid => proto::PaymentStatus::Paid,
        Status::Failed => proto::PaymentStatus::Failed,
        Status::Expired => proto::PaymentStatus::Expired,
        Status::Refunding => proto::PaymentStatus::Refunding,
        Status::Refunded => proto::PaymentStatus::Refunded,
    }
}
