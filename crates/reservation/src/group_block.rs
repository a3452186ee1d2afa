//! Group blocks (allotments): rooms that a hotel sets aside for a group until a cut-off.
//!
//! The rooms of a definite block count as reserved, those of a tentative one do not. A pick-up turns rooms of a block into
//! a reservation and leaves `total_reserved` as it is. At the cut-off what is not picked up goes back to sale.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, HotelId, RoomTypeId};
use uuid::Uuid;

use crate::{
    block_status::BlockStatus,
    error::ReservationError,
    night::{Night, NightSale, date_of, day_of},
    room_line::Shortage,
};

/// Most nights of a block, and of a request about one, over all room types.
pub(crate) const MAX_NIGHTS: usize = 1_000;

/// How a block is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupBlockKey {
    /// By its id.
    Id(Uuid),
    /// By its code, which is unique in the hotel.
    Code(String),
}

/// The rooms of a block in a night of a room type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockNight {
    /// Rooms set aside, those that are picked up included; at most 10,000.
    pub(crate) blocked: i32,
    /// Rooms that reservations have picked up, 0 to `blocked`. Of those that end, only one that was never paid lowers it.
    pub(crate) picked_up: i32,
}

impl BlockNight {
    /// Rooms that can still be picked up.
    const fn left(self) -> i32 {
        self.blocked - self.picked_up
    }
}

/// Rooms by room type and night.
pub(crate) type RoomNights<T> = BTreeMap<(RoomTypeId, Date), T>;

/// A block to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewGroupBlock {
    /// Its id.
    pub(crate) id: Uuid,
    /// 3 to 20 of `A-Z`, `0-9` and `-`, unique in the hotel.
    pub(crate) code: String,
    /// Its name, 1 to 200 characters.
    pub(crate) display_name: String,
    /// Tentative or definite.
    pub(crate) status: BlockStatus,
    /// The date of the cut-off at the hotel.
    pub(crate) cutoff_date: Date,
    /// Its time by the hotel's clocks, `hh:mm`.
    pub(crate) cutoff_time: String,
    /// Rooms in each night, 1 to 10,000; at least one night.
    pub(crate) rooms: RoomNights<i32>,
    /// SHA-256 of the request.
    pub(crate) content_hash: [u8; 32],
}

/// A group block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupBlock {
    /// The hotel.
    pub(crate) hotel_id: HotelId,
    /// Its id.
    pub(crate) id: Uuid,
    /// Its code.
    pub(crate) code: String,
    /// Its name.
    pub(crate) display_name: String,
    /// Its state.
    pub(crate) status: BlockStatus,
    /// The date of the cut-off at the hotel.
    pub(crate) cutoff_date: Date,
    /// Its time by the hotel's clocks, `hh:mm`.
    pub(crate) cutoff_time: String,
    /// The instant of the cut-off: from then on nothing is picked up.
    pub(crate) cutoff: Timestamp,
    /// When what was not picked up went back to sale.
    pub(crate) released: Option<Timestamp>,
    /// SHA-256 of the request that created it.
    pub(crate) content_hash: Vec<u8>,
    /// When it was created.
    pub(crate) create_time: Timestamp,
    /// Its rooms.
    pub(crate) nights: RoomNights<BlockNight>,
}

impl GroupBlock {
    /// Rooms that count in `total_reserved`, by night.
    pub(crate) fn reserved(&self) -> BTreeMap<Night, i32> {
        let counts = self.status == BlockStatus::Definite && self.released.is_none();
        let nights = self.nights.iter().filter(|(_, night)| counts && night.left() > 0);
        nights.map(|((room_type, date), night)| (self.night(*room_type, *date), night.left())).collect()
    }

    /// What can be picked up of each night. A closed night can: its rooms are not for sale to others anyway.
    pub(crate) fn left(&self) -> BTreeMap<Night, NightSale> {
        let sale = |night: &BlockNight| NightSale { rooms_left: night.left(), stop_sell: false };
        self.nights.iter().map(|((room_type, date), night)| (self.night(*room_type, *date), sale(night))).collect()
    }

    /// Whether any room is picked up.
    pub(crate) fn has_pick_ups(&self) -> bool {
        self.nights.values().any(|night| night.picked_up > 0)
    }

