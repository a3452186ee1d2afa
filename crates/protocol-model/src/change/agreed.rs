//! What is agreed: the booking of two rooms, and the rooms of each change.

use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use anyhow::{Context, Result};
use jiff::ToSpan;
use staymesh_domain::{CancellationTerms, Deadline, HotelId, PaymentId, ReservationId, RoomTypeId, StayDates};
use staymesh_reservation::{
    CancellationReason, Guest, NewReservation, PaymentMode, Reservation, RoomLine, RoomStatus,
    lifecycle::Command,
    protocol::{self, PlacedRoom, RoomsChange},
    quote::{Night, Quote},
};
use uuid::Uuid;

use crate::clock::{self, Moment, PENALTY, TOTAL, euros};

/// A change that the guest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Room 1 moves to another night, which costs more.
    Dearer,
    /// Room 1 costs less.
    Cheaper,
    /// Room 2 is cancelled.
    DropRoom,
}

/// A refund that an administrator requests of the payment of the booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Favour {
    /// Within what the policy gives back.
    ByPolicy,
    /// On top of it.
    Goodwill,
}

/// What the change with a charge costs more, in cents.
pub(crate) const DEARER: i64 = 5_000;
/// What the change with a refund costs less, in cents.
pub(super) const CHEAPER: i64 = 4_000;

/// The reservation. Two are equal if the rules of its protocol cannot tell them apart.
#[derive(Clone, Debug)]
pub(crate) struct Agreed(pub(crate) Arc<Reservation>);

impl Agreed {
    fn key(&self) -> impl Eq + Hash {
        let booking = &*self.0;
        let rooms: Vec<_> = booking.positions.iter().zip(&booking.lines).map(room_key).collect();
        (
            (booking.status, booking.cancellation_reason.map(CancellationReason::as_str), booking.payment_id),
            (booking.revision, booking.pending.as_ref().map(|pending| (pending.revision, pending.expire_time))),
            (rooms, booking.retained),
        )
    }
}

fn room_key((position, line): (&i32, &RoomLine)) -> (i32, jiff::civil::Date, i64) {
    (*position, line.stay.check_in(), line.quote.total.minor())
}

