//! Requests about the credit of partners and their payments.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{ClientId, Currency, FieldErrors, Money, Page, Text, parse_request_id};
use staymesh_mesh::{Problem, proto_types::money_from};
use uuid::Uuid;

use crate::model::NewPartnerPayment;

/// Longest reference of a bank transfer, in characters.
const MAX_REFERENCE: usize = 200;

/// The subject of the partner with this client id. Rules and tables name a partner by its subject.
pub(super) fn partner(errors: &mut FieldErrors, client_id: &str) -> Option<String> {
    errors.value(client_id.parse::<ClientId>()).map(|id| id.subject())
}

/// The partner whose credit is read, and the page.
pub(in crate::grpc) fn list(
    request: &proto::ListPartnerCreditLimitsRequest,
) -> Result<(String, Page<String>), Problem> {
    let mut errors = FieldErrors::default();
    let partner = partner(&mut errors, &request.client_id);
    let page = currencies(&mut errors, request.page_size, &request.page_token, &request.client_id);
    Ok(errors.complete(partner.zip(page))?)
}

/// The page of the caller's own credit.
pub(in crate::grpc) fn own(subject: &str, request: &proto::ListCreditLimitsRequest) -> Result<Page<String>, Problem> {
    let mut errors = FieldErrors::default();
    let page = currencies(&mut errors, request.page_size, &request.page_token, subject);
    Ok(errors.complete(page)?)
}

/// A page of currencies by code. Page tokens are not signed: a forged code must not reach the database.
fn currencies(errors: &mut FieldErrors, page_size: i32, page_token: &str, partner: &str) -> Option<Page<String>> {
    let page = Page::<String>::collect(errors, page_size, page_token, &[partner])?;
    let known = page.after.as_ref().is_none_or(|code| code.parse::<Currency>().is_ok());
    errors.holds(known, "page_token", "is not one of this list");
    known.then_some(page)
}

/// The partner and its new limit.
pub(in crate::grpc) fn set(request: &proto::SetPartnerCreditLimitRequest) -> Result<(String, Money), Problem> {
    let mut errors = FieldErrors::default();
    let partner = partner(&mut errors, &request.client_id);
    let limit = errors.value(money_from(request.limit.as_ref(), "limit"));
    Ok(errors.complete(partner.zip(limit))?)
}

/// The payment to record.
pub(in crate::grpc) fn payment(request: &proto::RecordPartnerPaymentRequest) -> Result<NewPartnerPayment, Problem> {
    let mut errors = FieldErrors::default();
    let partner = partner(&mut errors, &request.client_id);
    let amount = errors.value(money_from(request.amount.as_ref(), "amount"));
    errors.holds(amount.is_none_or(|amount| amount.minor() > 0), "amount.amount", "must be more than zero");
    let reference = Text::line(&request.reference, 1..=MAX_REFERENCE).map_err(|error| error.at("reference"));
    let reference = errors.value(reference);
    let request_id = errors.value(parse_request_id(&request.request_id));
    let what = partner.zip(amount).zip(reference).zip(request_id);
    let (((partner, amount), reference), request_id) = errors.complete(what)?;
    let (reference, keep_credit) = (reference.into_string(), request.keep_credit);
    Ok(NewPartnerPayment { request_id, partner, amount, reference, keep_credit })
}

/// The partner whose payments are listed, and the page.
pub(in crate::grpc) fn payments(request: &proto::ListPartnerPaymentsRequest) -> Result<(String, Page<Uuid>), Problem> {
    let mut errors = FieldErrors::default();
    let partner = partner(&mut errors, &request.client_id);
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &[&request.client_id]);
    Ok(errors.complete(partner.zip(page))?)
}
