//! Client of the hotel service: which room types a hotel has, their occupancy, its rules for children and its calendar.

use staymesh_api::hotel::v1::{
    self as proto, GetHotelRequest, GetRoomRequest, GetRoomTypeRequest, Hotel, ListRoomTypesRequest, ListRoomsRequest,
    Room, RoomType, hotel_service_client::HotelServiceClient,
};
use staymesh_domain::{AgeBand, AgeBands, ChildRules, HotelId, HotelTime, Occupancy, RoomId, RoomTypeId};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Most room types of a hotel that are read; a hotel cannot have more.
const MAX_ROOM_TYPES: i32 = 500;
/// Rooms of a hotel that are read at a time.
const ROOMS_PAGE: i32 = 500;
/// Most pages of rooms: 10,000 rooms, the most that a night can have on sale.
const MAX_ROOM_PAGES: i32 = 20;

/// The part of a room type that booking needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomTypeInfo {
    /// The room type, unique within its hotel.
    pub room_type_id: RoomTypeId,
    /// Name shown to guests.
    pub display_name: String,
    /// Whom one room sleeps.
    pub occupancy: Occupancy,
}

impl TryFrom<RoomType> for RoomTypeInfo {
    type Error = Problem;

    fn try_from(room_type: RoomType) -> Result<Self, Problem> {
        let internal = |error| Problem::internal(&error);
        Ok(Self {
            occupancy: occupancy(&room_type).validated().map_err(|error| Problem::internal(&error))?,
            room_type_id: RoomTypeId::try_from(room_type.room_type_id).map_err(internal)?,
            display_name: room_type.display_name,
        })
    }
}

/// The occupancy of a room type. A hotel service of the release before sends `max_occupancy` alone: places for adults.
fn occupancy(room_type: &RoomType) -> Occupancy {
    let of_adults = Occupancy::of_adults(room_type.max_occupancy);
    let max_adults = room_type.max_adults.unwrap_or(of_adults.max_adults);
    Occupancy {
        base: room_type.base_occupancy.unwrap_or(max_adults),
        max_occupancy: room_type.max_occupancy,
        max_adults,
        max_children: room_type.max_children,
        max_infants: room_type.max_infants,
        max_extra_beds: room_type.max_extra_beds,
    }
}

/// The part of a room that the front desk needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInfo {
    /// The room.
    pub room_id: RoomId,
    /// Its type.
    pub room_type_id: RoomTypeId,
    /// Its number, unique within its hotel.
    pub room_number: String,
}

impl TryFrom<Room> for RoomInfo {
    type Error = Problem;

    fn try_from(room: Room) -> Result<Self, Problem> {
        let internal = |error| Problem::internal(&error);
        Ok(Self {
            room_id: RoomId::try_from(room.room_id).map_err(internal)?,
            room_type_id: RoomTypeId::try_from(room.room_type_id).map_err(internal)?,
            room_number: room.room_number,
        })
    }
}

/// The part of a hotel that booking needs.
#[derive(Clone, Debug, PartialEq)]
pub struct HotelInfo {
    /// Its calendar.
    pub time: HotelTime,
    /// Its rules for children.
    pub child_rules: ChildRules,
    /// Whether guests are checked in only after they have a room with a door.
    pub room_required_at_check_in: bool,
}

/// The rules of a hotel for children.
fn child_rules(hotel: Hotel) -> Result<ChildRules, Problem> {
    let band = |band: proto::AgeBand| AgeBand { code: band.code, min_age: band.min_age, max_age: band.max_age };
    let age_bands = AgeBands::new(hotel.age_bands.into_iter().map(band).collect());
    let age_bands = age_bands.map_err(|_| Problem::internal(&"the hotel service sent age bands that are not valid"))?;
    Ok(ChildRules { age_bands, min_child_age: hotel.min_child_age })
}