impl PartialEq for Agreed {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Agreed {}

impl Hash for Agreed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// A room for the night so many days after the first, at this price.
fn room(night: i64, minor: i64) -> Result<RoomLine> {
    let (check_in, total) = (clock::check_in().checked_add(night.days())?, euros(minor)?);
    let stay = StayDates::new(check_in, check_in.checked_add(1.day())?)?;
    let share = |of_total: i64| euros(of_total * minor / TOTAL);
    let terms = clock::terms()?;
    let terms = CancellationTerms {
        deadlines: vec![
            Deadline { penalty: euros(0)?, ..terms.deadlines.first().copied().context("a deadline")? },
            Deadline { until: None, penalty: share(PENALTY)? },
        ],
        no_show: share(clock::NO_SHOW)?,
        ..terms
    };
    let nights = vec![Night { date: check_in, price: total }];
    let quote = Quote::new(nights, total, vec![], total, terms);
    let (room_type_id, party) = (RoomTypeId::try_from(1)?, "1".parse().ok().context("a party")?);
    Ok(RoomLine { room_type_id, stay, party, quote, status: RoomStatus::Live })
}

/// The booking of two rooms as it is made.
pub(crate) fn order(payment_mode: PaymentMode) -> Result<NewReservation> {
    let lines = vec![room(0, TOTAL)?, room(1, TOTAL)?];
    let sum = RoomLine::sum(&lines)?;
    Ok(NewReservation {
        id: ReservationId::generate(HotelId::try_from(1)?, clock::booked()),
        owner: "client:1".to_owned(),
        room_guests: vec![None; lines.len()],
        lines,
        stay: sum.stay,
        guest: Guest { full_name: String::new(), email: String::new() },
        payment_mode,
        quote: sum.quote,
        content_hash: [0; 32],
        client_reference: None,
        hold_expire_time: Some(clock::hold_end()),
        limits: Box::default(),
        trace_parent: None,
        origin: None,
    })
}

/// The payment of the booking itself.
pub(super) fn payment() -> PaymentId {
    PaymentId::from(Uuid::from_u128(1))
}

/// The booking, paid.
pub(super) fn paid() -> Result<Reservation> {
    let booked = protocol::booked(&order(PaymentMode::GuestPays)?, clock::booked())?;
    let pay = Command::ConfirmPayment { payment_id: payment(), amount: booked.first_total };
    Ok(protocol::carry_out(&booked, pay, clock::booked(), |_| 0)?.reservation)
}

/// Rooms in each night: hotel, room type, day.
pub(crate) type Nights = BTreeMap<(i32, i32, i32), i32>;

/// The rooms of a booking in each night.
pub(crate) fn nights(rooms: &[PlacedRoom]) -> Nights {
    let mut nights = BTreeMap::new();
    for PlacedRoom { line, .. } in rooms {
        *nights.entry(night_of(line)).or_default() += 1;
    }
    nights
}

fn night_of(line: &RoomLine) -> (i32, i32, i32) {
    (1, line.room_type_id.get(), clock::day_of(line.stay.check_in()))
}

/// The rooms of a booking with their positions.
pub(crate) fn placed(booking: &Reservation) -> Vec<PlacedRoom> {
    let rooms = booking.positions.iter().zip(&booking.lines);
    rooms.map(|(position, line)| PlacedRoom { position: *position, line: line.clone() }).collect()
}

/// The rooms in each night that the revision of a booking and its pending change say: none once it ended.
pub(crate) fn rooms_of(booking: &Reservation) -> Nights {
    if !booking.status.holds_rooms() {
        return Nights::new();
    }
    let before = placed(booking);
    let mut rooms = nights(&before);
    for (night, wanted) in pending_rooms(booking, &before) {
        let held = rooms.entry(night).or_default();
        *held = wanted.max(*held);
    }
    rooms
}

/// Whether `held` has the rooms of the booking and those that its pending change makes of them.
pub(crate) fn holds_both(booking: &Reservation, held: &Nights) -> bool {
    let covers = |wanted: Nights| wanted.iter().all(|(night, rooms)| held.get(night).is_some_and(|held| held >= rooms));
    let before = placed(booking);
    booking.pending.is_none() || covers(nights(&before)) && covers(pending_rooms(booking, &before))
}

fn pending_rooms(booking: &Reservation, rooms: &[PlacedRoom]) -> Nights {
    let Some(pending) = &booking.pending else { return Nights::new() };
    let kept = rooms.iter().filter(|room| pending.change.kept.contains(&room.position)).cloned();
    nights(&kept.chain(pending.change.rooms.iter().cloned()).collect::<Vec<_>>())
}

/// The change of a booking. The one with a charge moves room 1 to the third night.
pub(crate) fn change(booking: &Reservation, kind: Kind) -> Result<RoomsChange> {
    let rooms = placed(booking);
    let first = rooms.iter().find(|room| room.position == 1).context("room 1")?;
    let night = i64::from(clock::day_of(first.line.stay.check_in()) - clock::day_of(clock::check_in()));
    let total = first.line.quote.total.minor();
    let line = match kind {
        Kind::Dearer => room(2, total + DEARER)?,
        Kind::Cheaper | Kind::DropRoom => room(night, total - CHEAPER)?,
    };
    let kept = rooms.iter().map(|room| room.position).filter(|position| *position != 1).collect();
    Ok(RoomsChange::new(&rooms, kept, vec![PlacedRoom { position: 1, line }], euros(0)?)?)
}

/// When a change that is asked for now is given up unless it is paid.
pub(crate) fn expire_time(moment: Moment) -> jiff::Timestamp {
    moment.next().unwrap_or(moment).time()
}
