//! Client of the hotel service: which room types a hotel has.

use jiff::tz::TimeZone;
use staymesh_api::hotel::v1::{
    GetHotelRequest, GetRoomTypeRequest, ListRoomTypesRequest, RoomType, hotel_service_client::HotelServiceClient,
};
use staymesh_domain::{HotelId, RoomTypeId, time_zone};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Most room types of a hotel that are read; a hotel cannot have more.
const MAX_ROOM_TYPES: i32 = 500;

/// The part of a room type that booking needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomTypeInfo {
    /// The room type, unique within its hotel.
    pub room_type_id: RoomTypeId,
    /// Name shown to guests.
    pub display_name: String,
    /// Guests who may sleep in one room, at least 1.
    pub max_occupancy: i32,
}

impl TryFrom<RoomType> for RoomTypeInfo {
    type Error = Problem;

    fn try_from(room_type: RoomType) -> Result<Self, Problem> {
        Ok(Self {
            room_type_id: RoomTypeId::try_from(room_type.room_type_id).map_err(|error| Problem::internal(&error))?,
            display_name: room_type.display_name,
            max_occupancy: room_type.max_occupancy,
        })
    }
}

/// Reads hotels and room types from the hotel service.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait HotelClient: Send + Sync {
    /// All room types of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, or that the hotel service is unavailable.
    async fn room_types(&self, hotel_id: HotelId) -> Result<Vec<RoomTypeInfo>, Problem>;

    /// One room type of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, `ROOM_TYPE_NOT_FOUND`, or that the hotel service is unavailable.
    async fn room_type(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomTypeInfo, Problem>;

    /// The time zone of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, that the hotel service is unavailable, or that it knows a zone which this release does not.
    async fn time_zone(&self, hotel_id: HotelId) -> Result<TimeZone, Problem>;
}

/// [`HotelClient`] over gRPC. Reads are retried within a retry budget.
pub(crate) struct GrpcHotelClient {
    client: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcHotelClient {
    pub(crate) fn new(client: HotelServiceClient<MeshChannel>) -> Self {
        Self { client, budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl HotelClient for GrpcHotelClient {
    async fn room_types(&self, hotel_id: HotelId) -> Result<Vec<RoomTypeInfo>, Problem> {
        let request =
            ListRoomTypesRequest { hotel_id: hotel_id.get(), page_size: MAX_ROOM_TYPES, ..Default::default() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request.clone());
            async move { client.list_room_types(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        response.into_inner().room_types.into_iter().map(RoomTypeInfo::try_from).collect()
    }

    async fn room_type(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomTypeInfo, Problem> {
        let request = GetRoomTypeRequest { hotel_id: hotel_id.get(), room_type_id: room_type_id.get() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request);
            async move { client.get_room_type(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        response.into_inner().try_into()
    }

    async fn time_zone(&self, hotel_id: HotelId) -> Result<TimeZone, Problem> {
        let request = GetHotelRequest { hotel_id: hotel_id.get() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request);
            async move { client.get_hotel(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        let zone = time_zone(&response.into_inner().time_zone);
        zone.ok_or_else(|| Problem::internal(&"the hotel service sent no time zone that is known"))
    }
}
