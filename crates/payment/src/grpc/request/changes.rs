//! Requests about changes of a reservation.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{FieldError, FieldErrors, ReservationId};
use staymesh_mesh::{Problem, proto_types::money_from};

use super::partner_sales::terms_of;
use crate::model::{BOOKING, ChangeSettlement, PartnerTerms};

/// The reservation, the revision, the terms of the sale after the change, and whether the credit limit decides.
pub(in crate::grpc) fn amend(
    request: &proto::AmendPartnerSaleRequest,
) -> Result<(ReservationId, i32, PartnerTerms, bool), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    let revision = errors.value(of_change(request.revision));
    let terms = match &request.terms {
        Some(terms) => terms_of(&mut errors, terms, "terms"),
        None => errors.value(Err(FieldError::new("terms", "is required"))),
    };
    let ((id, revision), terms) = errors.complete(id.zip(revision).zip(terms))?;
    Ok((id, revision, terms, request.enforce_credit_limit))
}

/// The reservation and the change that was applied or dropped. The terms of a dropped one say nothing: the sale is as it
/// was.
pub(in crate::grpc) fn settle(
    request: &proto::SettleChangeRequest,
) -> Result<(ReservationId, ChangeSettlement), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(request.reservation_id.parse::<ReservationId>());
    let revision = errors.value(of_change(request.revision));
    let refund = errors.value(money_from(request.refund.as_ref(), "refund"));
    let dropped = request.dropped;
    let gives_back = refund.is_some_and(|refund| refund.minor() > 0);
    errors.holds(!(dropped && gives_back), "refund.amount", "must be zero if the change was dropped");
    let terms = request.partner_sale.as_ref().filter(|_| !dropped);
    let sale = terms.and_then(|terms| terms_of(&mut errors, terms, "partner_sale"));
    let ((id, revision), refund) = errors.complete(id.zip(revision).zip(refund))?;
    Ok((id, ChangeSettlement { revision, refund, sale, dropped }))
}

/// The revision that a change makes.
fn of_change(revision: i32) -> Result<i32, FieldError> {
    if revision > BOOKING { Ok(revision) } else { Err(FieldError::new("revision", "must be more than 1")) }
}
