//! Domain values to messages.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::format_date;
use staymesh_mesh::{
    Problem,
    proto_types::{money, timestamp},
};

use crate::model::{PartnerSale, Payment, Status};

/// A payment. The link to its status page is left empty: it is for the owner alone.
pub(super) fn payment(payment: Payment) -> proto::Payment {
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

pub(super) const fn payment_status(status: Status) -> proto::PaymentStatus {
    match status {
        Status::Pending => proto::PaymentStatus::Pending,
        Status::Paid => proto::PaymentStatus::Paid,
        Status::Failed => proto::PaymentStatus::Failed,
        Status::Expired => proto::PaymentStatus::Expired,
        Status::Refunding => proto::PaymentStatus::Refunding,
        Status::Refunded => proto::PaymentStatus::Refunded,
    }
}

/// A line of a partner's invoice.
///
/// # Errors
/// An internal error if the owed amount cannot be computed, which the constraints of the database exclude.
pub(super) fn partner_sale(sale: PartnerSale) -> Result<proto::PartnerSale, Problem> {
    let owed = sale.owed().map_err(|error| Problem::internal(&error))?;
    Ok(proto::PartnerSale {
        reservation_id: sale.reservation_id.to_string(),
        hotel_id: sale.reservation_id.hotel_id().get(),
        commission: Some(money(sale.commission())),
        owed_amount: Some(money(owed)),
        partner: sale.terms.partner,
        amount: Some(money(sale.terms.amount)),
        taxes: Some(money(sale.terms.taxes)),
        credited_amount: Some(money(sale.credited)),
        check_out: format_date(sale.terms.check_out),
        create_time: Some(timestamp(sale.create_time)),
        cancel_time: sale.cancel_time.map(timestamp),
    })
}
