//! The hotel service, as far as payments need it.

use staymesh_api::hotel::v1::{
    GetHotelRequest, GetRoomTypeRequest, Hotel, RoomType, hotel_service_client::HotelServiceClient,
};
use staymesh_domain::HotelId;
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// What a stay is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The hotel's name.
    pub hotel: String,
    /// The city it is in.
    pub city: String,
    /// The name of the room type.
    pub room_type: String,
}

/// The hotel service. Every call may be repeated.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait Hotels: Send + Sync + 'static {
    /// Requires that there is such a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND` when there never was or it is deleted.
    async fn require(&self, id: HotelId) -> Result<(), Problem>;

    /// What hotel and room type are called; none when they are no more, or nobody answers. Names are not worth an error.
    async fn place(&self, id: HotelId, room_type_id: i32) -> Option<Place>;
}

/// The hotel service over the mesh.
#[derive(Clone)]
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

    async fn place(&self, id: HotelId, room_type_id: i32) -> Option<Place> {
        let (mut hotels, mut rooms) = (self.hotels.clone(), self.hotels.clone());
        let hotel_id = id.get();
        let (hotel, room_type) = tokio::join!(
            hotels.get_hotel(GetHotelRequest { hotel_id }),
            rooms.get_room_type(GetRoomTypeRequest { hotel_id, room_type_id }),
        );
        let Hotel { display_name: hotel, address, .. } = hotel.ok()?.into_inner().hotel?;
        let RoomType { display_name: room_type, .. } = room_type.ok()?.into_inner().room_type?;
        Some(Place { hotel, city: address.unwrap_or_default().city, room_type })
    }
}
