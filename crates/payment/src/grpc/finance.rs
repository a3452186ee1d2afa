//! The handlers of `FinanceService`: cases of the reconciliation.

use staymesh_api::payment::v1::{
    self as proto, AssignCaseRequest, AssignCaseResponse, GetReconciliationCaseRequest, GetReconciliationCaseResponse,
    ListReconciliationCasesRequest, ListReconciliationCasesResponse, ReplayCaseRequest, ReplayCaseResponse,
    ResolveCaseRequest, ResolveCaseResponse, finance_service_server::FinanceService,
};
use staymesh_api::r#type::v1::Money as ProtoMoney;
use staymesh_domain::{Currency, FieldError, Money, Page, parse_date};
use staymesh_mesh::{
    Caller,
    proto_types::{money, timestamp},
};
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    error::PaymentError,
    reconcile::{
        cases,
        model::{Case, CaseFilter, Class, Resolution, State, Subject, Sum},
    },
};

/// Handler of `FinanceService`.
pub(crate) struct FinanceHandler<P>(pub(crate) std::sync::Arc<crate::service::Payments<P>>);

#[tonic::async_trait]
impl<P: Psp> FinanceService for FinanceHandler<P> {
    async fn list_reconciliation_cases(
        &self,
        request: Request<ListReconciliationCasesRequest>,
    ) -> Result<Response<ListReconciliationCasesResponse>, Status> {
        let request = request.into_inner();
        let (filter, page) = parse_list(&request).map_err(PaymentError::from)?;
        let (cases, next_page_token) = cases::list(&self.0.pool, filter, &page).await?;
        let cases = cases.into_iter().map(to_proto).collect();
        Ok(Response::new(ListReconciliationCasesResponse { cases, next_page_token }))
    }

    async fn get_reconciliation_case(
        &self,
        request: Request<GetReconciliationCaseRequest>,
    ) -> Result<Response<GetReconciliationCaseResponse>, Status> {
        let case = cases::get(&self.0.pool, case_id(&request.get_ref().case_id)?).await?;
        Ok(Response::new(GetReconciliationCaseResponse { reconciliation_case: Some(to_proto(case)) }))
    }

    async fn assign_case(&self, request: Request<AssignCaseRequest>) -> Result<Response<AssignCaseResponse>, Status> {
        let AssignCaseRequest { case_id: id, owner, etag } = request.into_inner();
        let case = cases::assign(&self.0.pool, case_id(&id)?, &owner, &etag).await?;
        Ok(Response::new(AssignCaseResponse { reconciliation_case: Some(to_proto(case)) }))
    }

    async fn resolve_case(
        &self,
        request: Request<ResolveCaseRequest>,
    ) -> Result<Response<ResolveCaseResponse>, Status> {
        let caller = Caller::required(&request)?.subject.clone();
        let ResolveCaseRequest { case_id: id, note, etag } = request.into_inner();
        let case = cases::resolve(&self.0.pool, case_id(&id)?, &caller, &note, &etag).await?;
        Ok(Response::new(ResolveCaseResponse { reconciliation_case: Some(to_proto(case)) }))
    }

    async fn replay_case(&self, request: Request<ReplayCaseRequest>) -> Result<Response<ReplayCaseResponse>, Status> {
        let case = self.0.replay_case(case_id(&request.get_ref().case_id)?).await?;
        Ok(Response::new(ReplayCaseResponse { reconciliation_case: Some(to_proto(case)) }))
    }
}

fn case_id(text: &str) -> Result<Uuid, PaymentError> {
    text.parse().map_err(|_| FieldError::new("case_id", "must be a UUID").into())
}

fn parse_list(request: &ListReconciliationCasesRequest) -> Result<(CaseFilter, Page<Uuid>), FieldError> {
    let wanted = proto::CaseState::try_from(request.state);
    let wanted = wanted.map_err(|_| FieldError::new("state", "is not a known state"))?;
    let state = State::ALL.iter().copied().find(|known| state(*known) == wanted);
    let wanted = proto::CaseClass::try_from(request.class);
    let wanted = wanted.map_err(|_| FieldError::new("class", "is not a known class"))?;
    let class = Class::ALL.iter().copied().find(|known| class(*known) == wanted);
    let day = match request.day.as_str() {
        "" => None,
        day => Some(parse_date(day).map_err(|error| FieldError::new("day", error.to_string()))?),
    };
    let filters = [request.state.to_string(), request.class.to_string(), request.day.clone()];
    let page = Page::parse(request.page_size, &request.page_token, &[&filters[0], &filters[1], &filters[2]])?;
    Ok((CaseFilter { state, class, day }, page))
}

/// The case in the contract.
fn to_proto(case: Case) -> proto::ReconciliationCase {
    let (can_replay, etag) = (case.can_replay(), case.etag());
    let finding = case.finding;
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    proto::ReconciliationCase {
        case_id: case.case_id.to_string(),
        day: finding.day.to_string(),
        class: class(finding.class).into(),
        subject: subject(finding.subject).into(),
        subject_id: finding.subject_id,
        psp_id: finding.psp_id.unwrap_or_default(),
        payment_id: id(finding.payment_id),
        reservation_id: id(finding.reservation_id),
        expected_amount: finding.expected.map(amount),
        found_amount: finding.found.map(amount),
        detail: finding.detail,
        state: state(case.state).into(),
        owner: case.owner.unwrap_or_default(),
        note: case.note,
        resolution: resolution(case.resolution).into(),
        can_replay,
        create_time: Some(timestamp(case.create_time)),
        find_time: Some(timestamp(case.find_time)),
        update_time: Some(timestamp(case.update_time)),
        replay_time: case.replay_time.map(timestamp),
        etag,
    }
}

/// An amount in the decimals of its currency. One that is no valid [`Money`], such as one in an unknown currency, is in
/// minor units.
fn amount((minor, code): Sum) -> ProtoMoney {
    let known = code.parse::<Currency>().ok().and_then(|currency| Money::from_minor(minor, currency).ok());
    known.map_or_else(|| ProtoMoney { currency_code: code, amount: minor.to_string() }, money)
}

const fn class(class: Class) -> proto::CaseClass {
    match class {
        Class::MissingAtPsp => proto::CaseClass::MissingAtPsp,
        Class::MissingHere => proto::CaseClass::MissingHere,
        Class::Amount => proto::CaseClass::Amount,
        Class::Currency => proto::CaseClass::Currency,
        Class::Duplicate => proto::CaseClass::Duplicate,
        Class::Status => proto::CaseClass::Status,
        Class::Wallet => proto::CaseClass::Wallet,
        Class::Reservation => proto::CaseClass::Reservation,
    }
}

const fn subject(subject: Subject) -> proto::CaseSubject {
    match subject {
        Subject::Charge => proto::CaseSubject::Charge,
        Subject::Refund => proto::CaseSubject::Refund,
        Subject::Transfer => proto::CaseSubject::Transfer,
        Subject::Wallet => proto::CaseSubject::Wallet,
        Subject::Payment => proto::CaseSubject::Payment,
        Subject::Other => proto::CaseSubject::Other,
    }
}

const fn state(state: State) -> proto::CaseState {
    match state {
        State::Open => proto::CaseState::Open,
        State::Assigned => proto::CaseState::Assigned,
        State::Resolved => proto::CaseState::Resolved,
    }
}

const fn resolution(resolution: Option<Resolution>) -> proto::CaseResolution {
    match resolution {
        None => proto::CaseResolution::Unspecified,
        Some(Resolution::Gone) => proto::CaseResolution::Gone,
        Some(Resolution::Settled) => proto::CaseResolution::Settled,
    }
}
