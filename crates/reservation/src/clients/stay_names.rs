//! Client of the hotel service: how guests know a hotel and its room types.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
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
    /// Name of each room type.
    pub(crate) room_types: BTreeMap<RoomTypeId, String>,
    /// Time zone of the hotel.
    pub(crate) zone: TimeZone,
}

/// Looks up names.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub(crate) trait StayNameClient: Send + Sync + 'static {
    /// The names of room types and their hotel.
    ///
    /// # Errors
    /// The status of the call, which says whether a retry can help.
    async fn names(&self, hotel_id: HotelId, room_types: BTreeSet<RoomTypeId>) -> Result<StayNames, Status>;
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
    async fn names(&self, hotel_id: HotelId, room_types: BTreeSet<RoomTypeId>) -> Result<StayNames, Status> {
        let missing = |what: &str| Status::internal(format!("the hotel service sent no {what}"));
        let mut hotels = self.0.clone();
        let hotel = hotels.get_hotel(GetHotelRequest { hotel_id: hotel_id.get() });
        let room_types = room_types.into_iter().map(|id| async move {
            let request = GetRoomTypeRequest { hotel_id: hotel_id.get(), room_type_id: id.get() };
            Ok::<_, Status>((id, self.0.clone().get_room_type(request).await?.into_inner().display_name))
        });
        let (hotel, room_types) = tokio::try_join!(hotel, try_join_all(room_types))?;
        let hotel = hotel.into_inner();
        let city = hotel.address.map(|address| address.city).ok_or_else(|| missing("address"))?;
        Ok(StayNames {
            hotel: format!("{}, {city}", hotel.display_name),
            room_types: room_types.into_iter().collect(),
            zone: time_zone(&hotel.time_zone).ok_or_else(|| missing("known time zone"))?,
        })
    }
}
