//! Rooms for guests: which room of the hotel each room of a reservation gets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, HotelId, ReservationId, RoomId};
use staymesh_mesh::Caller;

use super::BookingService;
use crate::{
    clients::RoomInfo,
    error::ReservationError,
    fit::{RoomMisfit, require_fit},
    model::{Reservation, Status},
    room_line::RoomLine,
    room_plan::{Nights, Plan, Wanting, gaps, plan},
    room_status::RoomStatus,
    store::{Assignment, DeskList, DeskRoom, Transaction},
};

/// Most arrivals of a date: the most that a night can have on sale.
const MAX_ARRIVALS: i64 = 10_000;
/// Most assignments of one call, which others of the hotel wait for.
const MAX_AUTO: usize = 500;

/// A room of the hotel that a room of a reservation is to get.
pub(crate) struct RoomOrder {
    /// The reservation, and the position of its room, from 1.
    pub(crate) of: (ReservationId, i32),
    /// The room of the hotel.
    pub(crate) room_id: RoomId,
    /// Whether it may be of another type than the booked one.
    pub(crate) upgrade: bool,
    /// From which night on; `None` for all nights that are not past.
    pub(crate) from: Option<Date>,
}

impl BookingService {
    /// Assigns a room to a room of a paid reservation, until its check-out: the guests move if they have another from that night
    /// on. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], `ROOM_NOT_FOUND`, [`ReservationError::RoomAssigned`],
    /// [`ReservationError::RoomOutOfOrder`], [`ReservationError::RoomOfOtherType`] unless it is an upgrade in which the guests
    /// have place, and as [`nights_to_assign`].
    pub(crate) async fn assign_room(
        &self,
        caller: &Caller,
        order: &RoomOrder,
        now: Timestamp,
    ) -> Result<Assignment, ReservationError> {
        let (id, position) = order.of;
        let hotel_id = id.hotel_id();
        let seen = self.get(caller, id).await?;
        let room = self.hotels.room(hotel_id, order.room_id).await?;
        self.require_suitable(hotel_id, (position, line_at(&seen, position)?), &room, order.upgrade).await?;
        let today = self.hotel_today(hotel_id, now).await?;
        let mut transaction = self.store.begin().await?;
        transaction.lock_assignments(hotel_id).await?;
        let booking = locked(&mut transaction, id).await?;
        // A change since then may have given it another type.
        if line_at(&booking, position)?.room_type_id != line_at(&seen, position)?.room_type_id {
            return Err(ReservationError::RoomOfOtherType { room_id: room.room_id, room_type_id: room.room_type_id });
        }
        let mut has = transaction.assignments(id).await?;
        has.retain(|known| known.position == position);
        let (from, until) = nights_to_assign(&booking, position, &has, order.from, today)?;
        let mut same = has.iter().filter(|known| known.room_id == room.room_id);
        if let Some(known) = same.clone().find(|known| known.from <= from && until <= known.until) {
            return Ok(known.clone());
        }
        transaction.require_in_order(hotel_id, room.room_id, (from, until)).await?;
        // One that ends there, or is to end later, goes on.
        let begins = same.find(|known| known.from < from && from <= known.until).map_or(from, |known| known.from);
        let assignment = room.assigned_to(order.of, (begins, until));
        transaction.free_room(id, position, begins).await?;
        transaction.assign_rooms(std::slice::from_ref(&assignment)).await?;
        transaction.record_assignments(hotel_id, &[(id, position, Some(room.room_id), from)]).await?;
        transaction.commit().await?;
        Ok(assignment)
    }

    /// Requires that a room of the hotel is of the booked type, or has place for the guests if it is an upgrade.
    async fn require_suitable(
        &self,
        hotel_id: HotelId,
        (position, line): (i32, &RoomLine),
        room: &RoomInfo,
        upgrade: bool,
    ) -> Result<(), ReservationError> {
        let RoomInfo { room_id, room_type_id, .. } = *room;
        if room_type_id == line.room_type_id {
            return Ok(());
        }
        if !upgrade {
            return Err(ReservationError::RoomOfOtherType { room_id, room_type_id });
        }
        let rules = self.hotels.hotel(hotel_id).await?.child_rules;
        let occupancy = self.hotels.room_type(hotel_id, room_type_id).await?.occupancy;
        let misfit = |misfit| RoomMisfit { room: position.saturating_sub(1), ..misfit };
        require_fit(&rules, [(&occupancy, &line.party)]).map_err(misfit)?;
        Ok(())
    }

    /// Frees the room of a room of a reservation: for all of its nights, or from today on when its guests are in the house.
    /// Yields what stays assigned to the reservation. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], and a position that the reservation does not have.
    pub(crate) async fn unassign_room(
        &self,
        caller: &Caller,
        (id, position): (ReservationId, i32),
        now: Timestamp,
    ) -> Result<Vec<Assignment>, ReservationError> {
        self.get(caller, id).await?;
        let today = self.hotel_today(id.hotel_id(), now).await?;
        let mut transaction = self.store.begin().await?;
        transaction.lock_assignments(id.hotel_id()).await?;
        let booking = locked(&mut transaction, id).await?;
        let line = line_at(&booking, position)?;
        let arrived = matches!(line.status, RoomStatus::InHouse | RoomStatus::Completed);
        let from = if arrived { line.stay.check_in().max(today) } else { line.stay.check_in() };
        if transaction.free_room(id, position, from).await? {
            transaction.record_assignments(id.hotel_id(), &[(id, position, None, from)]).await?;
            transaction.commit().await?;
        }
        self.store.assignments(id).await
    }

