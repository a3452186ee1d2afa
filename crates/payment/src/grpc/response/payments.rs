//! Payments.

use staymesh_api::payment::v1 as proto;
use staymesh_mesh::proto_types::{money, timestamp};

use crate::model::{Payment, PaymentMethod, Refund, RefundReason, Status};

/// A payment with those of `refunds` that are its own.
pub(in crate::grpc) fn payment(payment: Payment, refunds: &[Refund]) -> proto::Payment {
    let pending = payment.status == Status::Pending;
    let own = refunds.iter().filter(|refund| refund.payment_id == payment.payment_id);
    proto::Payment {
        payment_id: payment.payment_id.to_string(),
        reservation_id: payment.reservation_id.to_string(),
        amount: Some(money(payment.amount)),
        status: payment_status(payment.status, payment.is_partially_refunded()).into(),
        checkout_url: payment.checkout_url.filter(|_| pending).unwrap_or_default(),
        expire_time: Some(timestamp(payment.expire_time)),
        refunded_amount: Some(money(payment.refunded)),
        create_time: Some(timestamp(payment.create_time)),
        in_review: pending && payment.in_review_since.is_some(),
        update_time: Some(timestamp(payment.update_time)),
        refunds: own.map(refund).collect(),
        revision: payment.revision,
        method: method(payment.method).into(),
        desk_reference: payment.desk_reference.unwrap_or_default(),
    }
}

fn refund(refund: &Refund) -> proto::Refund {
    let status = if refund.succeeded() { proto::RefundStatus::Succeeded } else { proto::RefundStatus::Requested };
    let reason = match refund.reason {
        RefundReason::Cancellation => proto::RefundReason::Cancellation,
        RefundReason::RoomsGone => proto::RefundReason::RoomsGone,
        RefundReason::Requested => proto::RefundReason::Requested,
        RefundReason::Change { .. } => proto::RefundReason::Change,
    };
    proto::Refund {
        refund_id: refund.refund_id.to_string(),
        amount: Some(money(refund.amount)),
        status: status.into(),
        reason: reason.into(),
        goodwill: refund.goodwill,
        create_time: Some(timestamp(refund.create_time)),
        succeed_time: refund.succeed_time.map(timestamp),
        desk_reference: refund.desk_reference.clone().unwrap_or_default(),
    }
}

const fn method(method: PaymentMethod) -> proto::PaymentMethod {
    match method {
        PaymentMethod::Provider => proto::PaymentMethod::Provider,
        PaymentMethod::Cash => proto::PaymentMethod::Cash,
        PaymentMethod::CardTerminal => proto::PaymentMethod::CardTerminal,
    }
}

/// The status of a payment, of which less than the whole may be refunded.
const fn payment_status(status: Status, in_part: bool) -> proto::PaymentStatus {
    match status {
        Status::Pending => proto::PaymentStatus::Pending,
        Status::Paid => proto::PaymentStatus::Paid,
        Status::Failed => proto::PaymentStatus::Failed,
        Status::Expired => proto::PaymentStatus::Expired,
        Status::Refunding => proto::PaymentStatus::Refunding,
        Status::Refunded if in_part => proto::PaymentStatus::PartiallyRefunded,
        Status::Refunded => proto::PaymentStatus::Refunded,
    }
}
