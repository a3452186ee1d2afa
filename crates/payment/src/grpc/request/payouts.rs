//! Requests about payouts.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{FieldError, FieldErrors, HotelId, Page};
use staymesh_mesh::Problem;
use uuid::Uuid;

/// Longest id of a hotel's account at the payment provider, in bytes.
const MAX_DESTINATION: usize = 200;

/// The hotel and the page.
pub(in crate::grpc) fn list(request: &proto::ListPayoutsRequest) -> Result<(HotelId, Page<Uuid>), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
    let filters = [&*request.hotel_id.to_string()];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    Ok(errors.complete(hotel_id.zip(page))?)
}

/// The id of a payout.
pub(in crate::grpc) fn id(request: &proto::GetPayoutRequest) -> Result<Uuid, Problem> {
    let mut errors = FieldErrors::default();
    let payout_id = errors.value(parse_id(&request.payout_id));
    Ok(errors.complete(payout_id)?)
}

/// The payout and the page of its lines.
pub(in crate::grpc) fn lines(request: &proto::ListPayoutLinesRequest) -> Result<(Uuid, Page<i32>), Problem> {
    let mut errors = FieldErrors::default();
    let payout_id = errors.value(parse_id(&request.payout_id));
    let filters = [&*payout_id.unwrap_or_default().to_string()];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    Ok(errors.complete(payout_id.zip(page))?)
}

/// Only the hyphenated notation: braces, URNs and bare digits are rejected, so that a payout has one name.
fn parse_id(text: &str) -> Result<Uuid, FieldError> {
    let payout_id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    payout_id.ok_or_else(|| FieldError::new("payout_id", "must be a UUID"))
}

/// The hotel and its account at the payment provider.
pub(in crate::grpc) fn destination(request: &proto::SetPayoutDestinationRequest) -> Result<(HotelId, &str), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
    let text = request.destination.as_str();
    let fits = (1..=MAX_DESTINATION).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    errors.holds(fits, "destination", format!("must be 1 to {MAX_DESTINATION} visible ASCII characters"));
    Ok((errors.complete(hotel_id)?, text))
}
