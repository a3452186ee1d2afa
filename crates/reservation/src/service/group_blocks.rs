//! Group blocks: rooms set aside for a group.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, HotelId, HotelTime, parse_local_time};
use staymesh_mesh::{Problem, Reason};
use uuid::Uuid;

use super::BookingService;
use crate::{
    error::ReservationError,
    group_block::{GroupBlock, GroupBlockKey, NewGroupBlock, RoomNights},
    store::{BlockChange, BlockPosition},
};

/// Most reservations that are shown with a block.
const MAX_PICK_UPS: i64 = 1_000;

impl BookingService {
    /// Creates a group block of the hotel. Idempotent by its id.
    ///
    /// # Errors
    /// `REQUEST_ID_REUSED`; a violation of `group_block.cutoff_date` if the cut-off is past or after the first night, or of
    /// `group_block.rooms` if a night is past; `ROOM_TYPE_NOT_FOUND`; and as
    /// [`crate::store::Store::create_group_block`].
    pub(crate) async fn create_group_block(
        &self,
        hotel_id: HotelId,
        new: NewGroupBlock,
        now: Timestamp,
    ) -> Result<GroupBlock, ReservationError> {
        // First: the cut-off of a repeated request may have come.
        if let Some(known) = self.store.any_group_block(new.id).await? {
            return same(known, hotel_id, &new);
        }
        let time = self.hotels.hotel_time(hotel_id).await?;
        let cutoff = cutoff_of(&time, &new, now)?;
        require_nights(&time, &new.rooms, new.cutoff_date, now).map_err(|error| error.under("group_block"))?;
        self.require_room_types(hotel_id, &new.rooms).await?;
        same(self.store.create_group_block(hotel_id, &new, cutoff).await?, hotel_id, &new)
    }

    /// Sets the rooms of some nights of a block.
    ///
    /// # Errors
    /// A violation of `rooms` if a night is past or before the cut-off, `ROOM_TYPE_NOT_FOUND`, and as
    /// [`Self::change_group_block`].
    pub(crate) async fn resize_group_block(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        rooms: RoomNights<i32>,
        now: Timestamp,
    ) -> Result<GroupBlock, ReservationError> {
        let block = self.store.group_block(hotel_id, &GroupBlockKey::Id(id)).await?;
        let time = self.hotels.hotel_time(hotel_id).await?;
        require_nights(&time, &rooms, block.cutoff_date, now)?;
        self.require_room_types(hotel_id, &rooms).await?;
        self.change_group_block(hotel_id, id, &BlockChange::Resize(rooms), now).await
    }

    /// Changes a block. Idempotent.
    ///
    /// # Errors
    /// As [`crate::store::Store::change_group_block`].
    pub(crate) async fn change_group_block(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        change: &BlockChange,
        now: Timestamp,
    ) -> Result<GroupBlock, ReservationError> {
        self.store.change_group_block(hotel_id, id, change, now).await
    }

    /// A block, and the reservations that were made out of it.
    ///
    /// # Errors
    /// [`ReservationError::BlockNotFound`].
    pub(crate) async fn group_block(
        &self,
        hotel_id: HotelId,
        id: Uuid,
    ) -> Result<(GroupBlock, Vec<Uuid>), ReservationError> {
        let block = self.store.group_block(hotel_id, &GroupBlockKey::Id(id)).await?;
        Ok((block, self.store.picked_up_by(hotel_id, id, MAX_PICK_UPS).await?))
    }

    /// The blocks of a hotel after `after`, without their nights.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn list_group_blocks(
        &self,
        hotel_id: HotelId,
        after: Option<BlockPosition>,
        limit: i64,
    ) -> Result<Vec<GroupBlock>, ReservationError> {
        self.store.list_group_blocks(hotel_id, after, limit).await
    }

    async fn require_room_types(&self, hotel_id: HotelId, rooms: &RoomNights<i32>) -> Result<(), ReservationError> {
        let asked: BTreeSet<_> = rooms.keys().map(|(room_type_id, _)| *room_type_id).collect();
        let known = self.hotels.room_types(hotel_id).await?;
        let known: BTreeSet<_> = known.into_iter().map(|room_type| room_type.room_type_id).collect();
        if let Some(unknown) = asked.difference(&known).next() {
            // The refusal of the hotel service names it.
            self.hotels.room_type(hotel_id, *unknown).await?;
        }
        Ok(())
    }
}

/// The instant of the cut-off by the hotel's clocks.
fn cutoff_of(time: &HotelTime, new: &NewGroupBlock, now: Timestamp) -> Result<Timestamp, ReservationError> {
    let at = parse_local_time(&new.cutoff_time).map_err(|error| Problem::internal(&error))?;
    let cutoff = time.instant(new.cutoff_date.to_datetime(at))?;
    if cutoff <= now {
        return Err(FieldError::new("group_block.cutoff_date", "must not be in the past").into());
    }
    Ok(cutoff)
}

/// Requires nights from today and from the day of the cut-off on: later none is left in the block.
fn require_nights(
    time: &HotelTime,
    rooms: &RoomNights<i32>,
    cutoff_date: Date,
    now: Timestamp,
) -> Result<(), FieldError> {
    let past = |_| FieldError::new("rooms", "must be within the calendar");
    let first = time.today(now).map_err(past)?.max(cutoff_date);
    if rooms.keys().any(|(_, date)| *date < first) {
        return Err(FieldError::new("rooms", format!("must not have nights before {first}, today or the cut-off")));
    }
    Ok(())
}

/// The block, if it is what the request creates.
fn same(block: GroupBlock, hotel_id: HotelId, new: &NewGroupBlock) -> Result<GroupBlock, ReservationError> {
    if block.hotel_id == hotel_id && block.content_hash == new.content_hash {
        return Ok(block);
    }
    Err(Problem::new(Reason::RequestIdReused, "the request id was used before with other content").into())
}

#[cfg(test)]
mod tests;
