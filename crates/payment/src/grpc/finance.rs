//! The handlers of `FinanceService`: cases of the reconciliation, and the credit and payments of partners.

use staymesh_api::payment::v1::{
    AssignCaseRequest, GetReconciliationCaseRequest, ListPartnerCreditLimitsRequest, ListPartnerCreditLimitsResponse,
    ListPartnerPaymentsRequest, ListPartnerPaymentsResponse, ListReconciliationCasesRequest,
    ListReconciliationCasesResponse, PartnerCreditLimit, ReconciliationCase, RecordPartnerPaymentRequest,
    RecordPartnerPaymentResponse, ReplayCaseRequest, ResolveCaseRequest, SetPartnerCreditLimitRequest,
    finance_service_server::FinanceService,
};
use staymesh_mesh::Caller;
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};

use super::{
    request,
    response::{cases::case as response, partner_credit},
};
use crate::{error::PaymentError, reconcile::cases};

/// Handler of `FinanceService`.
pub(crate) struct FinanceHandler<P>(pub(crate) std::sync::Arc<crate::service::Payments<P>>);

#[tonic::async_trait]
impl<P: Psp> FinanceService for FinanceHandler<P> {
    async fn list_reconciliation_cases(
        &self,
        request: Request<ListReconciliationCasesRequest>,
    ) -> Result<Response<ListReconciliationCasesResponse>, Status> {
        let request = request.into_inner();
        let (filter, page) = request::cases::list(&request)?;
        let (cases, next_page_token) = cases::list(&self.0.pool, filter, &page).await?;
        let cases = cases.into_iter().map(response).collect();
        Ok(Response::new(ListReconciliationCasesResponse { cases, next_page_token }))
    }

    async fn get_reconciliation_case(
        &self,
        request: Request<GetReconciliationCaseRequest>,
    ) -> Result<Response<ReconciliationCase>, Status> {
        let case = cases::get(&self.0.pool, case_id(&request.get_ref().case_id)?).await?;
        Ok(Response::new(response(case)))
    }

    async fn assign_case(&self, request: Request<AssignCaseRequest>) -> Result<Response<ReconciliationCase>, Status> {
        let request = request.into_inner();
        let (id, owner) = request::cases::assign(&request)?;
        let case = cases::assign(&self.0.pool, id, &owner, &request.etag).await?;
        Ok(Response::new(response(case)))
    }

    async fn resolve_case(&self, request: Request<ResolveCaseRequest>) -> Result<Response<ReconciliationCase>, Status> {
        let caller = Caller::required(&request)?.subject.clone();
        let request = request.into_inner();
        let (id, note) = request::cases::resolve(&request)?;
        let case = cases::resolve(&self.0.pool, id, &caller, &note, &request.etag).await?;
        Ok(Response::new(response(case)))
    }

    async fn replay_case(&self, request: Request<ReplayCaseRequest>) -> Result<Response<ReconciliationCase>, Status> {
        let case = self.0.replay_case(case_id(&request.get_ref().case_id)?).await?;
        Ok(Response::new(response(case)))
    }

    async fn list_partner_credit_limits(
        &self,
        request: Request<ListPartnerCreditLimitsRequest>,
    ) -> Result<Response<ListPartnerCreditLimitsResponse>, Status> {
        let (partner, page) = request::partner_credit::list(request.get_ref())?;
        let (credits, next_page_token) = self.0.credit_limits(&partner, &page).await?;
        let credit_limits = partner_credit::credit_limits(&credits)?;
        Ok(Response::new(ListPartnerCreditLimitsResponse { credit_limits, next_page_token }))
    }

    async fn set_partner_credit_limit(
        &self,
        request: Request<SetPartnerCreditLimitRequest>,
    ) -> Result<Response<PartnerCreditLimit>, Status> {
        let (partner, limit) = request::partner_credit::set(request.get_ref())?;
        let credit = self.0.set_credit_limit(&partner, limit, &request.get_ref().etag).await?;
        Ok(Response::new(partner_credit::credit_limit(&credit)?))
    }

    async fn record_partner_payment(
        &self,
        request: Request<RecordPartnerPaymentRequest>,
    ) -> Result<Response<RecordPartnerPaymentResponse>, Status> {
        let new = request::partner_credit::payment(request.get_ref())?;
        let (payment, credit) = self.0.record_partner_payment(&new).await?;
        Ok(Response::new(RecordPartnerPaymentResponse {
            partner_payment: Some(partner_credit::payment(payment)?),
            credit_limit: Some(partner_credit::credit_limit(&credit)?),
        }))
    }

    async fn list_partner_payments(
        &self,
        request: Request<ListPartnerPaymentsRequest>,
    ) -> Result<Response<ListPartnerPaymentsResponse>, Status> {
        let (partner, page) = request::partner_credit::payments(request.get_ref())?;
        let (payments, next_page_token) = self.0.list_partner_payments(&partner, &page).await?;
        let partner_payments = payments.into_iter().map(partner_credit::payment).collect::<Result<_, _>>()?;
        Ok(Response::new(ListPartnerPaymentsResponse { partner_payments, next_page_token }))
    }
}

/// The id of a case as [`request::cases::case_id`] parses it, with the error of this service.
fn case_id(text: &str) -> Result<uuid::Uuid, PaymentError> {
    request::cases::case_id(text).map_err(PaymentError::from)
}
