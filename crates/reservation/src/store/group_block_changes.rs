//! Changes of group blocks, each in one transaction with the nights that it takes or gives back.
//!
//! Locks in order: changes of the hotel's inventory, the block, the nights.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_domain::HotelId;
use uuid::Uuid;

use super::{Delta, Store, Transaction, audit::GROUP_BLOCK, group_blocks::find, inventory_version};
use crate::{
    block_status::BlockStatus,
    error::ReservationError,
    group_block::{GroupBlock, NewGroupBlock, RoomNights, refusal},
    room_line::shortage,
};

/// What staff, or the clock, do to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BlockChange {
    /// Make a tentative block definite.
    Confirm,
    /// Set the rooms of some nights.
    Resize(RoomNights<i32>),
    /// Cancel it.
    Cancel,
    /// Give back to sale what is not picked up, if its cut-off has come.
    Release,
}

impl BlockChange {
    /// The block after this change at `now`.
    ///
    /// # Errors
    /// [`ReservationError::BlockReleased`], [`ReservationError::BlockNotDefinite`], [`ReservationError::BlockHasPickUps`].
    fn applied_to(&self, block: &GroupBlock, now: Timestamp) -> Result<GroupBlock, ReservationError> {
        let not_cancelled = || match block.status {
            BlockStatus::Cancelled => Err(ReservationError::BlockNotDefinite { status: block.status }),
            BlockStatus::Tentative | BlockStatus::Definite => block.require_unreleased(now),
        };
        Ok(match self {
            Self::Confirm if block.status == BlockStatus::Definite => block.clone(),
            Self::Confirm => {
                not_cancelled()?;
                GroupBlock { status: BlockStatus::Definite, ..block.clone() }
            }
            Self::Resize(rooms) => {
                not_cancelled()?;
                block.resized(rooms)?
            }
            Self::Cancel if block.status == BlockStatus::Cancelled => block.clone(),
            Self::Cancel if block.has_pick_ups() => return Err(ReservationError::BlockHasPickUps { night: None }),
            Self::Cancel => GroupBlock { status: BlockStatus::Cancelled, ..block.clone() },
            Self::Release if block.is_due(now) => GroupBlock { released: Some(now), ..block.clone() },
            Self::Release => block.clone(),
        })
    }
}

impl Store {
    /// Creates a block with its rooms, all or nothing. If a block with its id exists, in whatever hotel, yields that.
    ///
    /// # Errors
    /// [`ReservationError::BlockCodeTaken`]; of a definite block also [`ReservationError::SoldOut`],
    /// [`ReservationError::StopSell`] and [`ReservationError::NotOnSale`].
    pub(crate) async fn create_group_block(
        &self,
        hotel_id: HotelId,
        new: &NewGroupBlock,
        cutoff: Timestamp,
    ) -> Result<GroupBlock, ReservationError> {
        let mut transaction = self.begin().await?;
        inventory_version::lock_hotel(&mut transaction.0, hotel_id).await?;
        if let Some(known) = find(&mut transaction.0, new.id).await? {
            return Ok(known);
        }
        let watched = GROUP_BLOCK.created(&format!("{hotel_id}/{}", new.id));
        let empty = transaction.insert_group_block(hotel_id, new, cutoff).await?;
        let block = empty.resized(&new.rooms)?;
        transaction.reserve(&delta(&empty, &block)).await?;
        transaction.write_group_block(&block).await?;
        watched.record(&mut transaction.0).await?;
        transaction.commit().await?;
        Ok(block)
    }

    /// Changes a block, all or nothing. A repeat changes nothing.
    ///
    /// # Errors
    /// [`ReservationError::BlockNotFound`], and as [`BlockChange::applied_to`]; of rooms that a block takes also
    /// [`ReservationError::SoldOut`], [`ReservationError::StopSell`] and [`ReservationError::NotOnSale`].
    pub(crate) async fn change_group_block(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        change: &BlockChange,
        now: Timestamp,
    ) -> Result<GroupBlock, ReservationError> {
        Ok(self.applied(hotel_id, id, change, now).await?.0)
    }

    /// Releases a block whose cut-off has come. Yields whether it was not released before.
    ///
    /// # Errors
    /// As [`Self::change_group_block`].
    pub(crate) async fn release_group_block(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        now: Timestamp,
    ) -> Result<bool, ReservationError> {
        Ok(self.applied(hotel_id, id, &BlockChange::Release, now).await?.1)
    }

    /// The block after a change, and whether that changed it.
    async fn applied(
        &self,
        hotel_id: HotelId,
        id: Uuid,
        change: &BlockChange,
        now: Timestamp,
    ) -> Result<(GroupBlock, bool), ReservationError> {
        let mut transaction = self.begin().await?;
        inventory_version::lock_hotel(&mut transaction.0, hotel_id).await?;
        let before = transaction.lock_group_block(hotel_id, id).await?;
        let after = change.applied_to(&before, now)?;
        if after == before {
            return Ok((before, false));
        }
        let watched = GROUP_BLOCK.before(&mut transaction.0, &format!("{hotel_id}/{id}")).await?;
        transaction.reserve(&delta(&before, &after)).await?;
        transaction.write_group_block(&after).await?;
        watched.record(&mut transaction.0).await?;
        transaction.commit().await?;
        Ok((after, true))
    }
}

impl Transaction {
    /// Takes and gives back rooms of nights for a block.
    ///
    /// # Errors
    /// [`ReservationError::SoldOut`], [`ReservationError::StopSell`], [`ReservationError::NotOnSale`].
    async fn reserve(&mut self, delta: &Delta) -> Result<(), ReservationError> {
        let left = self.lock_nights(delta.keys().copied()).await?;
        let needs: BTreeMap<_, _> =
            delta.iter().filter(|(_, rooms)| **rooms > 0).map(|(night, rooms)| (*night, *rooms)).collect();
        match shortage(&needs, &left) {
            Some(short) => Err(refusal(short)),
            None => self.add_reserved(delta).await,
        }
    }
}

/// The change of `total_reserved` from one state of a block to another.
fn delta(before: &GroupBlock, after: &GroupBlock) -> Delta {
    let mut delta: Delta = after.reserved();
    for (night, rooms) in before.reserved() {
        *delta.entry(night).or_default() -= rooms;
    }
    delta.retain(|_, rooms| *rooms != 0);
    delta
}
