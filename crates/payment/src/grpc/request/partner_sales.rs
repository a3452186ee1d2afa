//! Requests about partner sales.

use jiff::civil::Date;
use staymesh_api::payment::v1 as proto;
use staymesh_domain::{ClientId, DateRangeError, FieldError, FieldErrors, Page, ReservationId, parse_date};
use staymesh_mesh::{Problem, proto_types::money_from};

use super::partner_credit;
use crate::{
    model::{PartnerTerms, Settlement},
    service::InvoiceCursor,
};

/// The reservation, the terms of its sale, and whether the credit limit decides.
pub(in crate::grpc) fn record(
    request: &proto::RecordPartnerSaleRequest,
) -> Result<(ReservationId, PartnerTerms, bool), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    let terms = match &request.terms {
        Some(terms) => terms_of(&mut errors, terms, "terms"),
        None => errors.value(Err(FieldError::new("terms", "is required"))),
    };
    let (id, terms) = errors.complete(id.zip(terms))?;
    Ok((id, terms, request.enforce_credit_limit))
}

/// The terms, or `None` after adding what is invalid to `errors`. Amounts of messages are never negative.
pub(super) fn terms_of(errors: &mut FieldErrors, terms: &proto::PartnerSaleTerms, field: &str) -> Option<PartnerTerms> {
    let at = |name: &str| format!("{field}.{name}");
    let partner = errors.value(debtor(terms).map_err(|error| error.under(field)));
    let amount = errors.value(money_from(terms.amount.as_ref(), &at("amount")));
    let taxes = errors.value(money_from(terms.taxes.as_ref(), &at("taxes")));
    let check_out =
        errors.value(parse_date(&terms.check_out).map_err(|e| FieldError::new(at("check_out"), e.to_string())));
    let (amount, taxes, check_out) = (amount?, taxes?, check_out?);
    let mut fits = true;
    let mut holds = |holds: bool, name: &str, description: &str| {
        errors.holds(holds, at(name), description);
        fits &= holds;
    };
    holds(amount.minor() > 0, "amount.amount", "must be more than zero");
    if taxes.currency() == amount.currency() {
        let within = taxes.minor() <= amount.minor();
        holds(within, "taxes.amount", "must not be more than the amount");
    } else {
        holds(false, "taxes.currency_code", "must be that of the amount");
    }
    partner.filter(|_| fits).map(|partner| PartnerTerms { partner, amount, taxes, check_out })
}

/// The subject of the partner that owes the sale. The release before this one sends the subject instead of the client id.
fn debtor(terms: &proto::PartnerSaleTerms) -> Result<String, FieldError> {
    let client_id = match terms.client_id.as_str() {
        "" => ClientId::in_subject(&terms.partner).unwrap_or_default(),
        id => id,
    };
    client_id.parse::<ClientId>().map(|id| id.subject())
}

/// The reservation that ended, its settlement, and the terms of its sale if a partner collects.
pub(in crate::grpc) fn settle(
    request: &proto::SettleCancellationRequest,
) -> Result<(ReservationId, Settlement, Option<PartnerTerms>), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    let refund = errors.value(money_from(request.refund.as_ref(), "refund"));
    let terms = request.partner_sale.as_ref().and_then(|terms| terms_of(&mut errors, terms, "partner_sale"));
    let (id, refund) = errors.complete(id.zip(refund))?;
    Ok((id, Settlement { refund, hold_expired: request.hold_expired }, terms))
}

/// Selection of invoice lines.
pub(in crate::grpc) struct InvoiceQuery {
    /// Subject of the partner's token.
    pub(in crate::grpc) partner: String,
    /// Departures on or after the first day and before the second.
    pub(in crate::grpc) days: (Option<Date>, Option<Date>),
    pub(in crate::grpc) page: Page<InvoiceCursor>,
}

/// The selection of a list request.
pub(in crate::grpc) fn list(request: proto::ListPartnerSalesRequest) -> Result<InvoiceQuery, Problem> {
    let mut errors = FieldErrors::default();
    let partner = partner_credit::partner(&mut errors, &request.client_id);
    let proto::ListPartnerSalesRequest { client_id: _, from_date, until_date, page_size, page_token } = request;
    let lines = proto::ListInvoiceLinesRequest { from_date, until_date, page_size, page_token };
    invoice(errors, partner, &lines)
}

/// The selection of the lines of the caller's own invoice.
pub(in crate::grpc) fn own(subject: String, request: &proto::ListInvoiceLinesRequest) -> Result<InvoiceQuery, Problem> {
    invoice(FieldErrors::default(), Some(subject), request)
}

fn invoice(
    mut errors: FieldErrors,
    partner: Option<String>,
    request: &proto::ListInvoiceLinesRequest,
) -> Result<InvoiceQuery, Problem> {
    let range = |error: DateRangeError| error.at("from_date", "until_date");
    let from = errors.value(day(&request.from_date).map_err(|error| range(DateRangeError::From(error))));
    let until = errors.value(day(&request.until_date).map_err(|error| range(DateRangeError::Until(error))));
    let filters = [partner.as_deref().unwrap_or_default(), &request.from_date, &request.until_date];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    let in_order = from.flatten().zip(until.flatten()).is_none_or(|(from, until)| from < until);
    errors.holds(in_order, "until_date", "must be after from_date");
    let (((from, until), page), partner) = errors.complete(from.zip(until).zip(page).zip(partner))?;
    Ok(InvoiceQuery { partner, days: (from, until), page })
}

/// `None` for an empty text: the range has no bound on that side.
fn day(text: &str) -> Result<Option<Date>, staymesh_domain::DateError> {
    if text.is_empty() { Ok(None) } else { parse_date(text).map(Some) }
}
