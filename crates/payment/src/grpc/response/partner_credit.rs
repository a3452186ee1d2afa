//! The credit of partners and their payments.

use staymesh_api::payment::v1 as proto;
use staymesh_mesh::{
    Problem,
    proto_types::{money, timestamp},
};

use crate::model::{CreditLimit, PartnerPayment};

/// The credit of a partner in one currency.
///
/// # Errors
/// An internal error if what is left is out of range.
pub(in crate::grpc) fn credit_limit(credit: CreditLimit) -> Result<proto::PartnerCreditLimit, Problem> {
    let left = credit.left().map_err(|error| Problem::internal(&error))?;
    Ok(proto::PartnerCreditLimit {
        etag: credit.etag(),
        partner: credit.partner,
        limit: Some(money(credit.limit)),
        used_amount: Some(money(credit.used)),
        left_amount: Some(money(left)),
        is_default: credit.is_default,
    })
}

/// The credit of a partner in all of its currencies.
///
/// # Errors
/// As [`credit_limit`].
pub(in crate::grpc) fn credit_limits(credits: Vec<CreditLimit>) -> Result<Vec<proto::PartnerCreditLimit>, Problem> {
    credits.into_iter().map(credit_limit).collect()
}

/// A payment of a partner.
pub(in crate::grpc) fn payment(payment: PartnerPayment) -> proto::PartnerPayment {
    let PartnerPayment { partner_payment_id, request, create_time } = payment;
    proto::PartnerPayment {
        partner_payment_id: partner_payment_id.to_string(),
        partner: request.partner,
        amount: Some(money(request.amount)),
        reference: request.reference,
        keep_credit: request.keep_credit,
        create_time: Some(timestamp(create_time)),
    }
}
