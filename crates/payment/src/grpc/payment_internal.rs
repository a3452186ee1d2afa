//! `PaymentFlowService`: the reservation service records partner sales, and settles changes and cancellations.

use std::sync::Arc;

use staymesh_api::payment::v1::{
    AmendPartnerSaleRequest, PartnerSale, RecordPartnerSaleRequest, SettleCancellationRequest,
    SettleCancellationResponse, SettleChangeRequest, SettleChangeResponse,
    payment_flow_service_server::PaymentFlowService,
};
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::service::Payments;

/// Handler of `PaymentFlowService`, which only other services call.
pub(crate) struct InternalPaymentHandler<P>(pub(crate) Arc<Payments<P>>);

#[tonic::async_trait]
impl<P: Psp> PaymentFlowService for InternalPaymentHandler<P> {
    async fn record_partner_sale(
        &self,
        request: Request<RecordPartnerSaleRequest>,
    ) -> Result<Response<PartnerSale>, Status> {
        let (id, terms, limited) = request::partner_sales::record(request.get_ref())?;
        let sale = self.0.record_partner_sale(id, &terms, limited).await?;
        Ok(Response::new(response::partner_sales::partner_sale(&sale)?))
    }

    async fn amend_partner_sale(
        &self,
        request: Request<AmendPartnerSaleRequest>,
    ) -> Result<Response<PartnerSale>, Status> {
        let (id, revision, terms, limited) = request::changes::amend(request.get_ref())?;
        let sale = self.0.amend_partner_sale(id, revision, &terms, limited).await?;
        Ok(Response::new(response::partner_sales::partner_sale(&sale)?))
    }

    async fn settle_change(
        &self,
        request: Request<SettleChangeRequest>,
    ) -> Result<Response<SettleChangeResponse>, Status> {
        let (id, change) = request::changes::settle(request.get_ref())?;
        let (payments, sale) = self.0.settle_change(id, &change).await?;
        let refunds = self.0.refunds_of(&payments).await?;
        Ok(Response::new(SettleChangeResponse {
            payments: payments.into_iter().map(|payment| response::payments::payment(payment, &refunds)).collect(),
            partner_sale: sale.as_ref().map(response::partner_sales::partner_sale).transpose()?,
        }))
    }

    async fn settle_cancellation(
        &self,
        request: Request<SettleCancellationRequest>,
    ) -> Result<Response<SettleCancellationResponse>, Status> {
        let (id, settlement, terms) = request::partner_sales::settle(request.get_ref())?;
        // A reservation has either a partner sale or a payment; settling both is idempotent.
        // A hold that expired was never confirmed as sold: all of it goes back, although its event settles nothing.
        let credit = match &terms {
            Some(terms) if settlement.hold_expired => terms.amount,
            _ => settlement.refund,
        };
        let sale = self.0.settle_partner_sale(id, credit, terms.as_ref()).await?;
        let payment = self.0.settle_cancellation(id, settlement).await?;
        let refunds = self.0.refunds_of(payment.as_slice()).await?;
        Ok(Response::new(SettleCancellationResponse {
            payment: payment.map(|payment| response::payments::payment(payment, &refunds)),
            partner_sale: sale.as_ref().map(response::partner_sales::partner_sale).transpose()?,
        }))
    }
}
