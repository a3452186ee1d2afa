//! Fixtures shared by the tests of this crate.

use std::sync::Arc;

use staymesh_api::{
    rate::v1::{
        self as proto, PriceStayRequest, RoomTypeDemand, SetNightlyPricesRequest, SetRoomRateRequest, SetTaxesRequest,
        pricing_service_server::PricingService, rate_admin_service_server::RateAdminService,
    },
    r#type::v1::Money,
};
use staymesh_domain::{Currency, HotelId};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role};
use staymesh_testkit::TestDatabase;
use tonic::{Request, Status};

use crate::{
    MIGRATOR,
    clients::hotel::MockHotelClient,
    grpc::{PricingHandler, RateAdminHandler},
    service::RateService,
};

/// The hotel of the tests; its room types are 1 to 99.
pub(crate) const HOTEL: i32 = 7;

/// The handlers of a rate service with a database of its own.
pub(crate) struct Fixture {
    pub(crate) admin: RateAdminHandler,
    pub(crate) pricing: PricingHandler,
    pub(crate) database: TestDatabase,
}

/// A rate service whose hotel service has [`HOTEL`], in euros.
pub(crate) async fn fixture() -> Fixture {
    fixture_with(hotels(|| "EUR")).await
}

pub(crate) async fn fixture_with(hotels: MockHotelClient) -> Fixture {
    let database = TestDatabase::new("rate", &MIGRATOR).await.unwrap();
    let rates = Arc::new(RateService::new(database.pool().clone(), Box::new(hotels)));
    Fixture { admin: RateAdminHandler::new(Arc::clone(&rates)), pricing: PricingHandler::new(rates), database }
}

/// A hotel service that has [`HOTEL`] alone, in the currency that `code` returns at the time of the call.
pub(crate) fn hotels(code: impl Fn() -> &'static str + Send + Sync + 'static) -> MockHotelClient {
    let mut hotels = MockHotelClient::new();
    hotels.expect_currency().returning(move |hotel_id| {
        let currency: Currency = code().parse().unwrap();
        let exists = hotel_id.get() == HOTEL;
        exists.then_some(currency).ok_or_else(|| Problem::new(Reason::HotelNotFound, "no such hotel"))
    });
    hotels.expect_require_room_type().returning(|hotel_id, room_type_id| {
        let exists = hotel_id.get() == HOTEL && room_type_id.get() < 100;
        exists.then_some(()).ok_or_else(|| Problem::new(Reason::RoomTypeNotFound, "no such room type"))
    });
    hotels
}

/// A request of staff of the hotel.
pub(crate) fn staff<T>(message: T) -> Request<T> {
    staff_of(HOTEL, message)
}

pub(crate) fn staff_of<T>(hotel_id: i32, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let (subject, session) = ("staff".to_owned(), "session".to_owned());
    request.extensions_mut().insert(Caller {
        subject,
        role: Role::Staff,
        hotel_ids: vec![HotelId::try_from(hotel_id).unwrap()],
        email_verified: false,
        session,
    });
    request
}

#[expect(clippy::unnecessary_wraps, reason = "amounts are optional in the contract")]
pub(crate) fn euros(amount: &str) -> Option<Money> {
    Some(Money { currency_code: "EUR".into(), amount: amount.into() })
}

/// A rate with a rule from 80 % sold, and free cancellation until two days before.
pub(crate) fn rate(base_price: &str) -> proto::RoomRate {
    proto::RoomRate {
        base_price: euros(base_price),
        occupancy_rules: vec![proto::OccupancyRule { sold_percent: 80, price_change_percent: 25 }],
        cancellation_policy: Some(proto::CancellationPolicy {
            free_until_hours_before: Some(48),
            late_penalty_percent: Some(50),
        }),
        ..Default::default()
    }
}

impl Fixture {
    pub(crate) async fn set_rate(&self, room_type_id: i32, rate: proto::RoomRate) -> Result<proto::RoomRate, Status> {
        let request = SetRoomRateRequest { hotel_id: HOTEL, room_type_id, rate: Some(rate) };
        Ok(self.admin.set_room_rate(staff(request)).await?.into_inner())
    }

    /// Sets, or clears, the nights from one date to another.
    pub(crate) async fn set_nights(
        &self,
        room_type_id: i32,
        from: &str,
        until: &str,
        price: Option<Money>,
    ) -> Result<i32, Status> {
        let request = SetNightlyPricesRequest {
            hotel_id: HOTEL,
            room_type_id,
            from_date: from.into(),
            until_date: until.into(),
            weekdays: vec![],
            price,
            etag: String::new(),
        };
        Ok(self.admin.set_nightly_prices(staff(request)).await?.into_inner().nights)
    }

    pub(crate) async fn set_taxes(&self, taxes: Vec<proto::Tax>) -> Result<Vec<proto::Tax>, Status> {
        let request = SetTaxesRequest { hotel_id: HOTEL, taxes, etag: String::new() };
        Ok(self.admin.set_taxes(staff(request)).await?.into_inner().taxes)
    }

    /// Two rooms for three nights from 2027-03-01.
    pub(crate) async fn price(&self, demand: Vec<RoomTypeDemand>) -> Result<Vec<proto::StayPrice>, Status> {
        let request = PriceStayRequest {
            hotel_id: HOTEL,
            check_in: "2027-03-01".into(),
            check_out: "2027-03-04".into(),
            rooms: 2,
            room_types: demand,
        };
        Ok(self.pricing.price_stay(Request::new(request)).await?.into_inner().prices)
    }
}

pub(crate) fn demand(room_type_id: i32, sold_percent: &[i32]) -> RoomTypeDemand {
    RoomTypeDemand { room_type_id, sold_percent: sold_percent.to_vec() }
}

/// A tax of so many basis points.
pub(crate) fn percentage(display_name: &str, basis_points: i32) -> proto::Tax {
    proto::Tax { display_name: display_name.into(), kind: Some(proto::tax::Kind::BasisPoints(basis_points)) }
}

/// A tax of this amount per room and night.
pub(crate) fn fee(display_name: &str, amount: Option<Money>) -> proto::Tax {
    proto::Tax { display_name: display_name.into(), kind: amount.map(proto::tax::Kind::PerRoomNight) }
}

/// The reason of an error.
pub(crate) fn reason(status: &Status) -> Reason {
    Problem::reason_of(status).unwrap_or_else(|| panic!("{status:?} has no reason"))
}

/// The fields that an `INVALID_FIELD` error names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    use tonic_types::StatusExt;
    let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("{status:?} has no BadRequest"));
    bad.field_violations.into_iter().map(|violation| violation.field).collect()
}
