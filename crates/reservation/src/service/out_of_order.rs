//! Rooms that are out of order.

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, HotelId};
use staymesh_mesh::{Problem, Reason};
use uuid::Uuid;

use super::BookingService;
use crate::{
    error::ReservationError,
    store::{NewOutOfOrder, OutOfOrder, OutOfOrderFilter},
};

impl BookingService {
    /// Blocks a room of the hotel. Idempotent by the block's id.
    ///
    /// # Errors
    /// `REQUEST_ID_REUSED`, a violation of `out_of_order.from_date` if that is in the past at the hotel, `ROOM_NOT_FOUND`,
    /// and when the hotel service or the database fails.
    pub(crate) async fn create_out_of_order(
        &self,
        hotel_id: HotelId,
        new: NewOutOfOrder,
        now: Timestamp,
    ) -> Result<OutOfOrder, ReservationError> {
        // First: the room of a repeated request may be deleted, and its first night past.
        if let Some(known) = self.store.out_of_order(new.id).await? {
            return same(known, hotel_id, &new);
        }
        if !self.past_nights(hotel_id, &[new.nights], now).await?.is_empty() {
            return Err(FieldError::new("out_of_order.from_date", "must not be in the past").into());
        }
        let room_type_id = self.hotels.room_type_of(hotel_id, new.room_id).await?;
        same(self.store.create_out_of_order(hotel_id, &new, room_type_id).await?, hotel_id, &new)
    }

    /// Ends a block of a room, today at the hotel by default.
    ///
    /// # Errors
    /// [`ReservationError::OutOfOrderNotFound`], a violation of `end_date` if that is in the past at the hotel, and when the
    /// hotel service or the database fails.
    pub(crate) async fn end_out_of_order(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        end: Option<Date>,
        now: Timestamp,
    ) -> Result<OutOfOrder, ReservationError> {
        let today = self.hotels.hotel_time(hotel_id).await?.today(now)?;
        let end = end.unwrap_or(today);
        if end < today {
            return Err(FieldError::new("end_date", "must not be in the past").into());
        }
        self.store.end_out_of_order(hotel_id, id, end).await
    }

    /// The blocks of rooms after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn list_out_of_order(
        &self,
        hotel_id: HotelId,
        filter: &OutOfOrderFilter,
        after: Option<(Date, Uuid)>,
        limit: i64,
    ) -> Result<Vec<OutOfOrder>, ReservationError> {
        self.store.list_out_of_order(hotel_id, filter, after, limit).await
    }
}

/// The block, if it is what the request creates.
fn same(block: OutOfOrder, hotel_id: HotelId, new: &NewOutOfOrder) -> Result<OutOfOrder, ReservationError> {
    if block.is_from(hotel_id, new) {
        return Ok(block);
    }
    Err(Problem::new(Reason::RequestIdReused, "the request id was used before with other content").into())
}

#[cfg(test)]
mod tests;
