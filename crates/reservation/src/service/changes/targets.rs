//! What a requested change makes of each room of a reservation.

use std::collections::BTreeSet;

use jiff::civil::Date;
use staymesh_domain::{FieldErrors, Party, RoomTypeId, StayDates};

use crate::{
    model::Reservation,
    room_status::RoomStatus,
    rooms_change::{PlacedRoom, Reprice},
    service::RoomRequest,
};

/// Most rooms of a reservation, those that were dropped included: each has its position for ever.
const MAX_POSITION: i32 = 50;

/// A requested change. What is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangeRequest {
    /// Dates of all rooms that have none of their own in the request.
    pub(crate) dates: DatesChange,
    /// Changes of single rooms, and rooms to add.
    pub(crate) rooms: Vec<RoomChangeRequest>,
    /// Positions of rooms to drop.
    pub(crate) dropped: BTreeSet<i32>,
    pub(crate) reprice: Reprice,
    /// Most rooms that the caller may have in a reservation.
    pub(crate) most_rooms: usize,
    /// Whether hotel staff ask, who may change stays whose guests are in the house.
    pub(crate) by_staff: bool,
}

/// New dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DatesChange {
    pub(crate) check_in: Option<Date>,
    pub(crate) check_out: Option<Date>,
}

/// A change of one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomChangeRequest {
    /// The room; `None` adds one, with a room type and a party.
    pub(crate) position: Option<i32>,
    pub(crate) room_type_id: Option<RoomTypeId>,
    pub(crate) party: Option<Party>,
    pub(crate) dates: DatesChange,
    /// From when on guests who are in the house have a room of the other type.
    pub(crate) moves: Option<Date>,
}

/// What becomes of the rooms of a reservation.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Positions of rooms that stay as they are.
    pub(super) kept: Vec<i32>,
    /// Rooms that get other terms.
    pub(super) changed: Vec<(PlacedRoom, RoomRequest)>,
    /// Rooms to add, with their positions.
    pub(super) added: Vec<(i32, RoomRequest)>,
    /// Rooms that are dropped.
    pub(super) dropped: Vec<PlacedRoom>,
    /// Rooms whose guests are in the house and stay longer, with the nights that are added.
    pub(super) extended: Vec<(PlacedRoom, RoomRequest)>,
    /// Rooms whose guests are in the house and move to another for their other nights, with its position.
    pub(super) moved: Vec<(PlacedRoom, i32, RoomRequest)>,
}

impl DatesChange {
    /// The dates of a stay after this change; every wrong field is named below `at`.
    fn applied_to(self, errors: &mut FieldErrors, at: &str, before: StayDates) -> Option<StayDates> {
        let check_in = self.check_in.unwrap_or(before.check_in());
        let check_out = self.check_out.unwrap_or(before.check_out());
        let stay = StayDates::new(check_in, check_out);
        let name = |field| if at.is_empty() { field } else { format!("{at}.{field}") };
        errors.value(
            stay.map_err(|error| staymesh_domain::FieldError::new(name("check_out".to_owned()), error.to_string())),
        )
    }

    const fn or(self, other: Self) -> Self {
        let check_in = if self.check_in.is_some() { self.check_in } else { other.check_in };
        let check_out = if self.check_out.is_some() { self.check_out } else { other.check_out };
        Self { check_in, check_out }
    }
}

impl Targets {
    /// What a request makes of the rooms of a reservation.
    ///
    /// # Errors
    /// Every wrong field.
    pub(super) fn of(booking: &Reservation, request: &ChangeRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut targets = Self::default();
        require_known(&mut errors, booking, request);
        for room in booking.placed() {
            let change = request.rooms.iter().enumerate().find(|(_, change)| change.position == Some(room.position));
            targets.add_booked(&mut errors, room, change, request);
        }
        let positions = booking.positions.iter().chain(booking.dropped.iter().map(|room| &room.position));
        let mut next = positions.max().copied().unwrap_or_default();
        for (at, change) in request.rooms.iter().enumerate().filter(|(_, change)| change.position.is_none()) {
            next = next.saturating_add(1);
            let stay = change.dates.or(request.dates).applied_to(&mut errors, &format!("rooms[{at}]"), booking.stay);
            errors.holds(change.room_type_id.is_some(), format!("rooms[{at}].room_type_id"), "is required");
            errors.holds(change.party.is_some(), format!("rooms[{at}].adults"), "is required");
            if let (Some(stay), Some(room_type_id), Some(party)) = (stay, change.room_type_id, change.party.clone()) {
                targets.added.push((next, RoomRequest { room_type_id, stay, party }));
            }
        }
        for (_, position, _) in &mut targets.moved {
            next = next.saturating_add(1);
            *position = next;
        }
        let most = request.most_rooms;
        let in_house = targets.extended.len() + 2 * targets.moved.len();
        let left = targets.kept.len() + targets.changed.len() + targets.added.len() + in_house;
        errors.holds(next <= MAX_POSITION && left <= most, "rooms", format!("must not be more than {most} in all"));
        let errors_before = !errors.is_empty();
        let some =
            in_house > 0 || !targets.changed.is_empty() || !targets.added.is_empty() || !targets.dropped.is_empty();
        errors.holds(errors_before || some, "rooms", "must differ from what is booked");
        errors.holds(errors_before || left > 0, "dropped_rooms", "must leave a room; cancel the reservation instead");
        errors.into_result()?;
        Ok(targets)
    }

