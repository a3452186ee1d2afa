//! What this service asks of the hotel and the rate service.

use staymesh_api::{
    hotel::v1::{GetRoomTypeRequest, ListRoomTypesRequest, RoomType, hotel_service_client::HotelServiceClient},
    rate::v1::{PriceStayRequest, RoomTypeDemand, StayPrice, pricing_service_client::PricingServiceClient},
};
use staymesh_domain::{HotelId, RoomTypeId, StayDates};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// What booking needs to know of a room type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomTypeInfo {
    /// Its id.
    pub room_type_id: i32,
    /// Its name.
    pub display_name: String,
    /// How many guests may sleep in one room of it.
    pub max_occupancy: i32,
}

impl From<RoomType> for RoomTypeInfo {
    fn from(room_type: RoomType) -> Self {
        Self {
            room_type_id: room_type.room_type_id,
            display_name: room_type.display_name,
            max_occupancy: room_type.max_occupancy,
        }
    }
}

/// The hotel service.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait Hotels: Send + Sync {
    /// The room types of a hotel; at most 500.
    async fn room_types(&self, hotel_id: HotelId) -> Result<Vec<RoomTypeInfo>, Problem>;
    /// One room type of a hotel.
    async fn room_type(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomTypeInfo, Problem>;
}

/// The rate service.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait Rates: Send + Sync {
    /// What a stay costs, for each room type that has a rate.
    async fn price(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        rooms: i32,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<StayPrice>, Problem>;
}

/// The hotel service over gRPC.
pub(crate) struct HotelClient {
    client: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl HotelClient {
    pub(crate) fn new(client: HotelServiceClient<MeshChannel>) -> Self {
        Self { client, budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl Hotels for HotelClient {
    async fn room_types(&self, hotel_id: HotelId) -> Result<Vec<RoomTypeInfo>, Problem> {
        let request = ListRoomTypesRequest { hotel_id: hotel_id.get(), page_size: 500, ..Default::default() };
        let answer = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request.clone());
            async move { client.list_room_types(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        Ok(answer.into_inner().room_types.into_iter().map(Into::into).collect())
    }

    async fn room_type(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomTypeInfo, Problem> {
        let request = GetRoomTypeRequest { hotel_id: hotel_id.get(), room_type_id: room_type_id.get() };
        let answer = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request);
            async move { client.get_room_type(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        let room_type = answer.into_inner().room_type;
        room_type.map(Into::into).ok_or_else(|| Problem::internal(&"the hotel service sent no room type"))
    }
}

/// The rate service over gRPC.
pub(crate) struct RateClient {
    client: PricingServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl RateClient {
    pub(crate) fn new(client: PricingServiceClient<MeshChannel>) -> Self {
        Self { client, budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl Rates for RateClient {
    async fn price(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        rooms: i32,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<StayPrice>, Problem> {
        let request = PriceStayRequest {
            hotel_id: hotel_id.get(),
            check_in: stay.check_in().to_string(),
            check_out: stay.check_out().to_string(),
            rooms,
            room_types: demand,
        };
        let answer = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request.clone());
            async move { client.price_stay(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("rate", &status))?;
        Ok(answer.into_inner().prices)
    }
}
