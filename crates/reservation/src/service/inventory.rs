//! What hotel staff put on sale.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use sqlx::PgPool;
use staymesh_domain::{DateRange, HotelId, HotelTime, RoomTypeId};

use super::BookingService;
use crate::{
    calendar::today,
    error::ReservationError,
    store::{InventoryChange, InventoryNight, InventorySet, RelocationsDue, StopSellChange},
};

impl BookingService {
    /// The database, for the audit records.
    pub(crate) fn pool(&self) -> &PgPool {
        self.store.pool()
    }

    /// The positions of ranges that begin before today at the hotel. Its calendar is read only if it decides.
    ///
    /// # Errors
    /// When the hotel service fails, and `HOTEL_NOT_FOUND`.
    pub(crate) async fn past_nights(
        &self,
        hotel_id: HotelId,
        ranges: &[DateRange],
        now: Timestamp,
    ) -> Result<Vec<usize>, ReservationError> {
        let (_, latest) = HotelTime::today_anywhere(now);
        if ranges.iter().all(|nights| latest <= nights.from()) {
            return Ok(vec![]);
        }
        let today = self.hotels.hotel_time(hotel_id).await?.today(now)?;
        let past = ranges.iter().enumerate().filter(|(_, nights)| nights.from() < today);
        Ok(past.map(|(at, _)| at).collect())
    }

    /// Sets the inventory of nights, all or nothing. Every room type must belong to the hotel.
    ///
    /// # Errors
    /// [`ReservationError::BelowReserved`], [`ReservationError::EtagMismatch`], unknown room types, and when the hotel
    /// service or the database fails.
    pub(crate) async fn set_inventory(
        &self,
        hotel_id: HotelId,
        changes: &[InventoryChange],
    ) -> Result<InventorySet, ReservationError> {
        let mut checked = Vec::new();
        for change in changes {
            if !checked.contains(&change.room_type_id) {
                self.hotels.room_type(hotel_id, change.room_type_id).await?;
                checked.push(change.room_type_id);
            }
        }
        self.store.set_inventory(hotel_id, changes).await
    }

    /// Closes or reopens nights of room types of the hotel, or of all that it has if the change names none.
    ///
    /// # Errors
    /// [`ReservationError::EtagMismatch`], unknown room types, and when the hotel service or the database fails.
    pub(crate) async fn set_stop_sell(
        &self,
        hotel_id: HotelId,
        mut change: StopSellChange,
    ) -> Result<InventorySet, ReservationError> {
        let known = self.hotels.room_types(hotel_id).await?;
        let known: BTreeSet<RoomTypeId> = known.into_iter().map(|room_type| room_type.room_type_id).collect();
        if change.room_types.is_empty() {
            change.room_types = known;
        } else if let Some(unknown) = change.room_types.difference(&known).next() {
            // The refusal of the hotel service names it.
            self.hotels.room_type(hotel_id, *unknown).await?;
        }
        self.store.set_stop_sell(hotel_id, &change).await
    }

    /// The nights with relocations due after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn list_relocations_due(
        &self,
        hotel_id: HotelId,
        nights: DateRange,
        after: Option<(Date, i32)>,
        limit: i64,
    ) -> Result<Vec<RelocationsDue>, ReservationError> {
        self.store.list_relocations_due(hotel_id, nights, after, limit).await
    }

    /// The inventory, night by night, after `after`, and its etag.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn list_inventory(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        nights: DateRange,
        after: Option<Date>,
        limit: i64,
    ) -> Result<(Vec<InventoryNight>, String), ReservationError> {
        // The etag first: a change between the two reads makes the etag old instead of the nights.
        let etag = self.store.inventory_etag(hotel_id, room_type_id).await?;
        Ok((self.store.list_inventory(hotel_id, room_type_id, nights, after, limit).await?, etag))
    }

    /// Takes a hotel, or one room type, off sale from today on.
    ///
    /// # Errors
    /// [`ReservationError::HasFutureReservations`].
    pub(crate) async fn retire(
        &self,
        hotel_id: HotelId,
        room_type_id: Option<RoomTypeId>,
        now: Timestamp,
    ) -> Result<(), ReservationError> {
        self.store.retire(hotel_id, room_type_id, today(now)).await
    }
}

#[cfg(test)]
mod tests;
