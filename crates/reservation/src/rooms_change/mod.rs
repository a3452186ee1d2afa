//! A change of the rooms of a reservation: which rooms it leaves as they are, which have other terms, and what it costs.
//!
//! A room of a reservation has a position, which it keeps for ever. Rooms that a change neither keeps nor gives other terms
//! are dropped.

mod pricing;
mod record;

use std::collections::BTreeMap;

use staymesh_domain::{Money, MoneyError};

use crate::{night::Night, quote::QuoteError, room_line::RoomLine};

pub(crate) use pricing::{BookedRoom, Reprice, TodayPrices, kept_nights};
pub(crate) use record::ChangeRecord;

/// A room with its position in the reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedRoom {
    /// The position in the reservation, from 1.
    pub position: i32,
    /// The room.
    pub line: RoomLine,
}

/// A change of the rooms of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomsChange {
    /// Positions of the rooms that stay as they are.
    pub kept: Vec<i32>,
    /// Rooms that get other terms, and added ones.
    pub rooms: Vec<PlacedRoom>,
    /// What is kept of dropped rooms and nights.
    pub penalty: Money,
    /// What is to be paid for the change; negative for what it gives back.
    pub balance: Money,
}

/// Why a change does not fit a reservation.
#[derive(Debug, thiserror::Error)]
pub enum RoomsChangeError {
    /// A room that should stay is not there, two rooms have one position, or no room is left.
    #[error("the change does not fit the rooms of the reservation")]
    Rooms,
    /// A sum is out of range, or has two currencies.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A price cannot be used.
    #[error(transparent)]
    Quote(#[from] QuoteError),
}

impl PlacedRoom {
    /// The position and the room.
    pub(crate) const fn placed(&self) -> (i32, &RoomLine) {
        (self.position, &self.line)
    }
}

impl RoomsChange {
    /// The change of a reservation with the rooms `booked`. Its balance is the price of all rooms afterwards, with the
    /// penalty, less the price before.
    ///
    /// # Errors
    /// See [`RoomsChangeError`].
    pub fn new(
        booked: &[PlacedRoom],
        kept: Vec<i32>,
        rooms: Vec<PlacedRoom>,
        penalty: Money,
    ) -> Result<Self, RoomsChangeError> {
        let change = Self { kept, rooms, penalty, balance: Money::zero(penalty.currency()) };
        let after = change.applied_to(booked)?;
        let total =
            |rooms: &[PlacedRoom]| Money::sum(penalty.currency(), rooms.iter().map(|room| room.line.quote.total));
        let balance = total(&after)?.checked_add(penalty)?.checked_sub(total(booked)?)?;
        Ok(Self { balance, ..change })
    }

    /// The rooms of the reservation after the change, in the order of their positions.
    ///
    /// # Errors
    /// [`RoomsChangeError::Rooms`].
    pub(crate) fn applied_to(&self, booked: &[PlacedRoom]) -> Result<Vec<PlacedRoom>, RoomsChangeError> {
        let find = |position: &i32| booked.iter().find(|room| room.position == *position).cloned();
        let kept = self.kept.iter().map(|position| find(position).ok_or(RoomsChangeError::Rooms));
        let mut rooms = kept.chain(self.rooms.iter().cloned().map(Ok)).collect::<Result<Vec<_>, _>>()?;
        rooms.sort_by_key(|room| room.position);
        let distinct = rooms.windows(2).all(|pair| pair[0].position < pair[1].position);
        if rooms.is_empty() || !distinct { Err(RoomsChangeError::Rooms) } else { Ok(rooms) }
    }
}

/// The rooms to add to each night, negative for those that are released, when `before` becomes `after`. Nights that stay
/// equal are absent.
pub(crate) fn delta(hotel_id: i32, before: &[PlacedRoom], after: &[PlacedRoom]) -> BTreeMap<Night, i32> {
    let nights =
        |rooms: &[PlacedRoom]| crate::room_line::nights_of(hotel_id, rooms.iter().map(|room| room.line.room()));
    let mut delta = nights(after);
    for (night, rooms) in nights(before) {
        *delta.entry(night).or_default() -= rooms;
    }
    delta.retain(|_, rooms| *rooms != 0);
    delta
}

/// The nights of a delta that get more rooms.
pub(crate) fn growth(delta: &BTreeMap<Night, i32>) -> BTreeMap<Night, i32> {
    delta.iter().filter(|(_, rooms)| **rooms > 0).map(|(night, rooms)| (*night, *rooms)).collect()
}

/// The nights of a delta that get fewer rooms.
pub(crate) fn release(delta: &BTreeMap<Night, i32>) -> BTreeMap<Night, i32> {
    delta.iter().filter(|(_, rooms)| **rooms < 0).map(|(night, rooms)| (*night, *rooms)).collect()
}

#[cfg(test)]
mod tests;
