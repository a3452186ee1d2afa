//! The model: maps, integers and no locks. There are no counters; reserved rooms are summed over the reservations each
//! time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    case::{Case, HOLD, NIGHTS, Op, PLACES, Setting, TOTAL, Timed, Variant, date, midnight},
    rows::{BookingRow, Rows},
};
use crate::model::{
    CancellationReason::{self, HoldExpired, NoShow, Requested},
    Status,
};

/// The response to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Booked {
        new: bool,
        booking: BookingRow,
    },
    SoldOut {
        night: usize,
        competing_hold_ends: Option<Timestamp>,
    },
    NotOnSale,
    IdReused,
    NotFound,
    StayHasBegun,
    NotEligibleForNoShow {
        status: Status,
        reason: Option<CancellationReason>,
    },
    NoShowOutOfTime {
        from: Timestamp,
        until: Timestamp,
    },
    Illegal {
        from: Status,
        to: Status,
    },
    AmountMismatch,
    Applied {
        booking: BookingRow,
        refund_required: bool,
    },
    Swept(usize),
    Set {
        nights: usize,
    },
    BelowReserved,
    Retired,
    HasFutureReservations,
    /// An error that the model never predicts.
    Failed(String),
}

impl Answer {
    /// Without what depends on concurrent operations: competing holds are read after the transaction, and concurrent
    /// sweepers divide the holds between them in any way.
    pub(super) fn among_others(self) -> Self {
        match self {
            Self::SoldOut { night, .. } => Self::SoldOut { night, competing_hold_ends: None },
            Self::Swept(_) => Self::Swept(0),
            other => other,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    /// By place and night: total and overbooking percent.
    inventory: BTreeMap<(usize, usize), (i32, i16)>,
    bookings: BTreeMap<usize, Booking>,
}

#[derive(Clone, Debug)]
struct Booking {
    variant: Variant,
    place: usize,
    nights: std::ops::Range<usize>,
    rooms: i32,
    partner_collects: bool,
    row: BookingRow,
    /// The statuses it had, and the refunds that were published.
    history: Vec<Status>,
    refunds: Vec<i64>,
}

impl Booking {
    fn holds_rooms(&self) -> bool {
        matches!(self.row.status, Status::PendingPayment | Status::Paid)
    }

    fn go(&mut self, status: Status) {
        self.row.status = status;
        self.row.hold_ends = None;
        self.history.push(status);
    }
}

impl Model {
    pub(super) fn new(case: &Case) -> Self {
        let nights = case.inventory.iter().enumerate().flat_map(|(place, nights)| {
            nights.iter().enumerate().filter_map(move |(night, rooms)| Some(((place, night), (*rooms)?)))
        });
        Self { inventory: nights.collect(), bookings: BTreeMap::new() }
    }

    pub(super) fn rows(&self) -> Rows {
        let inventory = &self.inventory;
        Rows {
            nights: inventory
                .iter()
                .map(|(key, (total, percent))| (*key, (*total, self.reserved(*key), *percent)))
                .collect(),
            bookings: self.bookings.iter().map(|(slot, booking)| (*slot, booking.row.clone())).collect(),
            histories: self.bookings.iter().map(|(slot, booking)| (*slot, booking.history.clone())).collect(),
            refunds: self
                .bookings
                .iter()
                .filter(|(_, booking)| !booking.refunds.is_empty())
                .map(|(slot, booking)| (*slot, booking.refunds.clone()))
                .collect(),
            sold_by_partner: self
                .bookings
                .iter()
                .filter(|(_, booking)| booking.partner_collects)
                .map(|(slot, _)| (*slot, vec![TOTAL]))
                .collect(),
        }
    }

    /// Plays an operation. A sweep skips the reservations in `skipped`.
    pub(super) fn play(&mut self, case: &Case, timed: &Timed, skipped: &BTreeSet<usize>) -> Answer {
        let now = timed.now;
        match &timed.op {
            Op::Create(slot, variant) => self.create(case, *slot, *variant, now),
            Op::Cancel(slot) => self.cancel(*slot, now),
            Op::NoShow(slot) => self.no_show(*slot, now),
            Op::Confirm { slot, payment, amount } => self.confirm(*slot, *payment, *amount),
            Op::Reject(slot) => self.reject(*slot),
            Op::Refund { slot, payment, amount } => self.refund(*slot, *payment, *amount),
            Op::Sweep { limit } => self.sweep(*limit, now, skipped),
            Op::Set(settings) => self.set(settings),
            Op::Retire { hotel, room_type } => self.retire(*hotel, *room_type, now),
            Op::Together(_) | Op::Wait(_) | Op::Arrive(..) => Answer::Failed("no operation of its own".into()),
        }
    }

    fn reserved(&self, (place, night): (usize, usize)) -> i32 {
        let there =
            |booking: &&Booking| booking.holds_rooms() && booking.place == place && booking.nights.contains(&night);
        self.bookings.values().filter(there).map(|booking| booking.rooms).sum()
    }

    fn is_over_limit(&self, key: (usize, usize)) -> bool {
        let (total, percent) = self.inventory[&key];
        self.reserved(key) > total * (100 + i32::from(percent)) / 100
    }

    /// The refusal of a booking; `None` when all nights have the rooms.
    fn refusal(&self, place: usize, nights: std::ops::Range<usize>, rooms: i32) -> Option<Answer> {
        let keys: Vec<_> = nights.map(|night| (place, night)).collect();
        if keys.iter().any(|key| !self.inventory.contains_key(key)) {
            return Some(Answer::NotOnSale);
        }
        let (_, night) = keys.into_iter().find(|key| {
            let (total, percent) = self.inventory[key];
            self.reserved(*key) + rooms > total * (100 + i32::from(percent)) / 100
        })?;
        let rivals = self.bookings.values().filter(|b| b.place == place && b.nights.contains(&night));
        Some(Answer::SoldOut { night, competing_hold_ends: rivals.filter_map(|b| b.row.hold_ends).min() })
    }

    fn create(&mut self, case: &Case, slot: usize, variant: Variant, now: Timestamp) -> Answer {
        if let Some(known) = self.bookings.get(&slot) {
            if known.variant == variant {
                return Answer::Booked { new: false, booking: known.row.clone() };
            }
            return Answer::IdReused;
        }
        let request = case.request(slot, variant);
        let place = request.place(slot);
        if let Some(refusal) = self.refusal(place, request.nights(), request.rooms) {
            return refusal;
        }
        let paid = request.partner_collects;
        let status = if paid { Status::Paid } else { Status::PendingPayment };
        let row =
            BookingRow { status, reason: None, hold_ends: (!paid).then(|| now + HOLD), payment: None, was_paid: paid };
        let booking = Booking {
            variant,
            place,
            nights: request.nights(),
            rooms: request.rooms,
            partner_collects: paid,
            row: row.clone(),
            history: vec![status],
            refunds: vec![],
        };
        self.bookings.insert(slot, booking);
        Answer::Booked { new: true, booking: row }
    }

    fn cancel(&mut self, slot: usize, now: Timestamp) -> Answer {
        let Some(booking) = self.bookings.get_mut(&slot) else { return Answer::NotFound };
        let arrival = midnight(booking.nights.start);
        match (booking.row.status, booking.row.reason) {
            // The check-in date is past at the hotel.
            (Status::Paid, _) if now >= midnight(booking.nights.start + 1) => return Answer::StayHasBegun,
            (Status::Paid, _) => {
                let free = now <= arrival - SignedDuration::from_hours(48);
                booking.refunds.push(if free { TOTAL } else { TOTAL * 70 / 100 });
                booking.go(Status::Cancelled);
            }
            (Status::PendingPayment, _) => {
                booking.refunds.push(TOTAL);
                booking.go(Status::Cancelled);
            }
            // The status stays; a late payment must no longer take the rooms.
            (Status::Cancelled, Some(HoldExpired)) => booking.refunds.push(TOTAL),
            (Status::Rejected, _) => return Answer::Illegal { from: Status::Rejected, to: Status::Cancelled },
            (Status::Cancelled | Status::Refunded, _) => return booking.applied(false),
        }
        booking.row.reason = Some(Requested);
        booking.applied(false)
    }

    fn no_show(&mut self, slot: usize, now: Timestamp) -> Answer {
        let Some(booking) = self.bookings.get_mut(&slot) else { return Answer::NotFound };
        match (booking.row.status, booking.row.reason) {
            (_, Some(NoShow)) => return booking.applied(false),
            (Status::Paid, _) => {}
            (status, reason) => return Answer::NotEligibleForNoShow { status, reason },
        }
        // The check-in date has ended, and not more than two days have passed since the check-out date began.
        let (from, until) = (midnight(booking.nights.start + 1), midnight(booking.nights.end + 2));
        if now < from || until < now {
            return Answer::NoShowOutOfTime { from, until };
        }
        booking.refunds.push(TOTAL * 70 / 100);
        booking.go(Status::Cancelled);
        booking.row.reason = Some(NoShow);
        booking.applied(false)
    }

    fn confirm(&mut self, slot: usize, payment: u8, amount: i64) -> Answer {
        let Some(booking) = self.bookings.get(&slot) else { return Answer::NotFound };
        if amount != TOTAL {
            return Answer::AmountMismatch;
        }
        // A partner collects: no payment pays for it.
        if booking.partner_collects {
            return booking.applied(true);
        }
        let row = &booking.row;
        let free = self.refusal(booking.place, booking.nights.clone(), booking.rooms).is_none();
        let expired = row.status == Status::Cancelled && row.reason == Some(HoldExpired) && row.payment.is_none();
        let Some(booking) = self.bookings.get_mut(&slot) else { return Answer::NotFound };
        if booking.row.status == Status::PendingPayment || expired && free {
            booking.go(Status::Paid);
            booking.row.reason = None;
            booking.row.payment = Some(payment);
            booking.row.was_paid = true;
            return booking.applied(false);
        }
        if booking.row.payment == Some(payment) {
            let settled = booking.row.was_paid || booking.row.status == Status::Refunded;
            return booking.applied(!settled);
        }
        // Too late, or a second payment. The first late payment is noted.
        if booking.row.status == Status::Cancelled && booking.row.payment.is_none() {
            booking.row.payment = Some(payment);
        }
        booking.applied(true)
    }

    fn reject(&mut self, slot: usize) -> Answer {
        let Some(booking) = self.bookings.get_mut(&slot) else { return Answer::NotFound };
        if booking.row.status == Status::PendingPayment && !booking.partner_collects {
            booking.go(Status::Rejected);
        }
        booking.applied(false)
    }

    fn refund(&mut self, slot: usize, payment: u8, amount: i64) -> Answer {
        let Some(booking) = self.bookings.get_mut(&slot) else { return Answer::NotFound };
        if !(1..=TOTAL).contains(&amount) {
            return Answer::AmountMismatch;
        }
        if booking.row.payment == Some(payment) && booking.row.status == Status::Cancelled {
            booking.go(Status::Refunded);
        }
        booking.applied(false)
    }

    fn sweep(&mut self, limit: usize, now: Timestamp, skipped: &BTreeSet<usize>) -> Answer {
        let ends = |(slot, booking): (&usize, &Booking)| Some((booking.row.hold_ends?, *slot));
        let mut over: Vec<_> = self.bookings.iter().filter_map(ends).filter(|(end, _)| *end <= now).collect();
        over.retain(|(_, slot)| !skipped.contains(slot));
        over.sort_unstable();
        over.truncate(limit);
        for (_, slot) in &over {
            if let Some(booking) = self.bookings.get_mut(slot) {
                booking.go(Status::Cancelled);
                booking.row.reason = Some(HoldExpired);
                booking.refunds.push(0);
            }
        }
        Answer::Swept(over.len())
    }

    fn set(&mut self, settings: &[Setting]) -> Answer {
        let before = self.inventory.clone();
        let mut nights = 0;
        for setting in settings {
            for night in setting.nights() {
                nights += 1;
                let key = (setting.place, night);
                self.inventory.insert(key, (setting.total, setting.percent));
                if self.is_over_limit(key) {
                    self.inventory = before;
                    return Answer::BelowReserved;
                }
            }
        }
        Answer::Set { nights }
    }

    fn retire(&mut self, hotel: i32, room_type: Option<i32>, now: Timestamp) -> Answer {
        let before = self.inventory.clone();
        // Nights whose date has passed at 06:00 in UTC-12 are past.
        let today = (now - SignedDuration::from_hours(18)).to_zoned(jiff::tz::TimeZone::UTC).date();
        for (place, (of_hotel, of_type)) in PLACES.into_iter().enumerate() {
            for night in (0..NIGHTS).filter(|night| date(*night) >= today) {
                let wanted = of_hotel == hotel && room_type.is_none_or(|room_type| room_type == of_type);
                let Some(rooms) = self.inventory.get_mut(&(place, night)).filter(|_| wanted) else { continue };
                rooms.0 = 0;
                if self.is_over_limit((place, night)) {
                    self.inventory = before;
                    return Answer::HasFutureReservations;
                }
            }
        }
        Answer::Retired
    }
}

impl Booking {
    fn applied(&self, refund_required: bool) -> Answer {
        Answer::Applied { booking: self.row.clone(), refund_required }
    }
}
