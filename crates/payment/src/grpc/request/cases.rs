//! Requests about reconciliation cases.

use staymesh_api::payment::v1::{self as proto, ListReconciliationCasesRequest};
use staymesh_domain::{FieldError, FieldErrors, Page, Text, parse_date};
use staymesh_mesh::Problem;
use uuid::Uuid;

use crate::{
    grpc::response::cases::{kind, state},
    reconcile::model::{CaseFilter, CaseKind, State},
};

/// Longest owner and longest note, in characters. The database has the same limits.
const MAX_OWNER: usize = 200;
const MAX_NOTE: usize = 2000;

/// The id of a case, in any notation of a UUID.
pub(in crate::grpc) fn case_id(text: &str) -> Result<Uuid, FieldError> {
    text.parse().map_err(|_| FieldError::new("case_id", "must be a UUID"))
}

/// The case to assign, and its owner.
pub(in crate::grpc) fn assign(request: &proto::AssignCaseRequest) -> Result<(Uuid, Text), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(case_id(&request.case_id));
    let owner = errors.value(Text::line(&request.owner, 1..=MAX_OWNER).map_err(|error| error.at("owner")));
    Ok(errors.complete(id.zip(owner))?)
}

/// The case to resolve, and the note on what was done.
pub(in crate::grpc) fn resolve(request: &proto::ResolveCaseRequest) -> Result<(Uuid, Text), Problem> {
    let mut errors = FieldErrors::default();
    let id = errors.value(case_id(&request.case_id));
    let note = errors.value(Text::prose(&request.note, 1..=MAX_NOTE).map_err(|error| error.at("note")));
    Ok(errors.complete(id.zip(note))?)
}

/// The filter and the page of a list request. An unspecified state or kind, and an empty day, do not filter.
pub(in crate::grpc) fn list(request: &ListReconciliationCasesRequest) -> Result<(CaseFilter, Page<Uuid>), Problem> {
    let mut errors = FieldErrors::default();
    let wanted = proto::CaseState::try_from(request.state).ok();
    errors.holds(wanted.is_some(), "state", "is not a known state");
    let state = State::ALL.iter().copied().find(|known| Some(state(*known)) == wanted);
    let wanted = proto::CaseKind::try_from(request.kind).ok();
    errors.holds(wanted.is_some(), "kind", "is not a known kind");
    let kind = CaseKind::ALL.iter().copied().find(|known| Some(kind(*known)) == wanted);
    let day = match request.day.as_str() {
        "" => None,
        day => errors.value(parse_date(day).map_err(|error| FieldError::new("day", error.to_string()))),
    };
    let filters = [&*request.state.to_string(), &*request.kind.to_string(), &*request.day];
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &filters);
    Ok((CaseFilter { state, kind, day }, errors.complete(page)?))
}
