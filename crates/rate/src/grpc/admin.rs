//! `RateAdminService`: what hotel staff set prices with.

use jiff::civil::Date;
use staymesh_api::rate::v1::{
    GetRoomRateRequest, GetRoomRateResponse, GetTaxesRequest, GetTaxesResponse, ListNightlyPricesRequest,
    ListNightlyPricesResponse, SetNightlyPricesRequest, SetNightlyPricesResponse, SetRoomRateRequest,
    SetRoomRateResponse, SetTaxesRequest, SetTaxesResponse, rate_admin_service_server::RateAdminService,
};
use staymesh_domain::{DateRange, FieldError, HotelId, Page, PageError, format_date, parse_date};
use staymesh_mesh::{Caller, Problem};
use tonic::{Request, Response, Status};

use super::{answer, read};
use crate::{catalog::Catalog, service::Rates};

/// Sets prices.
pub struct Admin<C> {
    rates: Rates<C>,
}

impl<C: Catalog> Admin<C> {
    /// Sets these rates.
    pub fn new(rates: Rates<C>) -> Self {
        Self { rates }
    }
}

/// Refuses callers who do not work for the hotel. This comes before anything else is looked at.
fn require_staff<T>(request: &Request<T>, hotel_id: i32) -> Result<(), Problem> {
    Caller::required(request)?.require_hotel_field(hotel_id)
}

#[tonic::async_trait]
impl<C: Catalog> RateAdminService for Admin<C> {
    async fn get_room_rate(
        &self,
        request: Request<GetRoomRateRequest>,
    ) -> Result<Response<GetRoomRateResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        read::ids(request.hotel_id, request.room_type_id)?;
        let rate = self.rates.rate(request.hotel_id, request.room_type_id).await?;
        Ok(Response::new(GetRoomRateResponse { rate: Some(rate.into()) }))
    }

    async fn set_room_rate(
        &self,
        request: Request<SetRoomRateRequest>,
    ) -> Result<Response<SetRoomRateResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        read::ids(request.hotel_id, request.room_type_id)?;
        let etag = request.rate.as_ref().map(|rate| rate.etag.clone()).unwrap_or_default();
        let rate = read::rate(request.rate)?;
        let rate = self.rates.set_rate(request.hotel_id, request.room_type_id, &rate, &etag).await?;
        Ok(Response::new(SetRoomRateResponse { rate: Some(rate.into()) }))
    }

    async fn list_nightly_prices(
        &self,
        request: Request<ListNightlyPricesRequest>,
    ) -> Result<Response<ListNightlyPricesResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        read::ids(request.hotel_id, request.room_type_id)?;
        let (range, page) = nights_wanted(&request).map_err(Problem::from)?;
        let nights = self.rates.nights(request.hotel_id, request.room_type_id, range, &page).await?;
        let (nights, next_page_token) = page.cut(nights, |(date, _)| *date);
        let nights = nights.into_iter().map(answer::night).collect();
        Ok(Response::new(ListNightlyPricesResponse { nights, next_page_token }))
    }

    async fn set_nightly_prices(
        &self,
        request: Request<SetNightlyPricesRequest>,
    ) -> Result<Response<SetNightlyPricesResponse>, Status> {
        require_staff(&request, request.get_ref().hotel_id)?;
        let request = request.into_inner();
        read::ids(request.hotel_id, request.room_type_id)?;
        let (nights, price) = read::nights(&request)?;
        self.rates.set_nights(request.hotel_id, request.room_type_id, &nights, price).await?;
        // A range has at most 1,100 nights.
        let nights = i32::try_from(nights.len()).unwrap_or(i32::MAX);
        Ok(Response::new(SetNightlyPricesResponse { nights }))
    }

    async fn get_taxes(&self, request: Request<GetTaxesRequest>) -> Result<Response<GetTaxesResponse>, Status> {
        let hotel_id = request.get_ref().hotel_id;
        require_staff(&request, hotel_id)?;
        HotelId::try_from(hotel_id).map_err(|error| Problem::from(FieldError::from(error)))?;
        let taxes = self.rates.taxes(hotel_id).await?;
        Ok(Response::new(GetTaxesResponse { taxes: taxes.into_iter().map(Into::into).collect() }))
    }

    async fn set_taxes(&self, request: Request<SetTaxesRequest>) -> Result<Response<SetTaxesResponse>, Status> {
        let hotel_id = request.get_ref().hotel_id;
        require_staff(&request, hotel_id)?;
        HotelId::try_from(hotel_id).map_err(|error| Problem::from(FieldError::from(error)))?;
        let taxes = read::taxes(request.into_inner().taxes)?;
        self.rates.set_taxes(hotel_id, &taxes).await?;
        Ok(Response::new(SetTaxesResponse { taxes: taxes.into_iter().map(Into::into).collect() }))
    }
}

fn nights_wanted(request: &ListNightlyPricesRequest) -> Result<(DateRange, Page<Date>), FieldError> {
    let range = read::listed(request)?;
    let (hotel_id, room_type_id) = (request.hotel_id.to_string(), request.room_type_id.to_string());
    // The dates as they were sent: "today" may become another day between two pages.
    let filters = ["nightly_prices", &*hotel_id, &*room_type_id, &*request.from_date, &*request.until_date];
    let page: Page<Date> = Page::parse(request.page_size, &request.page_token, &filters)?;
    // Anybody can write a token; a date of another age is none of ours, and not one that the database takes.
    if page.after.is_some_and(|date| parse_date(&format_date(date)).is_err()) {
        return Err(PageError::Token.into());
    }
    Ok((range, page))
}
