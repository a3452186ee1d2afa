//! `PaymentService`: guests and partners create and read payments.

use std::sync::Arc;

use staymesh_api::payment::v1::{
    self as proto, CreatePaymentRequest, GetPaymentRequest, GetStatusLinkRequest, ListCreditLimitsRequest,
    ListCreditLimitsResponse, ListInvoiceLinesRequest, ListInvoiceLinesResponse, StatusLink,
    payment_service_server::PaymentService,
};
use staymesh_domain::{FieldError, PaymentId};
use staymesh_mesh::Caller;
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::{error::PaymentError, model::Payment, service::Payments};

/// Handler of `PaymentService`.
pub(crate) struct PaymentHandler<P>(pub(crate) Arc<Payments<P>>);

#[tonic::async_trait]
impl<P: Psp> PaymentService for PaymentHandler<P> {
    async fn create_payment(&self, request: Request<CreatePaymentRequest>) -> Result<Response<proto::Payment>, Status> {
        let caller = Caller::required(&request)?;
        let (id, revision, return_url) = request::payments::create(request.into_inner())?;
        let payment = self.0.create(&caller, id, revision, return_url).await?;
        Ok(Response::new(self.render(payment).await?))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<proto::Payment>, Status> {
        let caller = Caller::required(&request)?;
        let payment = self.0.get(&caller, payment_id(&request.get_ref().payment_id)?).await?;
        Ok(Response::new(self.render(payment).await?))
    }

    async fn get_status_link(&self, request: Request<GetStatusLinkRequest>) -> Result<Response<StatusLink>, Status> {
        let caller = Caller::required(&request)?;
        let payment = self.0.get(&caller, payment_id(&request.get_ref().payment_id)?).await?;
        Ok(Response::new(StatusLink { url: self.0.links.url(payment.reservation_id) }))
    }

    async fn list_credit_limits(
        &self,
        request: Request<ListCreditLimitsRequest>,
    ) -> Result<Response<ListCreditLimitsResponse>, Status> {
        let caller = Caller::required(&request)?;
        let page = request::partner_credit::own(&caller.subject, request.get_ref())?;
        let (credits, next_page_token) = self.0.credit_limits(&caller.subject, &page).await?;
        let credit_limits = response::partner_credit::credit_limits(&credits)?;
        Ok(Response::new(ListCreditLimitsResponse { credit_limits, next_page_token }))
    }

    async fn list_invoice_lines(
        &self,
        request: Request<ListInvoiceLinesRequest>,
    ) -> Result<Response<ListInvoiceLinesResponse>, Status> {
        let caller = Caller::required(&request)?;
        let query = request::partner_sales::own(caller.subject, request.get_ref())?;
        let (sales, next_page_token) = self.0.list_partner_sales(&query.partner, query.days, &query.page).await?;
        let sales = sales.iter().map(response::partner_sales::partner_sale).collect::<Result<_, _>>()?;
        Ok(Response::new(ListInvoiceLinesResponse { sales, next_page_token }))
    }
}

impl<P: Psp> PaymentHandler<P> {
    /// The payment with its refunds.
    async fn render(&self, payment: Payment) -> Result<proto::Payment, PaymentError> {
        let refunds = self.0.refunds_of(std::slice::from_ref(&payment)).await?;
        Ok(response::payments::payment(payment, &refunds))
    }
}

fn payment_id(text: &str) -> Result<PaymentId, PaymentError> {
    text.parse().map_err(|error| PaymentError::Field(FieldError::from(error)))
}
