//! The front desk: arrivals and departures, notes, and reservations that are found.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, Money, ReservationId};
use staymesh_mesh::Caller;
use uuid::Uuid;

use super::{BookingService, changes::hash, etag};
use crate::{
    early_departure::EarlyDeparture,
    error::ReservationError,
    lifecycle::Waiver,
    model::Reservation,
    room_step::{RoomStep, changed_rooms},
    store::{DeskList, DeskPosition, DeskRoom, FindFilter, ListPosition, Note, NotePosition, Store},
    writer::{RevisionCommand, RevisionOutcome, give_up_at_arrival},
};

impl BookingService {
    /// The date of the hotel's business day.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, or that the hotel service is unavailable.
    pub(crate) async fn hotel_today(&self, hotel_id: HotelId, now: Timestamp) -> Result<Date, ReservationError> {
        Ok(self.hotels.hotel_time(hotel_id).await?.today(now)?)
    }

    /// Up to `limit` rooms of a list of a date after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn desk_rooms(
        &self,
        list: DeskList,
        hotel_id: HotelId,
        date: Date,
        after: Option<DeskPosition>,
        limit: i64,
    ) -> Result<Vec<DeskRoom>, ReservationError> {
        self.store.desk_rooms(list, hotel_id, date, after, limit).await
    }

    /// Checks rooms in or out, by their positions; all for which it is possible if there are none. Idempotent. If an etag is
    /// given, a step that changes something is of the reservation that has it.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also for staff of other hotels, [`ReservationError::ReservationChanged`], and as
    /// [`changed_rooms`].
    pub(crate) async fn step_rooms(
        &self,
        caller: &Caller,
        id: ReservationId,
        step: RoomStep,
        (positions, etag): (&[i32], &str),
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let hotel = self.hotels.hotel(id.hotel_id()).await?;
        let today = hotel.time.today(now)?;
        let needs_room = hotel.room_required_at_check_in;
        let order = StepOrder { step, positions, etag, needs_room };
        let changed = step_rooms(&self.store, id, order, today, &caller.subject).await?;
        if changed > 0 {
            // A change that waited for its payment may have ended.
            self.wake.wake();
            tracing::info!(reservation_id = %id, step = ?step, rooms = changed, by = caller.subject, "rooms changed at the desk");
        }
        self.find(id).await
    }
}

impl BookingService {
    /// Up to `limit` reservations of a hotel that are found, after a position, the latest created first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn find_reservations(
        &self,
        hotel_id: HotelId,
        filter: &FindFilter,
        after: Option<ListPosition>,
        limit: i64,
    ) -> Result<Vec<Reservation>, ReservationError> {
        self.store.find_reservations(hotel_id, filter, after, limit).await
    }

    /// Adds a note to a reservation. Idempotent by its id.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also for staff of other hotels, and [`ReservationError::RequestIdReused`].
    pub(crate) async fn add_note(
        &self,
        caller: &Caller,
        id: ReservationId,
        note_id: Uuid,
        content: &str,
    ) -> Result<Note, ReservationError> {
        self.get(caller, id).await?;
        self.store.add_note(id, note_id, content, &caller.subject).await
    }

    /// Up to `limit` notes of a reservation after a position, the newest first.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also for staff of other hotels.
    pub(crate) async fn notes(
        &self,
        caller: &Caller,
        id: ReservationId,
        after: Option<NotePosition>,
        limit: i64,
    ) -> Result<Vec<Note>, ReservationError> {
        self.get(caller, id).await?;
        self.store.notes(id, after, limit).await
    }
}

/// Rooms of a reservation that are to be checked in or out.
pub(crate) struct StepOrder<'a> {
    pub(crate) step: RoomStep,
    /// Positions of the rooms; all for which it is possible if there are none.
    pub(crate) positions: &'a [i32],
    /// The etag of the reservation that was read; empty to change whatever there is.
    pub(crate) etag: &'a str,
    /// Whether a check-in needs a room of the hotel for the night.
    pub(crate) needs_room: bool,
}

#[cfg(test)]
impl StepOrder<'_> {
    /// A step of all rooms for which it is possible, without a condition.
    pub(crate) fn all(step: RoomStep) -> Self {
        Self { step, positions: &[], etag: "", needs_room: false }
    }
}