/// The calendar of a hotel.
fn hotel_time(hotel: &Hotel) -> Result<HotelTime, Problem> {
    HotelTime::parse(&hotel.time_zone, &hotel.check_in_time, &hotel.day_rollover)
        .map_err(|error| Problem::internal(&format!("the hotel service sent {}: {error}", error.field())))
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

    /// The type of a room.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, `ROOM_NOT_FOUND`, or that the hotel service is unavailable.
    async fn room_type_of(&self, hotel_id: HotelId, room_id: RoomId) -> Result<RoomTypeId, Problem>;

    /// A room of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, `ROOM_NOT_FOUND`, or that the hotel service is unavailable.
    async fn room(&self, hotel_id: HotelId, room_id: RoomId) -> Result<RoomInfo, Problem>;

    /// All rooms of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, that the hotel service is unavailable, or that the hotel has more rooms than are read.
    async fn rooms(&self, hotel_id: HotelId) -> Result<Vec<RoomInfo>, Problem>;

    /// A hotel.
    ///
    /// # Errors
    /// As [`Self::hotel_time`], and that its age bands are not valid.
    async fn hotel(&self, hotel_id: HotelId) -> Result<HotelInfo, Problem>;

    /// The calendar of a hotel, whatever else of it is not valid.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, that the hotel service is unavailable, or that it knows a zone which this release does not.
    async fn hotel_time(&self, hotel_id: HotelId) -> Result<HotelTime, Problem>;
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

    async fn get_hotel(&self, hotel_id: HotelId) -> Result<Hotel, Problem> {
        let request = GetHotelRequest { hotel_id: hotel_id.get() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request);
            async move { client.get_hotel(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        Ok(response.into_inner())
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

    async fn room_type_of(&self, hotel_id: HotelId, room_id: RoomId) -> Result<RoomTypeId, Problem> {
        let request = GetRoomRequest { hotel_id: hotel_id.get(), room_id: room_id.get() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request);
            async move { client.get_room(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        RoomTypeId::try_from(response.into_inner().room_type_id).map_err(|error| Problem::internal(&error))
    }

    async fn room(&self, hotel_id: HotelId, room_id: RoomId) -> Result<RoomInfo, Problem> {
        let request = GetRoomRequest { hotel_id: hotel_id.get(), room_id: room_id.get() };
        let response = retry(&self.budget, || {
            let (mut client, request) = (self.client.clone(), request);
            async move { client.get_room(request).await }
        })
        .await
        .map_err(|status| Problem::from_dependency("hotel", &status))?;
        response.into_inner().try_into()
    }

    async fn rooms(&self, hotel_id: HotelId) -> Result<Vec<RoomInfo>, Problem> {
        let mut request = ListRoomsRequest { hotel_id: hotel_id.get(), page_size: ROOMS_PAGE, ..Default::default() };
        let mut rooms = Vec::new();
        for _ in 0..MAX_ROOM_PAGES {
            let response = retry(&self.budget, || {
                let (mut client, request) = (self.client.clone(), request.clone());
                async move { client.list_rooms(request).await }
            })
            .await
            .map_err(|status| Problem::from_dependency("hotel", &status))?
            .into_inner();
            for room in response.rooms {
                rooms.push(RoomInfo::try_from(room)?);
            }
            if response.next_page_token.is_empty() {
                return Ok(rooms);
            }
            request.page_token = response.next_page_token;
        }
        Err(Problem::internal(&"a hotel has more rooms than can be read"))
    }

    async fn hotel(&self, hotel_id: HotelId) -> Result<HotelInfo, Problem> {
        let hotel = self.get_hotel(hotel_id).await?;
        let room_required_at_check_in = hotel.room_required_at_check_in;
        Ok(HotelInfo { time: hotel_time(&hotel)?, room_required_at_check_in, child_rules: child_rules(hotel)? })
    }

    async fn hotel_time(&self, hotel_id: HotelId) -> Result<HotelTime, Problem> {
        hotel_time(&self.get_hotel(hotel_id).await?)
    }
}

#[cfg(test)]
mod tests {
    use staymesh_mesh::Reason;

    use super::*;

    #[test]
    fn room_type_of_the_release_before_sleeps_adults_alone() {
        let room_type = RoomType { room_type_id: 1, max_occupancy: 3, ..RoomType::default() };
        let info = RoomTypeInfo::try_from(room_type.clone()).unwrap();
        assert_eq!(info.occupancy, Occupancy::of_adults(3));
        let for_a_family = RoomType { max_adults: Some(2), max_children: 1, ..room_type };
        let info = RoomTypeInfo::try_from(for_a_family).unwrap();
        assert_eq!((info.occupancy.base, info.occupancy.max_adults, info.occupancy.max_children), (2, 2, 1));
    }

    #[test]
    fn impossible_occupancy_and_age_bands_are_internal_errors() {
        let room_type = RoomType { room_type_id: 1, max_occupancy: 0, ..RoomType::default() };
        assert_eq!(RoomTypeInfo::try_from(room_type).unwrap_err().reason(), Reason::Internal);
        let bands = vec![proto::AgeBand { code: "CHILD".into(), min_age: 1, max_age: 11 }];
        let hotel = Hotel { age_bands: bands, ..Hotel::default() };
        assert_eq!(child_rules(hotel).unwrap_err().reason(), Reason::Internal);
    }
}
