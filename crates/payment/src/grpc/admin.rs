//! What hotel staff and administrators do with payments.

use staymesh_api::payment::v1::{
    GetPayOutStatementRequest, GetPayOutStatementResponse, ListPartnerSalesRequest, ListPartnerSalesResponse,
    ListPayOutsRequest, ListPayOutsResponse, ListPaymentsRequest, ListPaymentsResponse, RefundPaymentRequest,
    RefundPaymentResponse, SetPayOutDestinationRequest, SetPayOutDestinationResponse,
    payment_admin_service_server::PaymentAdminService,
};
use staymesh_domain::{FieldError, HotelId, Page, PaymentId, parse_request_id};
use staymesh_mesh::{
    Caller,
    proto_types::{money_from, timestamp},
};
use staymesh_psp::Psp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Grpc, partner, payouts, shown, status_filter};
use crate::{clients::reservations::ReservationClient, error::PaymentError};

#[tonic::async_trait]
impl<R: ReservationClient, P: Psp> PaymentAdminService for Grpc<R, P> {
    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let hotel_id = HotelId::try_from(request.hotel_id).map_err(FieldError::from).map_err(PaymentError::from)?;
        let status = status_filter(request.status).map_err(PaymentError::from)?;
        let filters = [request.hotel_id.to_string(), request.status.to_string()];
        let page: Page<Uuid> = Page::parse(request.page_size, &request.page_token, &[&filters[0], &filters[1]])
            .map_err(FieldError::from)
            .map_err(PaymentError::from)?;
        let (payments, next_page_token) = self.0.list(hotel_id, status, &page).await?;
        let payments = payments.into_iter().map(shown).collect();
        Ok(Response::new(ListPaymentsResponse { payments, next_page_token }))
    }

    async fn refund_payment(
        &self,
        request: Request<RefundPaymentRequest>,
    ) -> Result<Response<RefundPaymentResponse>, Status> {
        let (id, amount, request_id) = read(request.get_ref()).map_err(PaymentError::from)?;
        let payment = self.0.refund(id, amount, request_id).await?;
        Ok(Response::new(RefundPaymentResponse { payment: Some(shown(payment)) }))
    }

    async fn list_pay_outs(
        &self,
        request: Request<ListPayOutsRequest>,
    ) -> Result<Response<ListPayOutsResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, page) = payouts::read_list(request.get_ref()).map_err(PaymentError::from)?;
        let (rows, next_page_token) = self.0.payouts(hotel_id, &page).await?;
        let pay_outs = rows.into_iter().map(payouts::shown).collect();
        Ok(Response::new(ListPayOutsResponse { pay_outs, next_page_token }))
    }

    async fn get_pay_out_statement(
        &self,
        request: Request<GetPayOutStatementRequest>,
    ) -> Result<Response<GetPayOutStatementResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, payout_id, page) = payouts::read_get(request.get_ref()).map_err(PaymentError::from)?;
        let statement = self.0.statement(hotel_id, payout_id, &page).await?;
        Ok(Response::new(payouts::statement(statement)?))
    }

    async fn set_pay_out_destination(
        &self,
        request: Request<SetPayOutDestinationRequest>,
    ) -> Result<Response<SetPayOutDestinationResponse>, Status> {
        let caller = Caller::required(&request)?;
        caller.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, destination) = payouts::read_destination(request.get_ref()).map_err(PaymentError::from)?;
        let set = self.0.set_payout_destination(hotel_id, destination, &caller.subject).await?;
        Ok(Response::new(SetPayOutDestinationResponse {
            hotel_id: set.hotel_id.get(),
            destination: set.destination,
            update_time: Some(timestamp(set.update_time)),
        }))
    }

    async fn list_partner_sales(
        &self,
        request: Request<ListPartnerSalesRequest>,
    ) -> Result<Response<ListPartnerSalesResponse>, Status> {
        let wanted = partner::wanted(request.into_inner())?;
        let (sales, next_page_token) = self.0.list_partner_sales(&wanted.partner, wanted.days, &wanted.page).await?;
        let sales = sales.into_iter().map(partner::shown).collect::<Result<_, _>>()?;
        Ok(Response::new(ListPartnerSalesResponse { sales, next_page_token }))
    }
}

fn read(request: &RefundPaymentRequest) -> Result<(PaymentId, Option<staymesh_domain::Money>, Uuid), FieldError> {
    let id = request.payment_id.parse::<PaymentId>()?;
    let amount = request.amount.as_ref().map(|amount| money_from(Some(amount), "amount")).transpose()?;
    if amount.is_some_and(|amount| amount.minor() == 0) {
        return Err(FieldError::new("amount.amount", "must be more than zero"));
    }
    Ok((id, amount, parse_request_id(&request.request_id)?))
}
