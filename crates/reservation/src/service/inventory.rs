//! What staff put on sale.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{DateRange, HotelId, RoomTypeId};

use super::Service;
use crate::{
    error::ReservationError,
    extend::today,
    store::{InventoryChange, InventoryNight},
};

impl Service {
    /// Sets what is for sale, all or nothing. Every room type must belong to the hotel.
    pub(crate) async fn set_inventory(
        &self,
        hotel_id: HotelId,
        changes: &[InventoryChange],
    ) -> Result<i32, ReservationError> {
        let mut checked = Vec::new();
        for change in changes {
            if !checked.contains(&change.room_type_id) {
                self.hotels.room_type(hotel_id, change.room_type_id).await?;
                checked.push(change.room_type_id);
            }
        }
        let nights = self.store.set_inventory(hotel_id, changes).await?;
        Ok(i32::try_from(nights).unwrap_or(i32::MAX))
    }

    /// What is for sale and sold, night by night.
    pub(crate) async fn list_inventory(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        nights: DateRange,
        after: Option<Date>,
        limit: i64,
    ) -> Result<Vec<InventoryNight>, ReservationError> {
        self.store.list_inventory(hotel_id, room_type_id, nights, after, limit).await
    }

    /// Takes a hotel or a room type off sale.
    pub(crate) async fn retire(
        &self,
        hotel_id: HotelId,
        room_type_id: Option<RoomTypeId>,
        now: Timestamp,
    ) -> Result<(), ReservationError> {
        self.store.retire(hotel_id, room_type_id, today(now)).await
    }
}
