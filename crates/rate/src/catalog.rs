//! What the hotel service is asked before a price is set.

use std::future::Future;

use staymesh_api::hotel::v1::{GetHotelRequest, GetRoomTypeRequest, hotel_service_client::HotelServiceClient};
use staymesh_domain::Currency;
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Whoever knows the hotels.
#[cfg_attr(test, mockall::automock)]
pub trait Catalog: Send + Sync + 'static {
    /// The currency of a hotel. Refused with `HOTEL_NOT_FOUND`, or `DEPENDENCY_UNAVAILABLE` when nobody answers.
    fn currency(&self, hotel_id: i32) -> impl Future<Output = Result<Currency, Problem>> + Send;

    /// Refuses a room type that the hotel does not have with `ROOM_TYPE_NOT_FOUND`.
    fn require_room_type(&self, hotel_id: i32, room_type_id: i32) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// The hotel service.
pub struct Hotels {
    client: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl Hotels {
    /// The hotel service behind a channel.
    pub fn new(channel: MeshChannel) -> Self {
        Self { client: HotelServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

// The calls below own their clients: ones that borrowed them would make futures that cannot be sent between threads.
impl Catalog for Hotels {
    async fn currency(&self, hotel_id: i32) -> Result<Currency, Problem> {
        let client = self.client.clone();
        let call = move || {
            let mut client = client.clone();
            async move { client.get_hotel(GetHotelRequest { hotel_id }).await }
        };
        let answer = retry(&self.budget, call).await.map_err(|status| Problem::from_dependency("hotel", &status))?;
        let hotel = answer.into_inner().hotel.unwrap_or_default();
        hotel
            .currency_code
            .parse()
            .map_err(|error| Problem::internal(&format!("currency of hotel {hotel_id}: {error}")))
    }

    async fn require_room_type(&self, hotel_id: i32, room_type_id: i32) -> Result<(), Problem> {
        let client = self.client.clone();
        let call = move || {
            let mut client = client.clone();
            async move { client.get_room_type(GetRoomTypeRequest { hotel_id, room_type_id }).await }
        };
        let answer = retry(&self.budget, call).await;
        answer.map(drop).map_err(|status| Problem::from_dependency("hotel", &status))
    }
}
