//! Client of the hotel service, which knows what hotels there are.

use staymesh_api::hotel::v1::{GetHotelRequest, hotel_service_client::HotelServiceClient};
use staymesh_domain::HotelId;
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Whether hotels exist.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait HotelClient: Send + Sync + 'static {
    /// Requires that the hotel exists.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND` if it never existed or is deleted; `DEPENDENCY_UNAVAILABLE` if the hotel service does not answer.
    async fn require_hotel(&self, id: HotelId) -> Result<(), Problem>;
}

/// [`HotelClient`] over gRPC.
pub(crate) struct GrpcHotelClient {
    hotels: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcHotelClient {
    /// A client that calls through `channel`.
    pub(crate) fn new(channel: MeshChannel) -> Self {
        Self { hotels: HotelServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl HotelClient for GrpcHotelClient {
    async fn require_hotel(&self, id: HotelId) -> Result<(), Problem> {
        let answer = retry(&self.budget, || {
            let mut hotels = self.hotels.clone();
            async move { hotels.get_hotel(GetHotelRequest { hotel_id: id.get() }).await }
        });
        answer.await.map(drop).map_err(|status| Problem::from_dependency("hotel", &status))
    }
}