    /// The rooms assigned to a reservation.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], and when the database fails.
    pub(crate) async fn assignments(
        &self,
        caller: &Caller,
        id: ReservationId,
    ) -> Result<Vec<Assignment>, ReservationError> {
        self.get(caller, id).await?;
        self.store.assignments(id).await
    }

    /// Assigns rooms to the paid arrivals of a date in the nights from then on in which they have none, as [`plan`] says; at most
    /// [`MAX_AUTO`], for which alone reservations are locked. Idempotent: a repeat assigns what is still without.
    ///
    /// # Errors
    /// That another service is unavailable, and when the database fails.
    pub(crate) async fn auto_assign(&self, hotel_id: HotelId, date: Date) -> Result<Plan, ReservationError> {
        let rooms = self.hotels.rooms(hotel_id).await?;
        let mut transaction = self.store.begin().await?;
        transaction.lock_assignments(hotel_id).await?;
        let arrivals = transaction.desk_rooms(DeskList::Arrivals, hotel_id, date, MAX_ARRIVALS).await?;
        let wanting: Vec<_> = arrivals.iter().filter_map(|room| wanting(room, date)).collect();
        let Some(until) = wanting.iter().map(|want| want.stay.check_out()).max() else { return Ok(Plan::default()) };
        let assigned = transaction.assigned_rooms(hotel_id, None, (date, until)).await?;
        let blocked = transaction.rooms_out_of_order(hotel_id, (date, until)).await?;
        let mut plan = plan(&rooms, &assigned, blocked, wanting);
        plan.assigned.truncate(MAX_AUTO);
        let ids: BTreeSet<_> = plan.assigned.iter().map(|room| room.reservation_id).collect();
        let bookings = transaction.lock_reservations(ids.into_iter()).await?;
        let seen: BTreeMap<_, _> = arrivals.iter().map(|room| ((room.reservation_id, room.position), room)).collect();
        // Without what has changed meanwhile.
        plan.assigned.retain(|room| {
            let seen = seen.get(&(room.reservation_id, room.position));
            let booking = bookings.get(&room.reservation_id.as_uuid()).filter(|booking| booking.status == Status::Paid);
            let line = booking.and_then(|booking| line_at(booking, room.position).ok());
            seen.zip(line).is_some_and(|(seen, line)| {
                (line.status, line.room_type_id, line.stay) == (seen.status, seen.room_type_id, seen.stay)
            })
        });
        if !plan.assigned.is_empty() {
            let changed: Vec<_> =
                plan.assigned.iter().map(|a| (a.reservation_id, a.position, Some(a.room_id), a.from)).collect();
            transaction.assign_rooms(&plan.assigned).await?;
            transaction.record_assignments(hotel_id, &changed).await?;
            transaction.commit().await?;
        }
        Ok(plan)
    }
}

/// What a paid room whose guests are expected wants from `date` on.
fn wanting(room: &DeskRoom, date: Date) -> Option<Wanting> {
    let DeskRoom { reservation_id, position, room_type_id, stay, .. } = *room;
    let expected =
        (room.reservation_status, room.status) == (Status::Paid, RoomStatus::Live) && date < stay.check_out();
    expected.then_some(Wanting { reservation_id, position, room_type_id, stay, from: date })
}

async fn locked(transaction: &mut Transaction, id: ReservationId) -> Result<Reservation, ReservationError> {
    let mut locked = transaction.lock_reservations(std::iter::once(id)).await?;
    locked.remove(&id.as_uuid()).ok_or(ReservationError::NotFound)
}

fn line_at(booking: &Reservation, position: i32) -> Result<&RoomLine, ReservationError> {
    let line = booking.placed_lines().find(|(known, _)| *known == position);
    line.map(|(_, line)| line)
        .ok_or_else(|| FieldError::new("position", "must be the position of a room of the reservation").into())
}

/// The nights for which a room can be assigned on date `today` of the hotel, to guests with these rooms in the order of their
/// dates: from `from` on if that is given.
///
/// # Errors
/// [`ReservationError::IllegalTransition`] unless the reservation is paid, [`ReservationError::IllegalRoomTransition`] if its room
/// has ended or no night is left, and a `from` that is no such night, or leaves nights before it without a room.
fn nights_to_assign(
    booking: &Reservation,
    position: i32,
    has: &[Assignment],
    from: Option<Date>,
    today: Date,
) -> Result<Nights, ReservationError> {
    if booking.status != Status::Paid {
        return Err(ReservationError::IllegalTransition { from: booking.status, to: Status::Paid });
    }
    let line = line_at(booking, position)?;
    // Past nights stay as they were.
    let (first, until) = (line.stay.check_in().max(today), line.stay.check_out());
    let stays = matches!(line.status, RoomStatus::Live | RoomStatus::InHouse);
    if !stays || first >= until {
        return Err(ReservationError::IllegalRoomTransition { position, from: line.status, to: RoomStatus::InHouse });
    }
    let Some(from) = from else { return Ok((first, until)) };
    if from < first || from >= until {
        let text = format!("must be a night of the room from {first} on");
        return Err(FieldError::new("from_date", text).into());
    }
    if let Some((without, _)) = gaps(has, (first, from)).first() {
        let text = format!("must not leave the night of {without} without a room");
        return Err(FieldError::new("from_date", text).into());
    }
    Ok((from, until))
}
