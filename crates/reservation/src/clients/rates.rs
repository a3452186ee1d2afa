//! Client of the rate service: what a stay costs.

use staymesh_api::{
    rate::v1::{self as proto, PriceStayRequest, StayPrice, pricing_service_client::PricingServiceClient},
    r#type::v1::Money as ProtoMoney,
};
use staymesh_domain::{HotelId, HotelTime, Money, RoomCount, RoomTypeId, StayDates, format_local_time, parse_date};
use staymesh_mesh::{
    Problem,
    cancellation_types::cancellation_terms_from,
    client::{MeshChannel, RetryBudget, retry},
    proto_types,
};

use crate::{
    error::ReservationError,
    quote::{Night, Quote, QuoteError, TaxLine},
};

/// How much of a room type is sold, which the rate service prices by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomTypeDemand {
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// For each night of the stay, the share of its rooms that is sold or held, in percent; above 100 when overbooked.
    pub sold_percent: Vec<i32>,
}

/// The price of a stay in one room type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomTypePrice {
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// Price, taxes and cancellation terms of the whole stay.
    pub quote: Quote,
}

/// Reads prices from the rate service.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait RateClient: Send + Sync {
    /// What a stay in one room of each of the room types costs, of a hotel whose calendar is `time`; those without a rate
    /// are absent.
    ///
    /// # Errors
    /// When the rate service is unavailable, and INTERNAL when a price cannot be used: parts that do not add up, mixed
    /// currencies, no usable cancellation terms.
    async fn price(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        time: HotelTime,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<RoomTypePrice>, Problem>;
}

/// [`RateClient`] over gRPC. Reads are retried within a retry budget.
pub(crate) struct GrpcRateClient {
    client: PricingServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcRateClient {
    pub(crate) fn new(client: PricingServiceClient<MeshChannel>) -> Self {
        Self { client, budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl RateClient for GrpcRateClient {
    async fn price(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        time: HotelTime,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<RoomTypePrice>, Problem> {
        let request = PriceStayRequest {
            hotel_id: hotel_id.get(),
            check_in: stay.check_in().to_string(),
            check_out: stay.check_out().to_string(),
            rooms: RoomCount::ONE.get(),
            hotel_time: Some(proto::HotelTime {
                time_zone: time.zone_name().to_owned(),
                check_in_time: format_local_time(time.check_in_time()),
                day_rollover: format_local_time(time.day_rollover()),
            }),
            room_types: demand
                .into_iter()
                .map(|demand| proto::RoomTypeDemand {
                    room_type_id: demand.room_type_id.get(),
                    sold_percent: demand.sold_percent,
                })
                .collect(),
        };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request.clone());
            async move { client.price_stay(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("rate", &status))?;
        response
            .into_inner()
            .prices
            .into_iter()
            .map(|price| price_from(price).map_err(|error| ReservationError::from(error).into()))
            .collect()
    }
}

/// A price of one room from the rate service, checked: one currency, nothing negative, parts that add up to the total.
fn price_from(price: StayPrice) -> Result<RoomTypePrice, QuoteError> {
    let room_type_id = RoomTypeId::try_from(price.room_type_id).map_err(|_| QuoteError::RoomType)?;
    let total = proto_types::money_from(price.total.as_ref(), "total").map_err(|_| QuoteError::Amount("total"))?;
    let amount = |money: Option<&ProtoMoney>, what: &'static str| -> Result<Money, QuoteError> {
        proto_types::money_from(money, what)
            .ok()
            .filter(|money| money.currency() == total.currency() && !money.is_negative())
            .ok_or(QuoteError::Amount(what))
    };
    let nights = price
        .nights
        .into_iter()
        .map(|night| {
            let date = parse_date(&night.stay_date).map_err(|_| QuoteError::NightDate)?;
            Ok(Night { date, price: amount(night.price.as_ref(), "night")? })
        })
        .collect::<Result<Vec<_>, QuoteError>>()?;
    let taxes = price
        .taxes
        .into_iter()
        .map(|tax| Ok(TaxLine { amount: amount(tax.amount.as_ref(), "tax")?, name: tax.display_name }))
        .collect::<Result<Vec<_>, QuoteError>>()?;
    let terms = price.cancellation_terms.ok_or(QuoteError::CancellationTerms)?;
    let terms = cancellation_terms_from(&terms, total.currency()).map_err(|_| QuoteError::CancellationTerms)?;
    let subtotal = amount(price.subtotal.as_ref(), "subtotal")?;
    let quote = Quote::new(nights, subtotal, taxes, amount(price.total.as_ref(), "total")?, terms);
    quote.require_sums(RoomCount::ONE)?;
    quote.require_penalties()?;
    Ok(RoomTypePrice { room_type_id, quote })
}

#[cfg(test)]
mod tests {
    use staymesh_api::rate::v1::NightPrice;
    use staymesh_mesh::{Reason, cancellation_types::cancellation_terms};

    use super::*;
    use crate::quote::tests::quote;

    fn euros(amount: &str) -> ProtoMoney {
        ProtoMoney { currency_code: "EUR".into(), amount: amount.into() }
    }

    fn price() -> StayPrice {
        StayPrice {
            room_type_id: 7,
            nights: vec![NightPrice { stay_date: "2030-01-01".into(), price: Some(euros("100.00")) }],
            subtotal: Some(euros("100.00")),
            taxes: vec![],
            total: Some(euros("100.00")),
            cancellation_terms: Some(cancellation_terms(&quote(10_000).terms)),
        }
    }

    fn read(price: StayPrice) -> Result<Quote, QuoteError> {
        price_from(price).map(|price| price.quote)
    }

    #[test]
    fn price_whose_parts_do_not_add_up_is_an_error() {
        assert_eq!(read(price()).expect("adds up"), quote(10_000));
        let two_rooms = StayPrice { subtotal: Some(euros("200.00")), total: Some(euros("200.00")), ..price() };
        assert!(matches!(read(two_rooms), Err(QuoteError::Sum)));
        let cents_short = StayPrice { total: Some(euros("99.99")), ..price() };
        let error = read(cents_short).expect_err("a cent is missing");
        assert!(matches!(error, QuoteError::Sum));
        assert_eq!(Problem::from(ReservationError::from(error)).reason(), Reason::Internal);
        let dollars = Some(ProtoMoney { currency_code: "USD".into(), amount: "100.00".into() });
        assert!(matches!(read(StayPrice { total: dollars, ..price() }), Err(QuoteError::Amount("night"))));
    }

    #[test]
    fn price_without_usable_cancellation_terms_is_an_error() {
        let none = StayPrice { cancellation_terms: None, ..price() };
        assert!(matches!(read(none), Err(QuoteError::CancellationTerms)));
        // A penalty above the total.
        let more = Some(cancellation_terms(&quote(50_000).terms));
        assert!(matches!(read(StayPrice { cancellation_terms: more, ..price() }), Err(QuoteError::CancellationTerms)));
    }

    #[test]
    fn price_with_malformed_night_date_is_an_error() {
        let nights = vec![NightPrice { stay_date: "01.01.2030".into(), price: Some(euros("100.00")) }];
        assert!(matches!(read(StayPrice { nights, ..price() }), Err(QuoteError::NightDate)));
    }
}
