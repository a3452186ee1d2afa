//! A paid booking of two rooms that changes: with a charge, with a refund, by cancelling one room, and with refunds that an
//! administrator requests.
//!
//! Room 1 has the first night, room 2 the second; another guest may take any night that is free. [`Bounds`] says which changes
//! may happen, each at most once and in any order.

pub(crate) mod agreed;
mod properties;
mod state;
mod steps;

pub use agreed::{Favour, Kind};
pub use state::State;
pub use steps::Step;

use std::sync::Arc;

use anyhow::Result;
use stateright::{Model, Property};
use staymesh_payment::model::Status;
use staymesh_reservation::Reservation;

use crate::{
    delivery::{Delivery, Opening},
    faults::Fault,
};

/// How much may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The changes that the guest may ask for.
    pub changes: &'static [Kind],
    /// The refunds that an administrator may request of the payment of the booking.
    pub refunds: &'static [Favour],
    /// Requests of the guest to pay for changes.
    pub asks: u8,
    /// Pages that the guest pays after all that they were closed.
    pub paid_late: u8,
    /// Messages that are lost, repeated or late, and crashes, together.
    pub faults: u8,
}

impl Bounds {
    /// A change with a charge.
    pub const CHARGE: Self = Self { changes: &[Kind::Dearer], refunds: &[], asks: 1, paid_late: 0, faults: 1 };
    /// A change with a charge that may be paid twice, and one with a refund.
    pub const PAID_TWICE: Self =
        Self { changes: &[Kind::Dearer, Kind::Cheaper], refunds: &[], asks: 2, paid_late: 1, faults: 0 };
    /// A change with a charge, while the other room is cancelled; only the order of events is arbitrary.
    pub const CANCELLED_ROOM: Self =
        Self { changes: &[Kind::Dearer, Kind::DropRoom], refunds: &[], asks: 1, paid_late: 0, faults: 0 };
    /// A change with a refund, while the other room is cancelled.
    pub const REFUND: Self =
        Self { changes: &[Kind::Cheaper, Kind::DropRoom], refunds: &[], asks: 0, paid_late: 0, faults: 1 };
    /// Refunds of an administrator beside a change with a refund.
    pub const ADMINISTRATOR: Self = Self {
        changes: &[Kind::Cheaper],
        refunds: &[Favour::ByPolicy, Favour::Goodwill],
        asks: 0,
        paid_late: 0,
        faults: 0,
    };
    /// All changes, and two faults.
    pub const LARGE: Self = Self {
        changes: &[Kind::Dearer, Kind::Cheaper, Kind::DropRoom],
        refunds: &[],
        asks: 1,
        paid_late: 0,
        faults: 2,
    };
    /// Changes of the price and all refunds of an administrator.
    pub const LARGE_ADMINISTRATOR: Self = Self {
        changes: &[Kind::Dearer, Kind::Cheaper],
        refunds: &[Favour::ByPolicy, Favour::Goodwill],
        asks: 1,
        paid_late: 0,
        faults: 1,
    };
}

/// The model.
pub struct Changes {
    bounds: Bounds,
    fault: Option<Fault>,
    booked: Arc<Reservation>,
}

impl Changes {
    /// A model of one paid booking.
    ///
    /// # Errors
    /// If the booking is not valid.
    pub fn new(bounds: Bounds, fault: Option<Fault>) -> Result<Self> {
        Ok(Self { bounds, fault, booked: Arc::new(agreed::paid()?) })
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

impl Model for Changes {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        State::paid(&self.booked, self.bounds).into_iter().collect()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let faulty = state.faults_left > 0;
        steps.push(Step::Tick);
        if state.stands() {
            steps.extend([Step::Cancel, Step::ReportNoShow]);
            steps.extend(state.changes_left.iter().copied().map(Step::Change));
        }
        if state.booking.0.pending.is_some() {
            steps.extend([Step::DropExpired, Step::Ask]);
        }
        steps.extend([0, 2].map(Step::BookOther));
        steps.extend(state.refunds_left.iter().copied().map(Step::Refund));
        if !state.asking.is_empty() {
            steps.extend(Opening::possible(faulty).map(Step::Open));
        }
        for (number, page) in state.payments.pages.iter().enumerate() {
            steps.extend(page.next().iter().map(|status| Step::Page(number, *status)));
            if state.paid_late_left > 0 {
                steps.push(Step::PayLate(number));
            }
        }
        for number in 0..state.payments.events.len() {
            steps.push(Step::ProviderEvent { number, again: false });
            if faulty {
                steps.extend([Step::ProviderEvent { number, again: true }, Step::LoseProviderEvent(number)]);
            }
        }
        if !state.outbox.is_empty() {
            steps.extend(Delivery::possible(&Delivery::OF_MANY, faulty).map(Step::Publish));
        }
        for (number, order) in state.payments.orders.iter().enumerate() {
            if order.payment.status == Status::Pending {
                steps.push(Step::Sweep(number));
            }
            if !order.outbox.is_empty() {
                let deliveries = Delivery::possible(&Delivery::OF_ONE, faulty);
                steps.extend(deliveries.map(|delivery| Step::Deliver(number, delivery)));
            }
        }
        steps.extend((0..state.late_calls.len()).map(Step::LateCall));
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        // A message that the receiver refuses for good becomes a dead letter, which a property forbids.
        if before.dead_letter {
            return None;
        }
        self.after(before, step).unwrap_or_else(|_| Some(State { dead_letter: true, ..before.clone() }))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(self.bounds)
    }
}
