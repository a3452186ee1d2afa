//! The front desk: arrivals and departures.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, Money, ReservationId};
use staymesh_mesh::Caller;
use uuid::Uuid;

use super::{BookingService, changes::hash};
use crate::{
    early_departure::{EarlyDeparture, Waiver},
    error::ReservationError,
    model::Reservation,
    room_step::{RoomStep, changed_rooms},
    store::{DeskList, DeskPosition, DeskRoom, Store},
    writer::{RevisionCommand, RevisionOutcome},
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

    /// Checks rooms in or out, by their positions; all for which it is possible if there are none. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also for staff of other hotels, and as [`changed_rooms`].
    pub(crate) async fn step_rooms(
        &self,
        caller: &Caller,
        id: ReservationId,
        step: RoomStep,
        positions: &[i32],
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let today = self.hotel_today(id.hotel_id(), now).await?;
        let changed = step_rooms(&self.store, id, step, positions, today, &caller.subject).await?;
        if changed > 0 {
            tracing::info!(reservation_id = %id, step = ?step, rooms = changed, by = caller.subject, "rooms changed at the desk");
        }
        self.find(id).await
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
        let waived = self.waiver.as_ref().map(|waiver| format!("{} {}", money(&waiver.kept), waiver.reason));
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
/// cancellations and no-shows. Yields the number of rooms that changed.
///
/// # Errors
/// As [`changed_rooms`], and when the database fails.
pub(crate) async fn step_rooms(
    store: &Store,
    id: ReservationId,
    step: RoomStep,
    positions: &[i32],
    today: Date,
    actor: &str,
) -> Result<usize, ReservationError> {
    let mut transaction = store.begin().await?;
    let mut locked = transaction.lock_reservations(std::iter::once(id)).await?;
    let booking = locked.remove(&id.as_uuid()).ok_or(ReservationError::NotFound)?;
    let arrivals = transaction.arrivals(id).await?;
    let changed = changed_rooms(&booking, step, positions, today, &arrivals)?;
    if changed.is_empty() {
        return Ok(0);
    }
    let (_, status) = step.statuses();
    transaction.set_room_status(&booking, &changed, status, today, actor).await?;
    transaction.commit().await?;
    Ok(changed.len())
}
