//! Which rooms of the hotel guests get: nights without a room, and rooms for many guests at once. Pure; no I/O.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::civil::Date;
use staymesh_domain::{ReservationId, RoomId, RoomTypeId, StayDates};

use crate::{clients::RoomInfo, store::Assignment};

/// Nights from the first date until the day before the second.
pub(crate) type Nights = (Date, Date);

/// A room of a reservation that is to have a room of the hotel in every night.
pub(crate) struct Wanting {
    /// The reservation.
    pub(crate) reservation_id: ReservationId,
    /// The position of its room, from 1.
    pub(crate) position: i32,
    /// The booked type.
    pub(crate) room_type_id: RoomTypeId,
    /// When the guests stay.
    pub(crate) stay: StayDates,
    /// The first night that needs a room.
    pub(crate) from: Date,
}

/// What [`plan`] decided.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The rooms to assign.
    pub(crate) assigned: Vec<Assignment>,
    /// Rooms of reservations for which no room of their type is free in all nights that have none.
    pub(crate) without: Vec<(ReservationId, i32)>,
}

/// The nights without a room from `from` until the day before `until`, of guests with these rooms in the order of their dates.
pub(crate) fn gaps<'a>(rooms: impl IntoIterator<Item = &'a Assignment>, (from, until): Nights) -> Vec<Nights> {
    let mut found = Vec::new();
    let mut covered = from;
    for room in rooms {
        let begins = room.from.min(until);
        if begins > covered {
            found.push((covered, begins));
        }
        covered = covered.max(room.until);
    }
    if covered < until {
        found.push((covered, until));
    }
    found
}

/// Gives every room of a reservation a free room of its type in the nights in which it has none: the longest stays first, which
/// are the hardest to place; the room that the guests have before, if it is free, otherwise the first by number. Assignments that
/// exist stay. `assigned` are the assignments of the hotel in these nights by reservation and date, `blocked` the rooms that guests
/// cannot use.
pub(crate) fn plan(
    rooms: &[RoomInfo],
    assigned: &[Assignment],
    blocked: Vec<(RoomId, Date, Date)>,
    mut wanting: Vec<Wanting>,
) -> Plan {
    let mut taken: BTreeMap<RoomId, Vec<Nights>> = BTreeMap::new();
    let mut had: BTreeMap<(ReservationId, i32), Vec<&Assignment>> = BTreeMap::new();
    for known in assigned {
        taken.entry(known.room_id).or_default().push((known.from, known.until));
        had.entry((known.reservation_id, known.position)).or_default().push(known);
    }
    for (room_id, from, until) in blocked {
        taken.entry(room_id).or_default().push((from, until));
    }
    let mut by_number: Vec<&RoomInfo> = rooms.iter().collect();
    by_number.sort_by_key(|room| number_order(&room.room_number));
    wanting.sort_by_key(|want| (Reverse(want.stay.night_count()), want.reservation_id, want.position));
    let mut plan = Plan::default();
    let mut without = BTreeSet::new();
    for want in &wanting {
        let key = (want.reservation_id, want.position);
        let has = had.get(&key).map_or(&[][..], Vec::as_slice);
        for nights in gaps(has.iter().copied(), (want.from, want.stay.check_out())) {
            let before = has.iter().find(|room| room.until == nights.0).map(|room| room.room_id);
            let kept = by_number.iter().filter(|room| before == Some(room.room_id));
            let of_type = by_number.iter().filter(|room| room.room_type_id == want.room_type_id);
            let is_free = |room: &&&RoomInfo| {
                taken.get(&room.room_id).into_iter().flatten().all(|other| other.1 <= nights.0 || nights.1 <= other.0)
            };
            let Some(room) = kept.chain(of_type).find(is_free) else {
                without.insert(key);
                continue;
            };
            taken.entry(room.room_id).or_default().push(nights);
            plan.assigned.push(room.assigned_to(key, nights));
        }
    }
    plan.without = without.into_iter().collect();
    plan
}

impl RoomInfo {
    /// The room for guests in these nights.
    pub(crate) fn assigned_to(&self, (reservation_id, position): (ReservationId, i32), nights: Nights) -> Assignment {
        Assignment {
            reservation_id,
            position,
            room_id: self.room_id,
            room_number: self.room_number.clone(),
            room_type_id: self.room_type_id,
            from: nights.0,
            until: nights.1,
        }
    }
}

/// Orders room numbers as people do: 9 before 10.
fn number_order(number: &str) -> (usize, &str) {
    (number.chars().take_while(char::is_ascii_digit).count(), number)
}

#[cfg(test)]
mod tests;
