//! The outcome of each booking of a batch. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_domain::Money;
use uuid::Uuid;

use super::{admission::Verdict, hold_limits::Refusal};
use crate::{
    calendar::DateOutOfRange,
    error::ReservationError,
    model::{NewReservation, Reservation, Status},
    night::{Night, date_of},
    room_line::{RoomLine, short_room},
    store::CreateTimes,
};

/// A reservation that exists after a booking request.
#[derive(Clone, Debug)]
pub enum Created {
    /// The request created it.
    New(Reservation),
    /// An earlier request with the same id and content created it; this is its state now.
    Repeat(Reservation),
}

/// The result of one booking.
pub(super) type Outcome = Result<Created, ReservationError>;

/// What is known of a batch after its transaction.
pub(super) struct Admitted {
    /// Reservations that existed before.
    pub(super) known: BTreeMap<Uuid, Reservation>,
    /// The verdict on each that did not, in order.
    pub(super) verdicts: Vec<Verdict>,
    /// The creation time of each that was admitted.
    pub(super) times: CreateTimes,
    /// When the earliest unpaid hold on each short night expires.
    pub(super) holds: BTreeMap<Night, Timestamp>,
}

/// The outcome of each booking, in order.
pub(super) fn outcomes(orders: &[NewReservation], admitted: &Admitted) -> Vec<Outcome> {
    let mut verdicts = admitted.verdicts.iter();
    let mut booked: BTreeMap<Uuid, Reservation> = BTreeMap::new();
    let mut outcome = |order: &NewReservation| {
        let id = order.id.as_uuid();
        if let Some(known) = admitted.known.get(&id) {
            return repeat(order, known);
        }
        match verdicts.next() {
            Some(Verdict::Admitted) => {
                let reservation = created(order, &admitted.times)?;
                booked.insert(id, reservation.clone());
                Ok(Created::New(reservation))
            }
            Some(Verdict::RepeatOf(_)) => repeat(order, booked.get(&id).ok_or(ReservationError::NotFound)?),
            Some(Verdict::SoldOut(night, rooms_left)) => Err(ReservationError::SoldOut {
                room: short_room(order.lines.iter().map(RoomLine::room), *night, *rooms_left),
                stay_date: date_of(night.2),
                rooms_left: Some(*rooms_left),
                hold_expire_time: admitted.holds.get(night).copied(),
            }),
            Some(Verdict::StopSell(night)) => Err(ReservationError::StopSell {
                room: short_room(order.lines.iter().map(RoomLine::room), *night, 0),
                stay_date: date_of(night.2),
            }),
            Some(Verdict::ReferenceTaken(first)) => Err(ReservationError::ReferenceTaken(*first)),
            Some(Verdict::Unpaid(refusal)) => Err(unpaid(*refusal, &admitted.holds)),
            Some(Verdict::NotOnSale) | None => Err(ReservationError::NotOnSale),
        }
    };
    orders.iter().map(&mut outcome).collect()
}

/// The refusal of a booking, or of a change, that would hold too much unpaid. `holds`: when the earliest hold of a night expires.
pub(super) fn unpaid(refusal: Refusal, holds: &BTreeMap<Night, Timestamp>) -> ReservationError {
    match refusal {
        Refusal::RoomNights(limit) => ReservationError::Unpaid(limit),
        Refusal::Share(night, share, wanted) => ReservationError::UnpaidShare {
            stay_date: date_of(night.2),
            limit: share.limit,
            held: share.held,
            wanted: i64::from(wanted),
            hold_expire_time: holds.get(&night).copied(),
        },
    }
}

/// A request whose id exists: idempotent if content and account are the same.
pub(super) fn repeat(order: &NewReservation, known: &Reservation) -> Outcome {
    if known.content_hash == order.content_hash && known.owner == order.owner {
        return Ok(Created::Repeat(known.clone()));
    }
    Err(ReservationError::IdReused)
}

/// The reservation as its row was just inserted.
pub(super) fn created(order: &NewReservation, times: &CreateTimes) -> Result<Reservation, ReservationError> {
    booked(order, times.get(&order.id.as_uuid()).copied().ok_or(ReservationError::NotFound)?)
}

/// The reservation that an order becomes when it is inserted at `created`.
///
/// # Errors
/// When its hold ends at a time that the database cannot store.
pub fn booked(order: &NewReservation, created: Timestamp) -> Result<Reservation, ReservationError> {
    let held = order.hold_expire_time.is_some();
    Ok(Reservation {
        id: order.id,
        owner: order.owner.clone(),
        lines: order.lines.clone(),
        positions: order.positions(),
        dropped: Vec::new(),
        room_guests: order.room_guests.clone(),
        stay: order.stay,
        guest: order.guest.clone(),
        payment_mode: order.payment_mode,
        quote: order.quote.clone(),
        retained: Money::zero(order.quote.currency()),
        first_total: order.quote.total,
        pending: None,
        content_hash: order.content_hash.to_vec(),
        client_reference: order.client_reference.clone(),
        revision: 1,
        version: 1,
        status: if held { Status::PendingPayment } else { Status::Paid },
        cancellation_reason: None,
        hold_expire_time: order.hold_expire_time.map(microseconds).transpose()?,
        hold_extended: false,
        payment_id: None,
        paid_time: (!held).then_some(created),
        create_time: created,
        update_time: created,
    })
}

/// The time as the database stores it: whole microseconds.
fn microseconds(time: Timestamp) -> Result<Timestamp, DateOutOfRange> {
    Timestamp::from_microsecond(time.as_microsecond()).map_err(|_| DateOutOfRange)
}
