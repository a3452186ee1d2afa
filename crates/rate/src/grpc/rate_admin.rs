//! `RateAdminService`: rates and taxes, set by hotel staff.

use std::sync::Arc;

use staymesh_api::rate::v1::{
    GetRoomRateRequest, GetTaxesRequest, GetTaxesResponse, ListAuditRecordsRequest, ListAuditRecordsResponse,
    ListNightlyPricesRequest, ListNightlyPricesResponse, RoomRate, SetNightlyPricesRequest, SetNightlyPricesResponse,
    SetRoomRateRequest, SetTaxesRequest, SetTaxesResponse, rate_admin_service_server::RateAdminService,
};
use staymesh_mesh::{Caller, Problem, audit, audit_query};
use tonic::{Request, Response, Status};

use super::{request, response};
use crate::service::RateService;

/// Handlers of `RateAdminService`.
pub(crate) struct RateAdminHandler {
    rates: Arc<RateService>,
}

impl RateAdminHandler {
    pub(crate) fn new(rates: Arc<RateService>) -> Self {
        Self { rates }
    }
}

/// Refuses callers that are not authorized for the hotel. Called first, so that other fields are validated for
/// authorized callers only.
fn require_staff<T>(request: &Request<T>, hotel_id: i32) -> Result<(), Problem> {
    Caller::required(request)?.require_hotel_field(hotel_id)
}

#[tonic::async_trait]
impl RateAdminService for RateAdminHandler {
    async fn get_room_rate(&self, request: Request<GetRoomRateRequest>) -> Result<Response<RoomRate>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let (hotel_id, room_type_id) = request::ids(request.hotel_id, request.room_type_id)?;
        let rate = self.rates.get_rate(hotel_id, room_type_id).await?;
        Ok(Response::new(rate.into()))
    }

    async fn set_room_rate(&self, request: Request<SetRoomRateRequest>) -> Result<Response<RoomRate>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let rate = request::rate(request.rate);
        let ((hotel_id, room_type_id), (rate, etag)) =
            request::of_room_type(request.hotel_id, request.room_type_id, rate)?;
        let rate = self.rates.set_rate(hotel_id, room_type_id, &rate, &etag).await?;
        Ok(Response::new(rate.into()))
    }

    async fn list_nightly_prices(
        &self,
        request: Request<ListNightlyPricesRequest>,
    ) -> Result<Response<ListNightlyPricesResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let list = request::night_list(&request);
        let ((hotel_id, room_type_id), (range, page)) =
            request::of_room_type(request.hotel_id, request.room_type_id, list)?;
        let (nights, etag) = self.rates.list_nightly_prices(hotel_id, room_type_id, range, &page).await?;
        let (nights, next_page_token) = page.cut(nights, |(date, _)| *date);
        let nights = nights.into_iter().map(response::night).collect();
        Ok(Response::new(ListNightlyPricesResponse { nights, next_page_token, etag }))
    }

    async fn set_nightly_prices(
        &self,
        request: Request<SetNightlyPricesRequest>,
    ) -> Result<Response<SetNightlyPricesResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        let nights = request::nights(&request);
        let ((hotel_id, room_type_id), (nights, price)) =
            request::of_room_type(request.hotel_id, request.room_type_id, nights)?;
        let count = i32::try_from(nights.len()).map_err(|error| Problem::internal(&error))?;
        let etag = self.rates.set_nightly_prices(hotel_id, room_type_id, &nights, price, &request.etag).await?;
        Ok(Response::new(SetNightlyPricesResponse { nights: count, etag }))
    }

    async fn get_taxes(&self, request: Request<GetTaxesRequest>) -> Result<Response<GetTaxesResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let hotel_id = request::id(request.get_ref().hotel_id)?;
        let (taxes, etag) = self.rates.get_taxes(hotel_id).await?;
        Ok(Response::new(GetTaxesResponse { taxes: taxes.into_iter().map(Into::into).collect(), etag }))
    }

    async fn set_taxes(&self, request: Request<SetTaxesRequest>) -> Result<Response<SetTaxesResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let SetTaxesRequest { hotel_id, taxes, etag } = request.into_inner();
        let (hotel_id, taxes) = request::of_hotel(hotel_id, request::taxes(taxes))?;
        let etag = self.rates.set_taxes(hotel_id, &taxes, &etag).await?;
        Ok(Response::new(SetTaxesResponse { taxes: taxes.into_iter().map(Into::into).collect(), etag }))
    }

    async fn list_audit_records(
        &self,
        request: Request<ListAuditRecordsRequest>,
    ) -> Result<Response<ListAuditRecordsResponse>, Status> {
        let query = audit_query!(request.into_inner());
        let (audit_records, next_page_token) = audit::list(self.rates.pool(), query).await?;
        Ok(Response::new(ListAuditRecordsResponse { audit_records, next_page_token }))
    }
}
