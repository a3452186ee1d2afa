//! Client of the hotel service, which owns hotels, their currencies and their room types.

use staymesh_api::hotel::v1::{GetHotelRequest, GetRoomTypeRequest, hotel_service_client::HotelServiceClient};
use staymesh_domain::{Currency, HotelId, RoomTypeId};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Calls of the hotel service that the rate service needs.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait HotelClient: Send + Sync + 'static {
    /// The currency of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`; `DEPENDENCY_UNAVAILABLE` when the hotel service does not respond.
    async fn currency(&self, hotel_id: HotelId) -> Result<Currency, Problem>;

    /// Checks that a hotel has a room type.
    ///
    /// # Errors
    /// `ROOM_TYPE_NOT_FOUND`; `DEPENDENCY_UNAVAILABLE` when the hotel service does not respond.
    async fn require_room_type(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<(), Problem>;
}

/// [`HotelClient`] over gRPC, with retries within a [`RetryBudget`].
pub(crate) struct GrpcHotelClient {
    client: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcHotelClient {
    /// A client that calls through `channel`.
    pub(crate) fn new(channel: MeshChannel) -> Self {
        Self { client: HotelServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

// Each attempt below owns its client: a future that borrowed it could not be sent between threads.
#[tonic::async_trait]
impl HotelClient for GrpcHotelClient {
    async fn currency(&self, hotel_id: HotelId) -> Result<Currency, Problem> {
        let request = GetHotelRequest { hotel_id: hotel_id.get() };
        let client = self.client.clone();
        let call = move || {
            let mut client = client.clone();
            async move { client.get_hotel(request).await }
        };
        let response = retry(&self.budget, call).await.map_err(|status| Problem::from_dependency("hotel", &status))?;
        let invalid = |error: &str| Problem::internal(&format!("hotel service, GetHotel({hotel_id}): {error}"));
        response.into_inner().currency_code.parse::<Currency>().map_err(|error| invalid(&error.to_string()))
    }

    async fn require_room_type(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<(), Problem> {
        let request = GetRoomTypeRequest { hotel_id: hotel_id.get(), room_type_id: room_type_id.get() };
        let client = self.client.clone();
        let call = move || {
            let mut client = client.clone();
            async move { client.get_room_type(request).await }
        };
        let response = retry(&self.budget, call).await;
        response.map(drop).map_err(|status| Problem::from_dependency("hotel", &status))
    }
}
