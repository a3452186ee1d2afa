//! A state of partner, both services and what is on its way between them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use staymesh_reservation::{
    Reservation, Status,
    protocol::{AppliedChanges, Message, SaleTerms},
};

use super::{Bounds, sales::Sales};
use crate::{
    change::{
        Kind,
        agreed::{self, Agreed, Nights},
    },
    clock::{self, Moment},
};

/// A state of the whole system, reduced to what the rules read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) moment: Moment,
    pub(crate) booking: Agreed,
    pub(crate) applied: AppliedChanges,
    /// Rooms that the booking holds in each night, as the inventory counts them.
    pub(crate) rooms: Nights,
    /// Nights that another guest has, as days after the first.
    pub(crate) others: BTreeSet<i32>,
    /// What the end of the paid booking gives back, in cents.
    pub(crate) end: Option<i64>,
    /// Whether a change was refused by the credit limit.
    pub(crate) change_refused: bool,
    pub(crate) changes_left: BTreeSet<Kind>,
    pub(crate) sales: Sales,
    /// The outbox of the reservation service.
    pub(crate) outbox: VecDeque<Message>,
    /// Calls of the payment service that the caller gave up and that arrive later.
    pub(crate) late_calls: Vec<Message>,
    /// Faults of the network and crashes that may still come.
    pub(crate) faults_left: u8,
    /// A message was refused for good.
    pub(crate) dead_letter: bool,
}

impl State {
    /// The booking as it was just made, whose sale is to be decided.
    pub(super) fn booked(booked: &Arc<Reservation>, bounds: Bounds) -> Option<Self> {
        let (amount, taxes) = (booked.quote.total, booked.quote.tax().ok()?);
        let sold = Message::Sold(SaleTerms { amount, taxes, check_out: booked.stay.check_out() });
        Some(Self {
            moment: Moment::Held,
            booking: Agreed(booked.clone()),
            applied: AppliedChanges::new(),
            rooms: agreed::nights(&agreed::placed(booked)),
            others: BTreeSet::new(),
            end: None,
            change_refused: false,
            changes_left: bounds.changes.iter().copied().collect(),
            sales: Sales::default(),
            outbox: [sold].into(),
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

    /// Whether one more fault may come; takes it.
    pub(super) const fn take_fault(&mut self) -> bool {
        let left = self.faults_left > 0;
        self.faults_left = self.faults_left.saturating_sub(1);
        left
    }

    /// Whether no message is in flight, and neither service waits for another step.
    pub(crate) fn is_quiet(&self) -> bool {
        self.booking.0.status != Status::PendingPayment
            && self.booking.0.pending.is_none()
            && self.outbox.is_empty()
            && self.late_calls.is_empty()
    }

    /// Whether the booking is over: nothing can happen any more.
    pub(crate) fn is_final(&self) -> bool {
        self.moment == Moment::Over && self.is_quiet()
    }
}
