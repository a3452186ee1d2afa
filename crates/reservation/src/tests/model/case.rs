//! Operations and random sequences of them. All numbers are small, so that reservations compete for the same nights.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// Reservations of a case.
pub(super) const SLOTS: usize = 10;
/// Nights from [`FIRST_NIGHT`] on.
pub(super) const NIGHTS: usize = 5;
/// The price of every reservation, in cents.
pub(super) const TOTAL: i64 = 10_000;
/// How long an unpaid reservation holds its rooms.
pub(super) const HOLD: SignedDuration = SignedDuration::from_mins(15);
/// The hotel and room type of each place.
pub(super) const PLACES: [(i32, i32); 3] = [(7, 1), (7, 2), (8, 1)];
/// So far ahead that no hold has expired by the clock of the database.
pub(super) const FIRST_NIGHT: Date = jiff::civil::date(2095, 3, 30);

/// When a case begins.
pub(super) fn start() -> Timestamp {
    "2095-03-27T12:00:00Z".parse().expect("a time")
}

pub(super) fn date(night: usize) -> Date {
    FIRST_NIGHT.saturating_add(i64::try_from(night).expect("few nights").days())
}

/// When the date of a night begins at the hotel, in Greenwich.
pub(super) fn midnight(night: usize) -> Timestamp {
    date(night).at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp()
}

/// The content of a booking request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) second_room_type: bool,
    pub(super) first: usize,
    pub(super) nights: usize,
    pub(super) rooms: i32,
    pub(super) partner_collects: bool,
}

impl Request {
    /// The index in [`PLACES`] of what is wanted: the id of a booking names its hotel.
    pub(super) fn place(&self, slot: usize) -> usize {
        if hotel(slot) == 8 { 2 } else { usize::from(self.second_room_type) }
    }

    pub(super) fn nights(&self) -> std::ops::Range<usize> {
        self.first..(self.first + self.nights).min(NIGHTS)
    }
}

/// The hotel of a reservation.
pub(super) fn hotel(slot: usize) -> i32 {
    if slot % 4 == 3 { 8 } else { 7 }
}

/// The content of a request with a given id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// The content that the id was generated for.
    First,
    /// The same id with other content.
    Other,
    /// The same content from another account.
    Stranger,
}

/// A change of inventory.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) place: usize,
    pub(super) first: usize,
    pub(super) nights: usize,
    pub(super) total: i32,
    pub(super) percent: i16,
}

impl Setting {
    pub(super) fn nights(&self) -> std::ops::Range<usize> {
        self.first..(self.first + self.nights).min(NIGHTS)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    Create(usize, Variant),
    /// Creations that arrive in this order before the first is answered.
    Together(Vec<(usize, Variant)>),
    Cancel(usize),
    NoShow(usize),
    Confirm {
        slot: usize,
        payment: u8,
        amount: i64,
    },
    Reject(usize),
    Refund {
        slot: usize,
        payment: u8,
        amount: i64,
    },
    Sweep {
        limit: usize,
    },
    Set(Vec<Setting>),
    Retire {
        hotel: i32,
        room_type: Option<i32>,
    },
    Wait(SignedDuration),
    /// Waits until this long after the check-in date begins at the hotel.
    Arrive(usize, SignedDuration),
}

impl Op {
    /// The reservation it concerns.
    pub(super) fn slot(&self) -> Option<usize> {
        match self {
            Self::Create(slot, _)
            | Self::Cancel(slot)
            | Self::NoShow(slot)
            | Self::Reject(slot)
            | Self::Confirm { slot, .. }
            | Self::Refund { slot, .. } => Some(*slot),
            _ => None,
        }
    }
}

/// An operation and its time.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) op: Op,
    pub(super) now: Timestamp,
}

impl Timed {
    /// Creations with distinct times, so that no two holds expire at once.
    pub(super) fn batch(now: Timestamp, creates: &[(usize, Variant)]) -> Vec<Self> {
        let moments = (0..).map(|at| now + SignedDuration::from_millis(at));
        creates
            .iter()
            .zip(moments)
            .map(|((slot, variant), now)| Self { op: Op::Create(*slot, *variant), now })
            .collect()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    /// By place and night: rooms on sale and overbooking percent; `None` is not on sale.
    pub(super) inventory: Vec<Vec<Option<(i32, i16)>>>,
    /// By slot: the content that its id was generated for, and other content.
    pub(super) requests: Vec<(Request, Request)>,
    ops: Vec<Op>,
}

impl Case {
    pub(super) fn request(&self, slot: usize, variant: Variant) -> &Request {
        let (first, other) = &self.requests[slot];
        if variant == Variant::Other { other } else { first }
    }

    /// The operations, one second apart and after the waits before them.
    pub(super) fn timed(&self) -> Vec<Timed> {
        let mut now = start();
        let mut timed = Vec::new();
        for op in &self.ops {
            match op {
                Op::Wait(time) => now += *time,
                Op::Arrive(slot, time) => now = now.max(midnight(self.requests[*slot].0.first) + *time),
                op => {
                    now += SignedDuration::from_secs(1);
                    timed.push(Timed { op: op.clone(), now });
                }
            }
        }
        timed
    }