    /// Adds a room that is booked.
    fn add_booked(
        &mut self,
        errors: &mut FieldErrors,
        room: PlacedRoom,
        change: Option<(usize, &RoomChangeRequest)>,
        request: &ChangeRequest,
    ) {
        if request.dropped.contains(&room.position) {
            self.dropped.push(room);
            return;
        }
        let (at, dates) = match change {
            Some((at, change)) => (format!("rooms[{at}]"), change.dates.or(request.dates)),
            None => (String::new(), request.dates),
        };
        let Some(stay) = dates.applied_to(errors, &at, room.line.stay) else { return };
        let change = change.map(|(_, change)| change);
        let room_type_id = change.and_then(|change| change.room_type_id).unwrap_or(room.line.room_type_id);
        let party = change.and_then(|change| change.party.clone()).unwrap_or_else(|| room.line.party.clone());
        if let Some(date) = change.and_then(|change| change.moves) {
            self.add_moved(errors, &at, room, (date, RoomRequest { room_type_id, stay, party }, request.by_staff));
            return;
        }
        if let Some(added) = added_nights(&room, request.by_staff, (room_type_id, stay, &party)) {
            self.extended.push((room, RoomRequest { room_type_id, stay: added, party }));
            return;
        }
        let same = (room_type_id, stay, &party) == (room.line.room_type_id, room.line.stay, &room.line.party);
        if same && request.reprice == Reprice::Changed {
            self.kept.push(room.position);
        } else {
            self.changed.push((room, RoomRequest { room_type_id, stay, party }));
        }
    }

    /// Adds a room whose guests move to one of another type on a date.
    fn add_moved(
        &mut self,
        errors: &mut FieldErrors,
        at: &str,
        room: PlacedRoom,
        (date, to, by_staff): (Date, RoomRequest, bool),
    ) {
        let PlacedRoom { line, .. } = &room;
        let in_house = by_staff && line.status == RoomStatus::InHouse;
        let field = |name: &str| format!("{at}.{name}");
        errors.holds(in_house, field("from_date"), "is for hotel staff, and for rooms whose guests are in the house");
        let other = to.room_type_id != line.room_type_id;
        errors.holds(other, field("room_type_id"), "must be another one with from_date");
        let alone = (to.stay, &to.party) == (line.stay, &line.party);
        errors.holds(alone, field("from_date"), "must not come with other dates or guests");
        let within = line.stay.check_in() < date && date < line.stay.check_out();
        errors.holds(within, field("from_date"), "must be within the stay, and after its first night");
        if let (true, Ok(stay)) = (in_house && other && alone && within, StayDates::new(date, line.stay.check_out())) {
            self.moved.push((room, 0, RoomRequest { stay, ..to }));
        }
    }

    /// Whether a room whose guests have arrived gets other terms than a stay in the house can have.
    pub(super) fn touches_arrived(&self) -> bool {
        let changed = self.changed.iter().map(|(room, _)| room);
        changed.chain(&self.dropped).any(|room| room.line.status.has_arrived())
    }

    /// The rooms that are priced anew.
    pub(super) fn priced(&self) -> impl Iterator<Item = &RoomRequest> {
        let anew = self.changed.iter().map(|(_, room)| room).chain(self.added.iter().map(|(_, room)| room));
        let in_house = self.extended.iter().map(|(_, room)| room).chain(self.moved.iter().map(|(.., room)| room));
        anew.chain(in_house)
    }
}

/// The nights that staff add to the stay of guests in the house; `None` if anything else changes.
fn added_nights(
    room: &PlacedRoom,
    by_staff: bool,
    (room_type_id, stay, party): (RoomTypeId, StayDates, &Party),
) -> Option<StayDates> {
    let line = &room.line;
    let same = (room_type_id, stay.check_in(), party) == (line.room_type_id, line.stay.check_in(), &line.party);
    let in_house = by_staff && line.status == RoomStatus::InHouse;
    // Without more nights these are none.
    let added = StayDates::new(line.stay.check_out(), stay.check_out()).ok();
    added.filter(|_| same && in_house)
}

/// Requires that every named room is part of the reservation, and named once.
fn require_known(errors: &mut FieldErrors, booking: &Reservation, request: &ChangeRequest) {
    let known = |position: &i32| booking.positions.contains(position);
    let mut seen = BTreeSet::new();
    for (at, change) in request.rooms.iter().enumerate() {
        if let Some(position) = change.position {
            let field = format!("rooms[{at}].position");
            errors.holds(known(&position), &*field, "must be the position of a room of the reservation");
            let once = seen.insert(position) && !request.dropped.contains(&position);
            errors.holds(once, field, "must be named once");
        }
    }
    for position in request.dropped.iter().filter(|position| !known(position)) {
        errors.holds(false, "dropped_rooms", format!("{position} is no room of the reservation"));
    }
}