/// Guests who leave early, as staff report them.
pub(crate) struct DepartureRequest {
    pub(crate) positions: BTreeSet<i32>,
    pub(crate) waiver: Option<Waiver>,
    pub(crate) expected_refund: Option<Money>,
    pub(crate) request_id: Uuid,
}

impl DepartureRequest {
    fn hash(&self, caller: &Caller, id: ReservationId) -> [u8; 32] {
        let listed: Vec<String> = self.positions.iter().map(ToString::to_string).collect();
        let money = |money: &Money| format!("{} {}", money.currency().code(), money.minor());
        let waived = self.waiver.as_ref().map(|waiver| format!("{} {}", money(&waiver.keep), waiver.reason));
        let expected = self.expected_refund.as_ref().map(money);
        let texts = [listed.join(","), waived.unwrap_or_default(), expected.unwrap_or_default()];
        let [listed, waived, expected] = texts.each_ref().map(String::as_bytes);
        hash(&[b"left_early", caller.subject.as_bytes(), id.as_uuid().as_bytes(), listed, waived, expected])
    }
}

impl BookingService {
    /// Ends the stay of guests who leave early, on the hotel's today. Idempotent by request id.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also for staff of other hotels, as [`EarlyDeparture::of`],
    /// [`ReservationError::CancelTermsChanged`], and [`ReservationError::RequestIdReused`].
    pub(crate) async fn depart_early(
        &self,
        caller: &Caller,
        id: ReservationId,
        request: DepartureRequest,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let today = self.hotel_today(id.hotel_id(), now).await?;
        let content_hash = request.hash(caller, id);
        let DepartureRequest { positions, waiver, expected_refund, request_id } = request;
        let departure = EarlyDeparture { positions, today, waiver };
        let command = RevisionCommand::DepartEarly { departure, request_id, content_hash, expected_refund };
        let revised = self.revise(id, command, caller.subject.clone(), now).await?;
        if revised.outcome == RevisionOutcome::Changed {
            tracing::info!(reservation_id = %id, by = caller.subject, "guests left early");
        }
        Ok(revised.reservation)
    }
}

/// Checks rooms in or out on date `today` of the hotel, in one transaction. The lock of the reservation orders it with
/// cancellations and no-shows. A check-in gives up a change of the rooms that waits for its payment. Yields the number of rooms that changed.
///
/// # Errors
/// As [`changed_rooms`], [`ReservationError::ReservationChanged`] unless the reservation has the etag, if one is given,
/// [`ReservationError::RoomNotAssigned`] at check-in if each needs a room of the hotel for the night, and when the database fails.
pub(crate) async fn step_rooms(
    store: &Store,
    id: ReservationId,
    order: StepOrder<'_>,
    today: Date,
    actor: &str,
) -> Result<usize, ReservationError> {
    let mut transaction = store.begin().await?;
    let mut locked = transaction.lock_reservations(std::iter::once(id)).await?;
    let booking = locked.remove(&id.as_uuid()).ok_or(ReservationError::NotFound)?;
    let arrivals = transaction.arrivals(id).await?;
    let changed = changed_rooms(&booking, order.step, order.positions, today, &arrivals)?;
    if changed.is_empty() {
        return Ok(0);
    }
    if !order.etag.is_empty() && order.etag != etag(&booking)? {
        return Err(ReservationError::ReservationChanged);
    }
    if order.step == RoomStep::CheckIn && order.needs_room {
        let has = transaction.assignments(id).await?;
        let has_room = |position: i32| {
            has.iter().any(|room| room.position == position && room.from <= today && today < room.until)
        };
        if let Some(position) = changed.iter().copied().find(|position| !has_room(*position)) {
            return Err(ReservationError::RoomNotAssigned { position });
        }
    }
    if order.step == RoomStep::CheckIn && give_up_at_arrival(&mut transaction, &booking, &changed).await? {
        tracing::info!(reservation_id = %id, "a change that waited for its payment is given up, because the guests arrived");
    }
    let (_, status) = order.step.statuses();
    transaction.set_room_status(&booking, &changed, status, today, actor).await?;
    transaction.commit().await?;
    Ok(changed.len())
}
