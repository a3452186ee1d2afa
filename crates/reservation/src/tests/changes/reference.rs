//! The model: maps, integers and no locks. Reserved rooms are summed over the bookings each time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::case::{Answer, Command, HOLD, ROOMS, Room, View, date, room_view, start};
use crate::{model::Status, room_line::RoomLine, room_status::RoomStatus, rooms_change::PlacedRoom};

type Nights = BTreeMap<(i32, i32), i32>;

#[derive(Debug)]
pub(super) struct Model {
    now: Timestamp,
    bookings: BTreeMap<usize, Booking>,
    closed: BTreeSet<(i32, i32)>,
    blocked: Nights,
}

#[derive(Clone, Debug)]
struct Booking {
    status: Status,
    hold_ends: Timestamp,
    revision: i32,
    retained: i64,
    rooms: Vec<PlacedRoom>,
    pending: Option<Pending>,
    /// The payment of each change that was paid and applied, by revision.
    applied: BTreeMap<i32, u8>,
}

#[derive(Clone, Debug)]
struct Pending {
    revision: i32,
    rooms: Vec<PlacedRoom>,
    expires: Timestamp,
}

impl Default for Model {
    fn default() -> Self {
        Self { now: start(), bookings: BTreeMap::new(), closed: BTreeSet::new(), blocked: BTreeMap::new() }
    }
}

/// The rooms in each night, by type.
fn nights(rooms: &[PlacedRoom]) -> Nights {
    let mut nights = Nights::new();
    for PlacedRoom { line, .. } in rooms {
        for day in line.stay.nights() {
            *nights.entry((line.room_type_id.get(), (day - date(0)).get_days())).or_default() += 1;
        }
    }
    nights
}

/// What `after` has more than `before`.
fn added(before: &Nights, after: &Nights) -> Nights {
    let more = after.iter().map(|(night, rooms)| (*night, rooms - before.get(night).copied().unwrap_or_default()));
    more.filter(|(_, rooms)| *rooms > 0).collect()
}

/// When a stay can no longer begin: when the day after the first check-in begins.
fn ends(rooms: &[PlacedRoom]) -> Timestamp {
    let lines: Vec<RoomLine> = rooms.iter().map(|room| room.line.clone()).collect();
    RoomLine::sum(&lines).expect("a booking").quote.terms.cancel_before
}

impl Booking {
    fn holds(&self) -> bool {
        matches!(self.status, Status::PendingPayment | Status::Paid)
    }

    fn nights(&self) -> Nights {
        if !self.holds() {
            return Nights::new();
        }
        let mut all = nights(&self.rooms);
        if let Some(pending) = &self.pending {
            for (night, rooms) in added(&all, &nights(&pending.rooms)) {
                *all.entry(night).or_default() += rooms;
            }
        }
        all
    }

    fn not_changeable(&self, now: Timestamp) -> Option<Answer> {
        if self.status != Status::Paid || now >= ends(&self.rooms) {
            return Some(Answer::NotChangeable);
        }
        self.pending.is_some().then_some(Answer::Pending)
    }

    fn has_arrived(&self, position: i32) -> bool {
        self.rooms.iter().any(|room| room.position == position && room.line.status.has_arrived())
    }

    fn end(&mut self) {
        self.status = Status::Cancelled;
        if let Some(pending) = self.pending.take() {
            self.revision = pending.revision;
        }
    }
}

impl Model {
    pub(super) fn view(&self) -> View {
        let mut view = View::default();
        for (slot, booking) in &self.bookings {
            for (night, rooms) in booking.nights() {
                *view.reserved.entry(night).or_default() += rooms;
            }
            let rooms = booking.rooms.iter().map(|room| room_view(room, booking.holds())).collect();
            let revisions = usize::try_from(booking.revision).expect("few");
            let pending = booking.pending.as_ref().map(|pending| pending.revision);
            let status = booking.status.as_str().to_owned();
            view.bookings.insert(*slot, (status, booking.revision, revisions, pending, booking.retained, rooms));
        }
        view
    }

    /// Why these nights cannot be taken.
    fn refusal(&self, wanted: &Nights) -> Option<Answer> {
        let reserved = self.view().reserved;
        if wanted.keys().any(|night| self.closed.contains(night)) {
            return Some(Answer::StopSell);
        }
        let left =
            |night: &(i32, i32)| ROOMS - self.blocked.get(night).unwrap_or(&0) - reserved.get(night).unwrap_or(&0);
        wanted.iter().any(|(night, rooms)| *rooms > left(night)).then_some(Answer::SoldOut)
    }

