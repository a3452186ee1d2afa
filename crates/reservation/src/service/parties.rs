//! Whether the parties of a booking fit the rooms that they ask for.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use staymesh_domain::{ChildRules, HotelId, Party, RoomTypeId};
use staymesh_mesh::Problem;

use super::BookingService;
use crate::{clients::RoomTypeInfo, error::ReservationError, fit};

impl BookingService {
    /// The room types of a hotel with these ids, at most 50. All are read at the same time.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, `ROOM_TYPE_NOT_FOUND`, and when the hotel service fails.
    pub(super) async fn room_types(
        &self,
        hotel_id: HotelId,
        ids: &BTreeSet<RoomTypeId>,
    ) -> Result<BTreeMap<RoomTypeId, RoomTypeInfo>, ReservationError> {
        let room_types = try_join_all(ids.iter().map(|id| self.hotels.room_type(hotel_id, *id))).await?;
        Ok(room_types.into_iter().map(|info| (info.room_type_id, info)).collect())
    }
}

/// Checks that every party fits its room.
///
/// # Errors
/// [`ReservationError::Misfit`] with the first room whose party does not fit, and when a room type is missing.
pub(super) fn require_parties_fit<'a>(
    rules: &ChildRules,
    room_types: &'a BTreeMap<RoomTypeId, RoomTypeInfo>,
    rooms: impl IntoIterator<Item = (RoomTypeId, &'a Party)>,
) -> Result<(), ReservationError> {
    let occupied = |(room_type_id, party)| {
        let room_type = room_types.get(&room_type_id);
        let room_type = room_type.ok_or_else(|| Problem::internal(&"the hotel service sent another room type"))?;
        Ok::<_, ReservationError>((&room_type.occupancy, party))
    };
    let occupied = rooms.into_iter().map(occupied).collect::<Result<Vec<_>, _>>()?;
    Ok(fit::require_fit(rules, occupied)?)
}
