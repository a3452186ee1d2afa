//! Requests about payouts.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::{FieldError, HotelId, Page};
use uuid::Uuid;

/// Longest id of a hotel's account at the payment provider, in bytes.
const MAX_DESTINATION: usize = 200;

/// The hotel and the page.
pub(in crate::grpc) fn list(request: &proto::ListPayOutsRequest) -> Result<(HotelId, Page<Uuid>), FieldError> {
    let hotel_id = HotelId::try_from(request.hotel_id)?;
    let page = Page::parse(request.page_size, &request.page_token, &[&hotel_id.get().to_string()])?;
    Ok((hotel_id, page))
}

/// The hotel, the payout and the page of its lines.
pub(in crate::grpc) fn statement(
    request: &proto::GetPayOutStatementRequest,
) -> Result<(HotelId, Uuid, Page<i32>), FieldError> {
    let hotel_id = HotelId::try_from(request.hotel_id)?;
    // Only the hyphenated notation: braces, URNs and bare digits are rejected, so that a payout has one name.
    let payout_id = Uuid::try_parse(&request.payout_id).ok().filter(|_| request.payout_id.len() == 36);
    let payout_id = payout_id.ok_or_else(|| FieldError::new("payout_id", "must be a UUID"))?;
    let page = Page::parse(request.page_size, &request.page_token, &[&payout_id.to_string()])?;
    Ok((hotel_id, payout_id, page))
}

/// The hotel and its account at the payment provider.
pub(in crate::grpc) fn destination(
    request: &proto::SetPayOutDestinationRequest,
) -> Result<(HotelId, &str), FieldError> {
    let hotel_id = HotelId::try_from(request.hotel_id)?;
    let text = request.destination.as_str();
    if (1..=MAX_DESTINATION).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok((hotel_id, text));
    }
    let problem = format!("must be 1 to {MAX_DESTINATION} visible ASCII characters");
    Err(FieldError::new("destination", problem))
}
