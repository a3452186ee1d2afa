//! `PricingService`: what other services ask.

use sqlx::PgPool;
use staymesh_api::rate::v1::{PriceStayRequest, PriceStayResponse, StayPrice, pricing_service_server::PricingService};
use staymesh_domain::{MoneyError, RoomCount, StayDates};
use tonic::{Request, Response, Status};

use super::{answer, read};
use crate::{RateError, pricing::price_stay, store};

/// Prices stays.
pub struct Pricing {
    pool: PgPool,
}

impl Pricing {
    /// By the rates in this database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Two statements, however many room types and nights there are.
    async fn price(
        &self,
        request: &PriceStayRequest,
        stay: StayDates,
        rooms: RoomCount,
    ) -> Result<Vec<StayPrice>, RateError> {
        let room_type_ids: Vec<_> = request.room_types.iter().map(|demand| demand.room_type_id).collect();
        let (prices, taxes) = tokio::try_join!(
            store::stay::prices(&self.pool, request.hotel_id, &room_type_ids, stay),
            store::tax::list(&self.pool, request.hotel_id),
        )?;
        let mut bills = Vec::with_capacity(request.room_types.len());
        for (index, demand) in request.room_types.iter().enumerate() {
            let Some(prices) = prices.get(&demand.room_type_id) else { continue };
            let nights = stay.nights().zip(demand.sold_percent.iter().copied());
            let price = price_stay(prices, &taxes, nights, rooms).map_err(|error| match error {
                MoneyError::TooLarge => RateError::StayTooExpensive { index },
                other => RateError::StoredAmount(other),
            })?;
            // By a rule that takes nine tenths off a price of a cent or two. Nobody could pay it, so it is not for sale.
            if price.total.minor() == 0 {
                continue;
            }
            bills.push(answer::stay(demand.room_type_id, price, &taxes, prices.rate.policy));
        }
        Ok(bills)
    }
}

#[tonic::async_trait]
impl PricingService for Pricing {
    async fn price_stay(&self, request: Request<PriceStayRequest>) -> Result<Response<PriceStayResponse>, Status> {
        let request = request.into_inner();
        let (stay, rooms) = read::stay(&request)?;
        let prices = self.price(&request, stay, rooms).await?;
        Ok(Response::new(PriceStayResponse { prices }))
    }
}
