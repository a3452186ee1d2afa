//! The hotel service, as far as a status page needs it: for names alone.

use staymesh_api::hotel::v1::{
    GetHotelRequest, GetRoomTypeRequest, Hotel, RoomType, hotel_service_client::HotelServiceClient,
};
use staymesh_domain::HotelId;
use staymesh_mesh::client::MeshChannel;

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

/// Whoever knows the hotels.
#[cfg_attr(test, mockall::automock)]
pub trait Hotels: Send + Sync + 'static {
    /// What hotel and room type are called; none when they are no more, or nobody answers. Names are not worth an error.
    fn place(&self, hotel_id: HotelId, room_type_id: i32) -> impl Future<Output = Option<Place>> + Send;
}

/// The hotel service over the mesh.
#[derive(Clone)]
pub struct MeshHotels(HotelServiceClient<MeshChannel>);

impl MeshHotels {
    /// Calls through this channel.
    pub fn new(channel: MeshChannel) -> Self {
        Self(HotelServiceClient::new(channel))
    }
}

impl Hotels for MeshHotels {
    async fn place(&self, hotel_id: HotelId, room_type_id: i32) -> Option<Place> {
        let (mut hotels, mut rooms) = (self.0.clone(), self.0.clone());
        let hotel_id = hotel_id.get();
        let (hotel, room_type) = tokio::join!(
            hotels.get_hotel(GetHotelRequest { hotel_id }),
            rooms.get_room_type(GetRoomTypeRequest { hotel_id, room_type_id }),
        );
        let Hotel { display_name: hotel, address, .. } = hotel.ok()?.into_inner().hotel?;
        let RoomType { display_name: room_type, .. } = room_type.ok()?.into_inner().room_type?;
        Some(Place { hotel, city: address.unwrap_or_default().city, room_type })
    }
}
