//! The credit of partners and their payments.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::ClientId;
use staymesh_mesh::{
    Problem,
    proto_types::{money, timestamp},
};

use crate::model::{CreditLimit, PartnerPayment};

/// The client id of a partner that rules and tables name by its subject.
///
/// # Errors
/// An internal error if it is the subject of an account, which may not collect.
pub(super) fn client_id(partner: &str) -> Result<String, Problem> {
    ClientId::in_subject(partner).map(str::to_owned).ok_or_else(|| Problem::internal(&"a partner that is no client"))
}

/// The credit of a partner in one currency.
///
/// # Errors
/// An internal error if what is left is out of range, or the partner is no client.
pub(in crate::grpc) fn credit_limit(credit: &CreditLimit) -> Result<proto::PartnerCreditLimit, Problem> {
    let left = credit.left().map_err(|error| Problem::internal(&error))?;
    Ok(proto::PartnerCreditLimit {
        etag: credit.etag(),
        client_id: client_id(&credit.partner)?,
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
pub(in crate::grpc) fn credit_limits(credits: &[CreditLimit]) -> Result<Vec<proto::PartnerCreditLimit>, Problem> {
    credits.iter().map(credit_limit).collect()
}

/// A payment of a partner.
///
/// # Errors
/// An internal error if the partner is no client.
pub(in crate::grpc) fn payment(payment: PartnerPayment) -> Result<proto::PartnerPayment, Problem> {
    let PartnerPayment { partner_payment_id, request, create_time } = payment;
    Ok(proto::PartnerPayment {
        partner_payment_id: partner_payment_id.to_string(),
        client_id: client_id(&request.partner)?,
        amount: Some(money(request.amount)),
        reference: request.reference,
        keep_credit: request.keep_credit,
        create_time: Some(timestamp(create_time)),
    })
}