    pub(super) fn rounds_of(&self, most: usize) -> Vec<Vec<Timed>> {
        self.timed().chunks(most).map(<[Timed]>::to_vec).collect()
    }
}

fn request() -> impl Strategy<Value = Request> {
    (prop::bool::weighted(0.2), 0..NIGHTS, 1..=3usize, 1..=2i32, prop::bool::weighted(0.2)).prop_map(
        |(second_room_type, first, nights, rooms, partner_collects)| Request {
            second_room_type,
            first,
            nights,
            rooms,
            partner_collects,
        },
    )
}

fn rooms() -> impl Strategy<Value = (i32, i16)> {
    (0..=5i32, select(vec![0i16, 10, 34, 100]))
}

fn setting() -> impl Strategy<Value = Setting> {
    (0..PLACES.len(), 0..NIGHTS, 1..=NIGHTS, rooms()).prop_map(|(place, first, nights, (total, percent))| Setting {
        place,
        first,
        nights,
        total,
        percent,
    })
}

/// Settings of one request, which are all of one hotel.
fn settings() -> impl Strategy<Value = Vec<Setting>> {
    vec(setting(), 1..=2).prop_map(|mut settings| {
        let hotel = PLACES[settings[0].place].0;
        settings.retain(|setting| PLACES[setting.place].0 == hotel);
        settings
    })
}

fn create() -> impl Strategy<Value = (usize, Variant)> {
    let variant = prop_oneof![8 => Just(Variant::First), 2 => Just(Variant::Other), 1 => Just(Variant::Stranger)];
    (0..SLOTS, variant)
}

fn op() -> impl Strategy<Value = Op> {
    let amount = prop_oneof![8 => Just(TOTAL), 1 => Just(TOTAL - 1)];
    let refund = prop_oneof![Just(TOTAL), Just(1), Just(0), Just(TOTAL + 1)];
    let hotel = prop_oneof![Just((7, None)), Just((7, Some(2))), Just((8, Some(1)))];
    let minutes = prop_oneof![3 => 1..=20i64, 1 => Just(24 * 60), 1 => Just(60 * 7)];
    prop_oneof![
        8 => create().prop_map(|(slot, variant)| Op::Create(slot, variant)),
        3 => (0..SLOTS).prop_map(Op::Cancel),
        2 => (0..SLOTS).prop_map(Op::NoShow),
        4 => (0..SLOTS, 0..2u8, amount).prop_map(|(slot, payment, amount)| Op::Confirm { slot, payment, amount }),
        1 => (0..SLOTS).prop_map(Op::Reject),
        2 => (0..SLOTS, 0..2u8, refund).prop_map(|(slot, payment, amount)| Op::Refund { slot, payment, amount }),
        3 => (1..=SLOTS).prop_map(|limit| Op::Sweep { limit }),
        2 => settings().prop_map(Op::Set),
        1 => hotel.prop_map(|(hotel, room_type)| Op::Retire { hotel, room_type }),
        3 => minutes.prop_map(|minutes| Op::Wait(SignedDuration::from_mins(minutes))),
    ]
}

/// A booking that is paid and whose time comes, when it is cancelled and reported as a no-show, whichever is first. Left to
/// chance alone that hardly ever happens.
fn stay() -> impl Strategy<Value = Vec<Op>> {
    let end = prop_oneof![
        2 => Just([Op::NoShow as fn(usize) -> Op, Op::Cancel]),
        1 => Just([Op::Cancel as fn(usize) -> Op, Op::NoShow]),
        1 => Just([Op::NoShow as fn(usize) -> Op, Op::NoShow]),
    ];
    (0..SLOTS, -6..=80i64, end).prop_map(|(slot, hours, [first, second])| {
        let paid = [Op::Create(slot, Variant::First), Op::Confirm { slot, payment: 0, amount: TOTAL }];
        let end = [Op::Arrive(slot, SignedDuration::from_hours(hours)), first(slot), second(slot)];
        paid.into_iter().chain(end).collect()
    })
}

fn case(op: impl Strategy<Value = Op>, most: usize) -> impl Strategy<Value = Case> {
    let nights = vec(option::weighted(0.9, rooms()), NIGHTS);
    let ops = vec(prop_oneof![15 => op.prop_map(|op| vec![op]), 1 => stay()], 1..most);
    (vec(nights, PLACES.len()), vec((request(), request()), SLOTS), ops).prop_map(|(inventory, requests, ops)| Case {
        inventory,
        requests,
        ops: ops.concat(),
    })
}

/// Sequences for one caller.
pub(super) fn one_by_one() -> impl Strategy<Value = Case> {
    let together = vec(create(), 2..8).prop_map(Op::Together);
    case(prop_oneof![6 => op(), 1 => together], 60)
}

/// Sequences that are cut into rounds of so many.
pub(super) fn rounds(most: usize) -> impl Strategy<Value = Case> {
    case(op(), 12 * most)
}
