//! Whether the parties of a booking fit the rooms that they ask for.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use staymesh_domain::{HotelId, Party, RoomTypeId};
use staymesh_mesh::Problem;

use super::BookingService;
use crate::{clients::RoomTypeInfo, error::ReservationError, fit::require_fit};

impl BookingService {
    /// Checks that every party fits its room, and returns the room types, each once.
    ///
    /// # Errors
    /// [`ReservationError::Misfit`] with the first room whose party does not fit, `HOTEL_NOT_FOUND`, `ROOM_TYPE_NOT_FOUND`,
    /// and when the hotel service fails.
    pub(crate) async fn require_parties_fit<'a>(
        &self,
        hotel_id: HotelId,
        rooms: &[(RoomTypeId, &'a Party)],
    ) -> Result<BTreeMap<RoomTypeId, RoomTypeInfo>, ReservationError> {
        let ids: BTreeSet<RoomTypeId> = rooms.iter().map(|(room_type_id, _)| *room_type_id).collect();
        let room_types = try_join_all(ids.into_iter().map(|id| self.hotels.room_type(hotel_id, id)));
        let (room_types, rules) = tokio::join!(room_types, self.hotels.child_rules(hotel_id));
        let room_types: BTreeMap<_, _> = room_types?.into_iter().map(|info| (info.room_type_id, info)).collect();
        let occupied = |(id, party): &(RoomTypeId, &'a Party)| {
            let room_type =
                room_types.get(id).ok_or_else(|| Problem::internal(&"the hotel service sent another room type"));
            room_type.map(|room_type| (&room_type.occupancy, *party))
        };
        require_fit(&rules?, rooms.iter().map(occupied).collect::<Result<Vec<_>, _>>()?)?;
        Ok(room_types)
    }
}
