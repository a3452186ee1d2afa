//! Stubs of the hotel, rate and payment clients, in this process and without a database: none of these is measured.

use jiff::Timestamp;
use staymesh_domain::{
    CancellationPolicy, ChildRules, HotelId, HotelTime, Money, Occupancy, Penalty, RoomCount, RoomId, RoomTypeId, Stay,
    StayDates, Tier, Until,
};
use staymesh_mesh::Problem;
use staymesh_reservation::{
    Cancelled, ChangeSettled, ChangeSoldByPartner, HotelClient, HotelInfo, PaymentClient, RateClient, RoomInfo,
    RoomTypeDemand, RoomTypeInfo, RoomTypePrice, SoldByPartner,
    quote::{Night, Quote},
};
use tonic::Status;

/// Answers every request: room types for four guests at 100 EUR per night.
pub(crate) struct StubClients;

/// Price of a night in minor units (cents).
const NIGHT_CENTS: i64 = 10_000;

#[tonic::async_trait]
impl HotelClient for StubClients {
    async fn room_types(&self, _: HotelId) -> Result<Vec<RoomTypeInfo>, Problem> {
        // Offers for a whole hotel are not requested.
        Ok(vec![])
    }

    async fn room_type(&self, _: HotelId, room_type_id: RoomTypeId) -> Result<RoomTypeInfo, Problem> {
        Ok(RoomTypeInfo { room_type_id, display_name: "A room".into(), occupancy: Occupancy::of_adults(4) })
    }

    async fn room_type_of(&self, _: HotelId, _: RoomId) -> Result<RoomTypeId, Problem> {
        RoomTypeId::try_from(1).map_err(|error| Problem::internal(&error))
    }

    async fn room(&self, _: HotelId, room_id: RoomId) -> Result<RoomInfo, Problem> {
        Err(Problem::internal(&format!("room {room_id} is not requested")))
    }

    async fn rooms(&self, _: HotelId) -> Result<Vec<RoomInfo>, Problem> {
        Ok(vec![])
    }

    async fn hotel(&self, hotel_id: HotelId) -> Result<HotelInfo, Problem> {
        let time = self.hotel_time(hotel_id).await?;
        Ok(HotelInfo { time, child_rules: ChildRules::default(), room_required_at_check_in: false })
    }

    async fn hotel_time(&self, _: HotelId) -> Result<HotelTime, Problem> {
        let (check_in, rollover) = (HotelTime::DEFAULT_CHECK_IN_TIME, HotelTime::DEFAULT_DAY_ROLLOVER);
        HotelTime::new("Etc/UTC", check_in, rollover).map_err(|error| Problem::internal(&error))
    }
}

#[tonic::async_trait]
impl PaymentClient for StubClients {
    async fn record_partner_sale(&self, _: SoldByPartner) -> Result<(), Status> {
        Ok(())
    }

    async fn settle_cancellation(&self, _: Cancelled) -> Result<(), Status> {
        Ok(())
    }

    async fn amend_partner_sale(&self, _: ChangeSoldByPartner) -> Result<(), Status> {
        Ok(())
    }

    async fn settle_change(&self, _: ChangeSettled) -> Result<(), Status> {
        Ok(())
    }
}

#[tonic::async_trait]
impl RateClient for StubClients {
    async fn price(
        &self,
        _: HotelId,
        stay: StayDates,
        time: HotelTime,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<RoomTypePrice>, Problem> {
        let internal = |error| Problem::internal(&error);
        let night = "EUR".parse().and_then(|euro| Money::from_minor(NIGHT_CENTS, euro)).map_err(internal)?;
        let total = night.checked_mul(stay.night_count()).map_err(internal)?;
        let policy = CancellationPolicy::of_tiers(vec![Tier { until: Until::Always, penalty: Penalty::None }]);
        let zero = Money::zero(total.currency());
        let of = Stay { dates: stay, time: &time, rooms: RoomCount::ONE, nights: &[total], zero };
        let terms = policy.resolve(&of, Timestamp::now()).map_err(|error| Problem::internal(&error))?;
        let price = |demand: &RoomTypeDemand| RoomTypePrice {
            room_type_id: demand.room_type_id,
            quote: Quote::new(
                stay.nights().map(|date| Night { date, price: night }).collect(),
                total,
                vec![],
                total,
                terms.clone(),
            ),
        };
        Ok(demand.iter().map(price).collect())
    }
}
