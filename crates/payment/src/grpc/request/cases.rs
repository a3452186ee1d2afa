//! Requests about reconciliation cases.

use staymesh_api::payment::v1::{self as proto, ListReconciliationCasesRequest};
use staymesh_domain::{FieldError, Page, parse_date};
use uuid::Uuid;

use crate::{
    grpc::response::cases::{class, state},
    reconcile::model::{CaseFilter, Class, State},
};

/// The id of a case, in any notation of a UUID.
pub(in crate::grpc) fn case_id(text: &str) -> Result<Uuid, FieldError> {
    text.parse().map_err(|_| FieldError::new("case_id", "must be a UUID"))
}

/// The filter and the page of a list request. An unspecified state or class, and an empty day, do not filter.
pub(in crate::grpc) fn list(request: &ListReconciliationCasesRequest) -> Result<(CaseFilter, Page<Uuid>), FieldError> {
    let wanted =
        proto::CaseState::try_from(request.state).map_err(|_| FieldError::new("state", "is not a known state"))?;
    let state = State::ALL.iter().copied().find(|known| state(*known) == wanted);
    let wanted =
        proto::CaseClass::try_from(request.class).map_err(|_| FieldError::new("class", "is not a known class"))?;
    let class = Class::ALL.iter().copied().find(|known| class(*known) == wanted);
    let day = match request.day.as_str() {
        "" => None,
        day => Some(parse_date(day).map_err(|error| FieldError::new("day", error.to_string()))?),
    };
    let filters = [request.state.to_string(), request.class.to_string(), request.day.clone()];
    let page = Page::parse(request.page_size, &request.page_token, &[&filters[0], &filters[1], &filters[2]])?;
    Ok((CaseFilter { state, class, day }, page))
}
