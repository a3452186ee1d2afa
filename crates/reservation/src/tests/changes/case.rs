//! Commands and random sequences of them. All numbers are small, so that bookings compete for the same nights.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use proptest::{collection::vec, prelude::*};
use staymesh_domain::{RoomTypeId, StayDates};

use crate::{
    error::ReservationError, quote::tests::quote_for, room_line::RoomLine, room_status::RoomStatus,
    rooms_change::PlacedRoom,
};

/// Bookings of a case.
const SLOTS: usize = 4;
pub(super) const NIGHTS: i32 = 6;
/// Rooms of each of the two types.
pub(super) const ROOMS: i32 = 3;
pub(super) const HOTEL: i32 = 7;
pub(super) const HOLD: SignedDuration = SignedDuration::from_mins(15);
/// So far ahead that no hold has expired by the clock of the database.
const FIRST_NIGHT: Date = jiff::civil::date(2095, 3, 30);
/// The price of a room, in cents.
const PRICE: i64 = 10_000;

/// When a case begins: four days before the first night.
pub(super) fn start() -> Timestamp {
    "2095-03-26T12:00:00Z".parse().expect("a time")
}

pub(super) fn date(night: i32) -> Date {
    FIRST_NIGHT.saturating_add(night.days())
}

pub(super) fn room_type(id: i32) -> RoomTypeId {
    RoomTypeId::try_from(id).expect("an id")
}

/// A room: the id of its type and its nights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) kind: i32,
    from: i32,
    nights: i32,
}

impl Room {
    pub(super) fn nights(self) -> std::ops::Range<i32> {
        self.from..(self.from + self.nights).min(NIGHTS)
    }

    /// The room at its price, and so much more.
    pub(super) fn line(self, more: i64) -> RoomLine {
        let stay = StayDates::new(date(self.nights().start), date(self.nights().end)).expect("a stay");
        RoomLine {
            room_type_id: room_type(self.kind),
            stay,
            party: "1".parse().expect("a party"),
            quote: quote_for(stay, PRICE + more, 30),
            status: RoomStatus::Live,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Command {
    Book(usize, Vec<Room>),
    Pay(usize),
    /// Gives a room of this position other nights at so much more; based on the revision before if `outdated`.
    Change {
        slot: usize,
        position: i32,
        room: Room,
        more: i64,
        outdated: bool,
    },
    /// The difference of the change that made, or is to make, this revision is paid.
    PayChange {
        slot: usize,
        revision: i32,
        payment: u8,
        minor: i64,
    },
    GiveUp(usize, i32),
    CancelRooms(usize, Vec<i32>),
    Cancel(usize),
    CheckIn(usize, i32),
    CheckOut(usize, i32),
    StopSell(Room, bool),
    /// One more room is out of order.
    OutOfOrder(Room),
    ExpireHolds,
    ExpireChanges,
    Wait(SignedDuration),
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// How many an expiry job ended.
    Ended(usize),
    RefundRequired,
    NotFound,
    SoldOut,
    StopSell,
    Outdated,
    Pending,
    NotChangeable,
    StayHasBegun,
    CheckedIn,
    AmountMismatch,
    /// An error that the model never predicts.
    Failed(String),
}

impl From<ReservationError> for Answer {
    fn from(error: ReservationError) -> Self {
        use ReservationError as E;
        match error {
            E::NotFound => Self::NotFound,
            E::SoldOut { .. } => Self::SoldOut,
            E::StopSell { .. } => Self::StopSell,
            E::RevisionMismatch { .. } => Self::Outdated,
            E::ChangePending => Self::Pending,
            E::NotChangeable(_) => Self::NotChangeable,
            E::StayHasBegun => Self::StayHasBegun,
            E::CheckedIn => Self::CheckedIn,
            E::AmountMismatch => Self::AmountMismatch,
            other => Self::Failed(format!("{other:?}")),
        }
    }
}

/// A booking: its status, its revision and how many there are, the number of its pending change, what is retained, and its
/// rooms, as the latest revision has them too.
pub(super) type BookingView = (String, i32, usize, Option<i32>, i64, Vec<(i32, i32, StayDates, i64, RoomStatus)>);

/// Everything that is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Rooms reserved, by room type and night.
    pub(super) reserved: BTreeMap<(i32, i32), i32>,
    pub(super) bookings: BTreeMap<usize, BookingView>,
}

/// A room as it is compared. The status of rooms that are not held is that of their booking.
pub(super) fn room_view(room: &PlacedRoom, held: bool) -> (i32, i32, StayDates, i64, RoomStatus) {
    let PlacedRoom { position, line } = room;
    let status = if held { line.status } else { RoomStatus::Cancelled };
    (*position, line.room_type_id.get(), line.stay, line.quote.total.minor(), status)
}

fn room() -> impl Strategy<Value = Room> {
    (1..=2i32, 0..NIGHTS, 1..=3i32).prop_map(|(kind, from, nights)| Room { kind, from, nights })
}

pub(super) fn commands() -> impl Strategy<Value = Vec<Command>> {
    let slot = || 0..SLOTS;
    let more = prop_oneof![2 => Just(5_000i64), 1 => Just(0), 1 => Just(-500)];
    let change = (slot(), 1..=3i32, room(), more, prop::bool::weighted(0.1))
        .prop_map(|(slot, position, room, more, outdated)| Command::Change { slot, position, room, more, outdated });
    let minor = prop_oneof![9 => Just(5_000i64), 1 => Just(4_999)];
    let pay = (slot(), 2..=6i32, 0..2u8, minor).prop_map(|(slot, revision, payment, minor)| Command::PayChange {
        slot,
        revision,
        payment,
        minor,
    });
    let minutes = prop_oneof![3 => 1..=20i64, 1 => Just(24 * 60), 1 => Just(60 * 7)];
    let command = prop_oneof![
        6 => (slot(), vec(room(), 1..=3)).prop_map(|(slot, rooms)| Command::Book(slot, rooms)),
        6 => slot().prop_map(Command::Pay),
        8 => change,
        6 => pay,
        1 => (slot(), 2..=6i32).prop_map(|(slot, revision)| Command::GiveUp(slot, revision)),
        3 => (slot(), vec(1..=3i32, 1..=2)).prop_map(|(slot, rooms)| Command::CancelRooms(slot, rooms)),
        1 => slot().prop_map(Command::Cancel),
        1 => (slot(), 1..=3i32).prop_map(|(slot, position)| Command::CheckIn(slot, position)),
        1 => (slot(), 1..=3i32).prop_map(|(slot, position)| Command::CheckOut(slot, position)),
        2 => (room(), prop::bool::weighted(0.4)).prop_map(|(room, closed)| Command::StopSell(room, closed)),
        1 => room().prop_map(Command::OutOfOrder),
        1 => Just(Command::ExpireHolds),
        2 => Just(Command::ExpireChanges),
        3 => minutes.prop_map(|minutes| Command::Wait(SignedDuration::from_mins(minutes))),
    ];
    vec(command, 1..60)
}
