//! The hotel and the rate service, in this process and without a database: they are not what is measured.

use staymesh_api::{
    rate::v1::{NightPrice, RoomTypeDemand, StayPrice},
    r#type::v1::Money,
};
use staymesh_domain::{HotelId, RoomTypeId, StayDates};
use staymesh_mesh::Problem;
use staymesh_reservation::{Hotels, Rates, RoomTypeInfo};

/// Room types for four, at 100 EUR a night.
pub(crate) struct Neighbours;

const NIGHT_EUROS: i32 = 100;

#[tonic::async_trait]
impl Hotels for Neighbours {
    async fn room_types(&self, _: HotelId) -> Result<Vec<RoomTypeInfo>, Problem> {
        // Offers for a whole hotel are not asked for.
        Ok(vec![])
    }

    async fn room_type(&self, _: HotelId, room_type_id: RoomTypeId) -> Result<RoomTypeInfo, Problem> {
        Ok(RoomTypeInfo { room_type_id: room_type_id.get(), display_name: "A room".into(), max_occupancy: 4 })
    }
}

#[tonic::async_trait]
impl Rates for Neighbours {
    async fn price(
        &self,
        _: HotelId,
        stay: StayDates,
        rooms: i32,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<StayPrice>, Problem> {
        let price = |room_type_id| StayPrice {
            room_type_id,
            nights: stay
                .nights()
                .map(|date| NightPrice { stay_date: date.to_string(), price: Some(euros(NIGHT_EUROS)) })
                .collect(),
            subtotal: Some(euros(NIGHT_EUROS * stay.night_count() * rooms)),
            taxes: vec![],
            total: Some(euros(NIGHT_EUROS * stay.night_count() * rooms)),
            cancellation_policy: None,
        };
        Ok(demand.iter().map(|demand| price(demand.room_type_id)).collect())
    }
}

fn euros(amount: i32) -> Money {
    Money { currency_code: "EUR".into(), amount: format!("{amount}.00") }
}
