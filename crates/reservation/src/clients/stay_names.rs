//! Client of the hotel service: how guests know a hotel and a room type.

use jiff::tz::TimeZone;
use staymesh_api::hotel::v1::{GetHotelRequest, GetRoomTypeRequest, hotel_service_client::HotelServiceClient};
use staymesh_domain::{HotelId, RoomTypeId, time_zone};
use staymesh_mesh::client::MeshChannel;
use tonic::Status;

/// Names of a stay, as they are shown to guests.
#[derive(Clone, Debug)]
pub(crate) struct StayNames {
    /// Name and city of the hotel.
    pub(crate) hotel: String,
    /// Name of the room type.
    pub(crate) room_type: String,
    /// Time zone of the hotel.
    pub(crate) zone: TimeZone,
}

/// Looks up names.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait StayNameClient: Send + Sync + 'static {
    /// The names of a room type and its hotel.
    ///
    /// # Errors
    /// The status of the call, which says whether a retry can help.
    async fn names(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<StayNames, Status>;
}

/// [`StayNameClient`] over gRPC. It does not retry: the outbox relay does.
pub(crate) struct GrpcStayNameClient(HotelServiceClient<MeshChannel>);

impl GrpcStayNameClient {
    pub(crate) fn new(channel: MeshChannel) -> Self {
        Self(HotelServiceClient::new(channel))
    }
}

#[tonic::async_trait]
impl StayNameClient for GrpcStayNameClient {
    async fn names(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<StayNames, Status> {
        let missing = |what: &str| Status::internal(format!("the hotel service sent no {what}"));
        let (mut hotels, mut room_types) = (self.0.clone(), self.0.clone());
        let hotel = hotels.get_hotel(GetHotelRequest { hotel_id: hotel_id.get() });
        let (hotel_id, room_type_id) = (hotel_id.get(), room_type_id.get());
        let room_type = room_types.get_room_type(GetRoomTypeRequest { hotel_id, room_type_id });
        let (hotel, room_type) = tokio::try_join!(hotel, room_type)?;
        let hotel = hotel.into_inner();
        let city = hotel.address.map(|address| address.city).ok_or_else(|| missing("address"))?;
        Ok(StayNames {
            hotel: format!("{}, {city}", hotel.display_name),
            room_type: room_type.into_inner().display_name,
            zone: time_zone(&hotel.time_zone).ok_or_else(|| missing("known time zone"))?,
        })
    }
}
