//! The hotel service, as far as payments need it.

use staymesh_api::hotel::v1::{GetHotelRequest, hotel_service_client::HotelServiceClient};
use staymesh_domain::HotelId;
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// The hotel service. Every call may be repeated.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait Hotels: Send + Sync {
    /// Requires that there is such a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND` when there never was or it is deleted.
    async fn require(&self, id: HotelId) -> Result<(), Problem>;
}

/// The hotel service over the mesh.
pub struct MeshHotels {
    hotels: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl MeshHotels {
    /// Calls through this channel.
    pub fn new(channel: MeshChannel) -> Self {
        Self { hotels: HotelServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl Hotels for MeshHotels {
    async fn require(&self, id: HotelId) -> Result<(), Problem> {
        let request = GetHotelRequest { hotel_id: id.get() };
        let answer = retry(&self.budget, || {
            let (mut hotels, request) = (self.hotels.clone(), request);
            async move { hotels.get_hotel(request).await }
        });
        answer.await.map(drop).map_err(|status| Problem::from_dependency("hotel", &status))
    }
}