    pub(super) fn carry_out(&mut self, command: &Command) -> Answer {
        self.now += SignedDuration::from_secs(1);
        let done = match command {
            Command::Book(slot, rooms) => self.book(*slot, rooms),
            Command::Pay(slot) => self.pay(*slot),
            Command::Change { slot, position, room, more, outdated } => {
                self.change(*slot, *position, *room, *more, *outdated)
            }
            Command::PayChange { slot, revision, payment, minor } => {
                self.pay_change(*slot, *revision, *payment, *minor)
            }
            Command::GiveUp(slot, revision) => self.give_up(*slot, *revision),
            Command::CancelRooms(slot, positions) => self.cancel_rooms(*slot, positions),
            Command::Cancel(slot) => self.cancel(*slot),
            Command::CheckIn(slot, position) => self.step(*slot, *position, RoomStatus::Live, RoomStatus::InHouse),
            Command::CheckOut(slot, position) => {
                self.step(*slot, *position, RoomStatus::InHouse, RoomStatus::Completed)
            }
            Command::StopSell(room, closed) => {
                for night in room.nights().map(|night| (room.kind, night)) {
                    let _ = if *closed { self.closed.insert(night) } else { self.closed.remove(&night) };
                }
                Ok(Answer::Done)
            }
            Command::OutOfOrder(room) => {
                for night in room.nights() {
                    *self.blocked.entry((room.kind, night)).or_default() += 1;
                }
                Ok(Answer::Done)
            }
            Command::ExpireHolds => Ok(self.expire_holds()),
            Command::ExpireChanges => Ok(self.expire_changes()),
            Command::Wait(time) => {
                self.now += *time;
                Ok(Answer::Done)
            }
        };
        done.unwrap_or_else(|refused| refused)
    }

    fn booking(&mut self, slot: usize) -> Result<&mut Booking, Answer> {
        self.bookings.get_mut(&slot).ok_or(Answer::NotFound)
    }

    fn book(&mut self, slot: usize, rooms: &[Room]) -> Result<Answer, Answer> {
        if self.bookings.contains_key(&slot) {
            return Ok(Answer::Done);
        }
        let place = |(position, room): (i32, &Room)| PlacedRoom { position, line: room.line(0) };
        let rooms: Vec<_> = (1..).zip(rooms).map(place).collect();
        self.refusal(&nights(&rooms)).map_or(Ok(()), Err)?;
        let (status, hold_ends) = (Status::PendingPayment, self.now + HOLD);
        let (pending, applied) = (None, BTreeMap::new());
        self.bookings.insert(slot, Booking { status, hold_ends, revision: 1, retained: 0, rooms, pending, applied });
        Ok(Answer::Done)
    }

    fn pay(&mut self, slot: usize) -> Result<Answer, Answer> {
        let booking = self.booking(slot)?.clone();
        match booking.status {
            Status::PendingPayment => {}
            // A repeat; or the hold expired, and the rooms are taken again if they are left.
            _ if booking.hold_ends == Timestamp::MAX => return Ok(Answer::Done),
            _ if booking.hold_ends == Timestamp::MIN || self.refusal(&nights(&booking.rooms)).is_some() => {
                // The payment is noted: it stays unusable.
                self.booking(slot)?.hold_ends = Timestamp::MIN;
                return Ok(Answer::RefundRequired);
            }
            _ => {}
        }
        let booking = self.booking(slot)?;
        (booking.status, booking.hold_ends) = (Status::Paid, Timestamp::MAX);
        Ok(Answer::Done)
    }

    fn change(&mut self, slot: usize, position: i32, room: Room, more: i64, outdated: bool) -> Result<Answer, Answer> {
        let now = self.now;
        let booking = self.booking(slot)?;
        let Some(at) = booking.rooms.iter().position(|room| room.position == position) else {
            return Ok(Answer::Done);
        };
        if outdated {
            return Err(Answer::Outdated);
        }
        booking.not_changeable(now).map_or(Ok(()), Err)?;
        if booking.has_arrived(position) {
            return Err(Answer::CheckedIn);
        }
        let mut rooms = booking.rooms.clone();
        rooms[at].line = room.line(rooms[at].line.quote.total.minor() - room.line(0).quote.total.minor() + more);
        let wanted = added(&nights(&booking.rooms), &nights(&rooms));
        self.refusal(&wanted).map_or(Ok(()), Err)?;
        let booking = self.booking(slot)?;
        let revision = booking.revision + 1;
        if more > 0 {
            let expires = (now + HOLD).min(ends(&rooms)).min(ends(&booking.rooms));
            booking.pending = Some(Pending { revision, rooms, expires });
        } else {
            (booking.revision, booking.rooms) = (revision, rooms);
        }
        Ok(Answer::Done)
    }

