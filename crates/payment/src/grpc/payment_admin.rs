//! `PaymentAdminService`: hotel staff and administrators list payments, payouts and partner sales, and request refunds.

use std::sync::Arc;

use staymesh_api::payment::v1::{
    GetPayoutRequest, ListAuditRecordsRequest, ListAuditRecordsResponse, ListPartnerSalesRequest,
    ListPartnerSalesResponse, ListPaymentsRequest, ListPaymentsResponse, ListPayoutLinesRequest,
    ListPayoutLinesResponse, ListPayoutsRequest, ListPayoutsResponse, Payment, Payout, RecordDeskPaymentRequest,
    RecordDeskRefundRequest, RefundPaymentRequest, SetPayoutDestinationRequest, SetPayoutDestinationResponse,
    payment_admin_service_server::PaymentAdminService,
};
use staymesh_mesh::{Caller, audit, audit_query, proto_types::timestamp};
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::service::Payments;

/// Handler of `PaymentAdminService`.
pub(crate) struct PaymentAdminHandler<P>(pub(crate) Arc<Payments<P>>);

#[tonic::async_trait]
impl<P: Psp> PaymentAdminService for PaymentAdminHandler<P> {
    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, status, page) = request::payments::list(request.get_ref())?;
        let (payments, next_page_token) = self.0.list(hotel_id, status, &page).await?;
        let refunds = self.0.refunds_of(&payments).await?;
        let payments = payments.into_iter().map(|payment| response::payments::payment(payment, &refunds)).collect();
        Ok(Response::new(ListPaymentsResponse { payments, next_page_token }))
    }

    async fn refund_payment(&self, request: Request<RefundPaymentRequest>) -> Result<Response<Payment>, Status> {
        let wanted = request::payments::refund(request.get_ref())?;
        let payment = self.0.refund(wanted.payment_id, wanted.amount, wanted.goodwill, wanted.request_id).await?;
        let refunds = self.0.refunds_of(std::slice::from_ref(&payment)).await?;
        Ok(Response::new(response::payments::payment(payment, &refunds)))
    }

    async fn record_desk_payment(
        &self,
        request: Request<RecordDeskPaymentRequest>,
    ) -> Result<Response<Payment>, Status> {
        let caller = Caller::required(&request)?;
        let (id, desk) = request::desk::payment(request.get_ref())?;
        let payment = self.0.record_desk_payment(&caller, id, &desk).await?;
        let refunds = self.0.refunds_of(std::slice::from_ref(&payment)).await?;
        Ok(Response::new(response::payments::payment(payment, &refunds)))
    }

    async fn record_desk_refund(&self, request: Request<RecordDeskRefundRequest>) -> Result<Response<Payment>, Status> {
        let caller = Caller::required(&request)?;
        let (id, refund_id, reference) = request::desk::refund(request.get_ref())?;
        let payment = self.0.record_desk_refund(&caller, id, refund_id, reference.as_deref()).await?;
        let refunds = self.0.refunds_of(std::slice::from_ref(&payment)).await?;
        Ok(Response::new(response::payments::payment(payment, &refunds)))
    }

    async fn list_payouts(
        &self,
        request: Request<ListPayoutsRequest>,
    ) -> Result<Response<ListPayoutsResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, page) = request::payouts::list(request.get_ref())?;
        let (rows, next_page_token) = self.0.payouts(hotel_id, &page).await?;
        let payouts = rows.into_iter().map(response::payouts::payout).collect();
        Ok(Response::new(ListPayoutsResponse { payouts, next_page_token }))
    }

    async fn get_payout(&self, request: Request<GetPayoutRequest>) -> Result<Response<Payout>, Status> {
        let caller = Caller::required(&request)?;
        let payout_id = request::payouts::id(request.get_ref())?;
        let payout = self.0.payout(&caller, payout_id).await?;
        Ok(Response::new(response::payouts::payout(payout)))
    }

    async fn list_payout_lines(
        &self,
        request: Request<ListPayoutLinesRequest>,
    ) -> Result<Response<ListPayoutLinesResponse>, Status> {
        let caller = Caller::required(&request)?;
        let (payout_id, page) = request::payouts::lines(request.get_ref())?;
        let statement = self.0.payout_lines(&caller, payout_id, &page).await?;
        Ok(Response::new(response::payouts::lines(statement)?))
    }

    async fn set_payout_destination(
        &self,
        request: Request<SetPayoutDestinationRequest>,
    ) -> Result<Response<SetPayoutDestinationResponse>, Status> {
        let caller = Caller::required(&request)?;
        caller.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, destination) = request::payouts::destination(request.get_ref())?;
        let set = self.0.set_payout_destination(hotel_id, destination, &caller.subject).await?;
        Ok(Response::new(SetPayoutDestinationResponse {
            hotel_id: set.hotel_id.get(),
            destination: set.destination,
            update_time: Some(timestamp(set.update_time)),
        }))
    }

    async fn list_partner_sales(
        &self,
        request: Request<ListPartnerSalesRequest>,
    ) -> Result<Response<ListPartnerSalesResponse>, Status> {
        let query = request::partner_sales::list(request.into_inner())?;
        let (sales, next_page_token) = self.0.list_partner_sales(&query.partner, query.days, &query.page).await?;
        let sales = sales.iter().map(response::partner_sales::partner_sale).collect::<Result<_, _>>()?;
        Ok(Response::new(ListPartnerSalesResponse { sales, next_page_token }))
    }

    async fn list_audit_records(
        &self,
        request: Request<ListAuditRecordsRequest>,
    ) -> Result<Response<ListAuditRecordsResponse>, Status> {
        let query = audit_query!(request.into_inner());
        let (audit_records, next_page_token) = audit::list(&self.0.pool, query).await?;
        Ok(Response::new(ListAuditRecordsResponse { audit_records, next_page_token }))
    }
}
