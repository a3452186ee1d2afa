//! A state of the whole system, reduced to what the rules read.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use staymesh_domain::{Money, PaymentId};
use staymesh_psp::CheckoutStatus;
use staymesh_reservation::{
    Reservation, Status,
    protocol::{AppliedChanges, Message},
};

use super::{
    Bounds, Favour, Kind,
    agreed::{self, Agreed},
};
use crate::{
    clock::{self, Moment, TOTAL},
    delivery::Opening,
    orders::Due,
    payments::Payments,
};

/// A state of guest, provider, both services and what is on its way between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) moment: Moment,
    pub(crate) booking: Agreed,
    pub(crate) applied: AppliedChanges,
    /// Rooms that the booking holds in each night, as the inventory counts them.
    pub(crate) rooms: BTreeMap<(i32, i32, i32), i32>,
    /// Nights that another guest has, as days after the first.
    pub(crate) others: BTreeSet<i32>,
    /// What the end of the booking gives back, in cents.
    pub(crate) end: Option<i64>,
    pub(crate) changes_left: BTreeSet<Kind>,
    pub(crate) refunds_left: BTreeSet<Favour>,
    /// Refunds that an administrator requested by the policy and as goodwill, in cents.
    pub(crate) favours: (i64, i64),
    /// Requests to pay that have read what is due and not saved their order yet.
    pub(crate) asking: BTreeSet<Due>,
    /// Requests to pay that may still come.
    pub(crate) asks_left: u8,
    /// Closed pages that the guest may still pay.
    pub(crate) paid_late_left: u8,
    pub(crate) payments: Payments,
    /// The outbox of the reservation service.
    pub(crate) outbox: VecDeque<Message>,
    /// Calls between the services that the caller gave up and that arrive later.
    pub(crate) late_calls: Vec<Call>,
    /// Faults of the network and crashes that may still come.
    pub(crate) faults_left: u8,
    /// A message was refused for good.
    pub(crate) dead_letter: bool,
}

/// A call of one service by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Confirm { payment: usize },
    Reject { revision: i32 },
    ConfirmRefund { payment: PaymentId, amount: Money },
    Tell(Message),
}

impl State {
    /// The booking is paid, and everything is quiet.
    pub(super) fn paid(booked: &Arc<Reservation>, bounds: Bounds) -> Option<Self> {
        let mut payments = Payments::default();
        let due = Due { revision: 1, minor: 2 * TOTAL, until: clock::hold_end() };
        payments.open(booked.id, due, Opening::Shown, false).ok()?;
        payments.turn_page(0, CheckoutStatus::Paid, clock::booked()).ok()?;
        let event = payments.events.pop()?;
        payments.receive(event).ok()?;
        payments.orders[0].outbox.clear();
        Some(Self {
            moment: Moment::Held,
            booking: Agreed(booked.clone()),
            applied: AppliedChanges::new(),
            rooms: agreed::nights(&agreed::placed(booked)),
            others: BTreeSet::new(),
            end: None,
            changes_left: bounds.changes.iter().copied().collect(),
            refunds_left: bounds.refunds.iter().copied().collect(),
            favours: (0, 0),
            asking: BTreeSet::new(),
            asks_left: bounds.asks,
            paid_late_left: bounds.paid_late,
            payments,
            outbox: VecDeque::new(),
            late_calls: vec![],
            faults_left: bounds.faults,
            dead_letter: false,
        })
    }

    /// Rooms that are left in a night: there is one.
    pub(super) fn left(&self, night: (i32, i32, i32)) -> i32 {
        let other = self.others.contains(&(night.2 - clock::day_of(clock::check_in())));
        1 - self.rooms.get(&night).copied().unwrap_or_default() - i32::from(other)
    }

    /// The key of a night, by days after the first.
    pub(super) fn night(days: i32) -> (i32, i32, i32) {
        (1, 1, clock::day_of(clock::check_in()) + days)
    }

    /// Whether one more fault may come; takes it.
    pub(super) const fn take_fault(&mut self) -> bool {
        let left = self.faults_left > 0;
        self.faults_left = self.faults_left.saturating_sub(1);
        left
    }

    /// Whether no message is in flight, and neither service waits for another step.
    pub(crate) fn is_quiet(&self) -> bool {
        self.booking.0.pending.is_none()
            && self.asking.is_empty()
            && self.outbox.is_empty()
            && self.late_calls.is_empty()
            && self.payments.is_quiet()
    }

    /// Whether the booking is over: nothing can happen any more.
    pub(crate) fn is_final(&self) -> bool {
        self.moment == Moment::Over && self.is_quiet()
    }

    /// Whether the booking is paid.
    pub(crate) fn stands(&self) -> bool {
        self.booking.0.status == Status::Paid
    }
}
