//! Requests about the credit of partners and their payments.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{FieldErrors, Money, Page, Text, parse_request_id};
use staymesh_mesh::{Problem, proto_types::money_from};
use uuid::Uuid;

use crate::model::NewPartnerPayment;

/// Longest subject of a partner's token, in characters.
pub(super) const MAX_PARTNER: usize = 200;
/// Longest reference of a bank transfer, in characters.
const MAX_REFERENCE: usize = 200;

/// Whether this can be the subject of a partner's token.
pub(super) fn partner_fits(partner: &str) -> bool {
    (1..=MAX_PARTNER).contains(&partner.chars().count()) && !partner.contains('\0')
}

fn check_partner(errors: &mut FieldErrors, partner: &str) {
    errors.holds(partner_fits(partner), "partner", format!("must have 1 to {MAX_PARTNER} characters"));
}

/// The partner whose credit is read.
pub(in crate::grpc) fn list(request: proto::ListPartnerCreditLimitsRequest) -> Result<String, Problem> {
    let mut errors = FieldErrors::default();
    check_partner(&mut errors, &request.partner);
    Ok(errors.complete(Some(request.partner))?)
}

/// The partner and its new limit.
pub(in crate::grpc) fn set(request: &proto::SetPartnerCreditLimitRequest) -> Result<(&str, Money), Problem> {
    let mut errors = FieldErrors::default();
    check_partner(&mut errors, &request.partner);
    let limit = errors.value(money_from(request.limit.as_ref(), "limit"));
    Ok((&request.partner, errors.complete(limit)?))
}

/// The payment to record.
pub(in crate::grpc) fn payment(request: proto::RecordPartnerPaymentRequest) -> Result<NewPartnerPayment, Problem> {
    let mut errors = FieldErrors::default();
    check_partner(&mut errors, &request.partner);
    let amount = errors.value(money_from(request.amount.as_ref(), "amount"));
    errors.holds(amount.is_none_or(|amount| amount.minor() > 0), "amount.amount", "must be more than zero");
    let reference = Text::line(&request.reference, 1..=MAX_REFERENCE).map_err(|error| error.at("reference"));
    let reference = errors.value(reference);
    let request_id = errors.value(parse_request_id(&request.request_id));
    let ((amount, reference), request_id) = errors.complete(amount.zip(reference).zip(request_id))?;
    let (partner, reference, keep_credit) = (request.partner, reference.into_string(), request.keep_credit);
    Ok(NewPartnerPayment { request_id, partner, amount, reference, keep_credit })
}

/// The partner whose payments are listed, and the page.
pub(in crate::grpc) fn payments(request: proto::ListPartnerPaymentsRequest) -> Result<(String, Page<Uuid>), Problem> {
    let mut errors = FieldErrors::default();
    check_partner(&mut errors, &request.partner);
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &[&request.partner]);
    let page = errors.complete(page)?;
    Ok((request.partner, page))
}