    fn pay_change(&mut self, slot: usize, revision: i32, payment: u8, minor: i64) -> Result<Answer, Answer> {
        let now = self.now;
        let booking = self.booking(slot)?;
        let waits = booking.pending.clone().filter(|pending| pending.revision == revision);
        let Some(pending) = waits else {
            let repeat = booking.applied.get(&revision) == Some(&payment);
            return Ok(if repeat { Answer::Done } else { Answer::RefundRequired });
        };
        if minor != 5_000 {
            return Err(Answer::AmountMismatch);
        }
        let kept = |room: &PlacedRoom| pending.rooms.contains(room);
        let arrived = booking.rooms.iter().any(|room| room.line.status.has_arrived() && !kept(room));
        if arrived || now >= ends(&pending.rooms).min(ends(&booking.rooms)) {
            return Ok(Answer::RefundRequired);
        }
        booking.applied.insert(revision, payment);
        (booking.revision, booking.rooms, booking.pending) = (revision, pending.rooms, None);
        Ok(Answer::Done)
    }

    fn give_up(&mut self, slot: usize, revision: i32) -> Result<Answer, Answer> {
        let booking = self.booking(slot)?;
        if booking.pending.as_ref().is_some_and(|pending| pending.revision == revision) {
            (booking.revision, booking.pending) = (revision, None);
        }
        Ok(Answer::Done)
    }

    fn cancel_rooms(&mut self, slot: usize, positions: &[i32]) -> Result<Answer, Answer> {
        let now = self.now;
        let booking = self.booking(slot)?;
        let (cancelled, kept): (Vec<_>, Vec<_>) =
            booking.rooms.iter().cloned().partition(|room| positions.contains(&room.position));
        if cancelled.is_empty() || kept.is_empty() || !booking.holds() {
            return Ok(Answer::Done);
        }
        let without = Booking { pending: None, ..booking.clone() };
        without.not_changeable(now).map_or(Ok(()), Err)?;
        if cancelled.iter().any(|room| room.line.status.has_arrived()) {
            return Err(Answer::CheckedIn);
        }
        let penalty = |room: &PlacedRoom| room.line.quote.terms.penalty_at(start(), now).minor();
        booking.retained += cancelled.iter().map(penalty).sum::<i64>();
        booking.revision = booking.pending.take().map_or(booking.revision, |pending| pending.revision) + 1;
        booking.rooms = kept;
        Ok(Answer::Done)
    }

    fn cancel(&mut self, slot: usize) -> Result<Answer, Answer> {
        let now = self.now;
        let booking = self.booking(slot)?;
        if booking.rooms.iter().any(|room| room.line.status.has_arrived()) {
            return Err(Answer::CheckedIn);
        }
        if booking.status == Status::Paid && now >= ends(&booking.rooms) {
            return Err(Answer::StayHasBegun);
        }
        if booking.status != Status::Paid && booking.hold_ends != Timestamp::MAX {
            // No late payment takes the rooms any more.
            booking.hold_ends = Timestamp::MIN;
        }
        booking.end();
        Ok(Answer::Done)
    }

    /// The front desk may check a guest in or out whenever the status allows it.
    fn step(&mut self, slot: usize, position: i32, from: RoomStatus, to: RoomStatus) -> Result<Answer, Answer> {
        let booking = self.booking(slot)?;
        let paid = booking.status == Status::Paid;
        let at = |room: &&mut PlacedRoom| paid && room.position == position && room.line.status == from;
        if let Some(room) = booking.rooms.iter_mut().find(at) {
            room.line.status = to;
            // A pending change keeps rooms as they are.
            let after = booking.pending.iter_mut().flat_map(|pending| &mut pending.rooms);
            for kept in after.filter(|kept| kept.position == position && kept.line.stay == room.line.stay) {
                let same = PlacedRoom { position, line: RoomLine { status: from, ..room.line.clone() } };
                if *kept == same {
                    kept.line.status = to;
                }
            }
        }
        Ok(Answer::Done)
    }

    fn expire_holds(&mut self) -> Answer {
        let now = self.now;
        let over = |booking: &&mut Booking| booking.status == Status::PendingPayment && booking.hold_ends <= now;
        let ended = self.bookings.values_mut().filter(over).map(Booking::end).count();
        Answer::Ended(ended)
    }

    fn expire_changes(&mut self) -> Answer {
        let mut ended = 0;
        for booking in self.bookings.values_mut() {
            if booking.pending.as_ref().is_some_and(|pending| pending.expires <= self.now) {
                booking.revision = booking.pending.take().map_or(booking.revision, |pending| pending.revision);
                ended += 1;
            }
        }
        Answer::Ended(ended)
    }
}
