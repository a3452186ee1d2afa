//! `PricingService`: prices of stays, for other services.

use std::sync::Arc;

use staymesh_api::rate::v1::{PriceStayRequest, PriceStayResponse, pricing_service_server::PricingService};
use tonic::{Request, Response, Status};

use super::request;
use crate::service::RateService;

/// Handlers of `PricingService`.
pub(crate) struct PricingHandler {
    rates: Arc<RateService>,
}

impl PricingHandler {
    pub(crate) fn new(rates: Arc<RateService>) -> Self {
        Self { rates }
    }
}

#[tonic::async_trait]
impl PricingService for PricingHandler {
    async fn price_stay(&self, request: Request<PriceStayRequest>) -> Result<Response<PriceStayResponse>, Status> {
        let stay = request::stay(request.into_inner())?;
        let prices = self.rates.price_stay(stay.hotel_id, stay.dates, stay.rooms, &stay.time, &stay.demands).await?;
        Ok(Response::new(PriceStayResponse { prices: prices.into_iter().map(Into::into).collect() }))
    }
}
