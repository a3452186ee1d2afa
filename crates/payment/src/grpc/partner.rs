//! Partners' sales on the wire.

use jiff::civil::Date;
use staymesh_api::payment::v1 as proto;
use staymesh_domain::{DateRangeError, FieldError, FieldErrors, Page, ReservationId, format_date, parse_date};
use staymesh_mesh::{
    Problem,
    proto_types::{money, money_from, timestamp},
};

use crate::{
    model::{PartnerSale, PartnerTerms},
    service::InvoiceCursor,
};

/// Longest subject of a token that is kept, in characters.
const MAX_PARTNER: usize = 200;

/// A sale as callers see it.
pub(super) fn shown(sale: PartnerSale) -> Result<proto::PartnerSale, Problem> {
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

/// What is recorded, with all that is wrong with it.
pub(super) fn recorded(request: &proto::RecordPartnerSaleRequest) -> Result<(ReservationId, PartnerTerms), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    let terms = match &request.terms {
        Some(terms) => read_terms(&mut errors, terms, "terms"),
        None => errors.value(Err(FieldError::new("terms", "is required"))),
    };
    match (id, terms) {
        (Some(id), Some(terms)) if errors.is_empty() => Ok((id, terms)),
        _ => Err(refused(errors)),
    }
}

/// The terms, if nothing is wrong with them. Amounts on the wire are not negative.
pub(super) fn read_terms(
    errors: &mut FieldErrors,
    terms: &proto::PartnerSaleTerms,
    field: &str,
) -> Option<PartnerTerms> {
    let at = |name: &str| format!("{field}.{name}");
    let partner_fits = (1..=MAX_PARTNER).contains(&terms.partner.chars().count()) && !terms.partner.contains('\0');
    errors.holds(partner_fits, at("partner"), format!("must have 1 to {MAX_PARTNER} characters"));
    let amount = errors.value(money_from(terms.amount.as_ref(), &at("amount")));
    let taxes = errors.value(money_from(terms.taxes.as_ref(), &at("taxes")));
    let check_out =
        errors.value(parse_date(&terms.check_out).map_err(|e| FieldError::new(at("check_out"), e.to_string())));
    let (amount, taxes, check_out) = (amount?, taxes?, check_out?);
    let mut fits = partner_fits;
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
    fits.then(|| PartnerTerms { partner: terms.partner.clone(), amount, taxes, check_out })
}

/// Which lines of an invoice are asked for.
pub(super) struct Wanted {
    pub(super) partner: String,
    pub(super) days: (Option<Date>, Option<Date>),
    pub(super) page: Page<InvoiceCursor>,
}

pub(super) fn wanted(request: proto::ListPartnerSalesRequest) -> Result<Wanted, Problem> {
    let mut errors = FieldErrors::default();
    let partner_fits = (1..=MAX_PARTNER).contains(&request.partner.chars().count()) && !request.partner.contains('\0');
    errors.holds(partner_fits, "partner", format!("must have 1 to {MAX_PARTNER} characters"));
    let range = |error: DateRangeError| error.at("from_date", "until_date");
    let from = errors.value(day(&request.from_date).map_err(|error| range(DateRangeError::From(error))));
    let until = errors.value(day(&request.until_date).map_err(|error| range(DateRangeError::Until(error))));
    let filters = [request.partner.as_str(), &request.from_date, &request.until_date];
    let page = errors.value(Page::parse(request.page_size, &request.page_token, &filters));
    let (Some(from), Some(until), Some(page)) = (from, until, page) else { return Err(refused(errors)) };
    let in_order = from.zip(until).is_none_or(|(from, until)| from < until);
    errors.holds(in_order, "until_date", "must be after from_date");
    if !errors.is_empty() {
        return Err(refused(errors));
    }
    Ok(Wanted { partner: request.partner, days: (from, until), page })
}

/// None for an empty text: no end on that side.
fn day(text: &str) -> Result<Option<Date>, staymesh_domain::DateError> {
    if text.is_empty() { Ok(None) } else { parse_date(text).map(Some) }
}

pub(super) fn refused(errors: FieldErrors) -> Problem {
    Problem::fields(errors.into_iter().map(|error| (error.field, error.description)))
}