    /// Whether its cut-off has come.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.released.is_none() && self.status != BlockStatus::Cancelled && self.cutoff <= now
    }

    /// Requires that its rooms are neither released nor about to be.
    ///
    /// # Errors
    /// [`ReservationError::BlockReleased`].
    pub(crate) fn require_unreleased(&self, now: Timestamp) -> Result<(), ReservationError> {
        if self.released.is_some() || self.cutoff <= now {
            return Err(ReservationError::BlockReleased { cutoff: self.cutoff });
        }
        Ok(())
    }

    /// Requires that rooms can be picked up.
    ///
    /// # Errors
    /// [`ReservationError::BlockNotDefinite`] or [`ReservationError::BlockReleased`].
    pub(crate) fn require_open(&self, now: Timestamp) -> Result<(), ReservationError> {
        if self.status != BlockStatus::Definite {
            return Err(ReservationError::BlockNotDefinite { status: self.status });
        }
        self.require_unreleased(now)
    }

    /// The block with these rooms in these nights; the others stay as they are.
    ///
    /// # Errors
    /// [`ReservationError::BlockHasPickUps`] if a night would have fewer rooms than are picked up; a violation of `rooms`
    /// if it would have more than [`MAX_NIGHTS`] nights.
    pub(crate) fn resized(&self, rooms: &RoomNights<i32>) -> Result<Self, ReservationError> {
        let mut resized = self.clone();
        for ((room_type, date), blocked) in rooms {
            let night = resized.nights.entry((*room_type, *date)).or_default();
            if *blocked < night.picked_up {
                return Err(ReservationError::BlockHasPickUps { night: Some((*date, night.picked_up)) });
            }
            night.blocked = *blocked;
        }
        if resized.nights.len() > MAX_NIGHTS {
            let most = format!("must leave the block with at most {MAX_NIGHTS} nights, over all room types");
            return Err(FieldError::new("rooms", most).into());
        }
        Ok(resized)
    }

    fn night(&self, room_type_id: RoomTypeId, date: Date) -> Night {
        (self.hotel_id.get(), room_type_id.get(), day_of(date))
    }
}

/// The refusal of rooms that a block needs or has no more of.
pub(crate) fn refusal(shortage: Shortage) -> ReservationError {
    match shortage {
        Shortage::NotOnSale => ReservationError::NotOnSale,
        Shortage::StopSell(night) => ReservationError::StopSell { room: None, stay_date: date_of(night.2) },
        Shortage::SoldOut(night, rooms_left) => ReservationError::SoldOut {
            room: None,
            stay_date: date_of(night.2),
            rooms_left: Some(rooms_left),
            hold_expire_time: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan, civil::date};

    use super::*;
    use crate::testing::{hotel_id, room_type};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// A block of 20 rooms in three nights, 12 picked up, until 1 May 18:00 in Lisbon.
    fn block() -> GroupBlock {
        let night = BlockNight { blocked: 20, picked_up: 12 };
        GroupBlock {
            hotel_id: hotel_id(7),
            id: Uuid::from_u128(1),
            code: "FAIR-27".into(),
            display_name: "A fair".into(),
            status: BlockStatus::Definite,
            cutoff_date: date(2027, 5, 1),
            cutoff_time: "18:00".into(),
            cutoff: at("2027-05-01T17:00:00Z"),
            released: None,
            content_hash: vec![0; 32],
            create_time: at("2027-01-01T00:00:00Z"),
            nights: (10..13).map(|day| ((room_type(), date(2027, 6, day)), night)).collect(),
        }
    }

    /// PARTNER-SPEC 7, example 5.
    #[test]
    fn block_is_open_until_its_cut_off_and_due_from_then_on() {
        let block = block();
        assert!(block.require_open(at("2027-05-01T16:59:59Z")).is_ok() && !block.is_due(at("2027-05-01T16:59:59Z")));
        assert!(block.is_due(at("2027-05-01T17:00:00Z")));
        let late = block.require_open(at("2027-05-01T17:00:01Z"));
        assert!(matches!(late, Err(ReservationError::BlockReleased { cutoff }) if cutoff == block.cutoff));
        assert_eq!(block.reserved().into_values().collect::<Vec<_>>(), [8, 8, 8]);
    }

    #[test]
    fn only_definite_blocks_that_are_not_released_reserve_rooms() {
        for status in [BlockStatus::Tentative, BlockStatus::Cancelled] {
            let other = GroupBlock { status, ..block() };
            assert!(other.reserved().is_empty());
            let refused = other.require_open(at("2027-04-01T00:00:00Z"));
            assert!(matches!(refused, Err(ReservationError::BlockNotDefinite { status: found }) if found == status));
        }
        assert!(GroupBlock { released: Some(at("2027-05-01T17:00:00Z")), ..block() }.reserved().is_empty());
    }

    /// PARTNER-SPEC 7, rule 20: shrinking below what is picked up is refused.
    #[test]
    fn block_shrinks_to_what_is_picked_up_and_not_below() {
        let rooms = |rooms| RoomNights::from([((room_type(), date(2027, 6, 11)), rooms)]);
        let shrunk = block().resized(&rooms(12)).expect("as many as are picked up");
        assert_eq!(shrunk.reserved().into_values().collect::<Vec<_>>(), [8, 8]);
        let refused = block().resized(&rooms(11));
        let night = Some((date(2027, 6, 11), 12));
        assert!(matches!(refused, Err(ReservationError::BlockHasPickUps { night: found }) if found == night));
    }

    #[test]
    fn block_does_not_grow_beyond_its_most_nights_by_many_small_requests() {
        let first = date(2028, 1, 1);
        let added = |nights: usize| -> RoomNights<i32> {
            first.series(1.day()).take(nights).map(|date| ((room_type(), date), 1)).collect()
        };
        let full = block().resized(&added(MAX_NIGHTS - 3)).expect("with the three that it has");
        assert_eq!(full.nights.len(), MAX_NIGHTS);
        assert!(full.resized(&added(5)).is_ok(), "nights that it has");
        let refused = full.resized(&added(MAX_NIGHTS - 2));
        assert!(matches!(&refused, Err(ReservationError::Field(error)) if error.field == "rooms"), "{refused:?}");
    }
}
