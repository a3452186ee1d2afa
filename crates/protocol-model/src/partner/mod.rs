//! A booking of a partner who collects: its sale and its changes are decided by the partner's credit.
//!
//! The booking has two rooms; it is made, refused, changed with more or less to owe, cancelled, or a no-show, while other
//! bookings of the partner use up its credit until they are paid.

mod properties;
mod sales;
mod state;
mod steps;

use std::sync::Arc;

use anyhow::Result;
use stateright::{Model, Property};
use staymesh_reservation::{PaymentMode, Reservation, protocol};

use crate::{
    change::{Kind, agreed},
    clock,
    delivery::Delivery,
    faults::Fault,
};

pub use state::State;
pub use steps::Step;

/// How much may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The changes that the partner may ask for, each at most once and in any order.
    pub changes: &'static [Kind],
    /// Messages that are lost, repeated or late, and crashes, together.
    pub faults: u8,
}

impl Bounds {
    /// Explored by `cargo test`.
    pub const SMALL: Self = Self { changes: &[Kind::Dearer, Kind::DropRoom], faults: 1 };
    /// Explored by the command.
    pub const LARGE: Self = Self { changes: &[Kind::Dearer, Kind::Cheaper, Kind::DropRoom], faults: 3 };
}

/// The model.
pub struct Partner {
    bounds: Bounds,
    fault: Option<Fault>,
    booked: Arc<Reservation>,
}

impl Partner {
    /// A model of one booking.
    ///
    /// # Errors
    /// If the booking is not valid.
    pub fn new(bounds: Bounds, fault: Option<Fault>) -> Result<Self> {
        let booked = protocol::booked(&agreed::order(PaymentMode::PartnerCollects)?, clock::booked())?;
        Ok(Self { bounds, fault, booked: Arc::new(booked) })
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

impl Model for Partner {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        State::booked(&self.booked, self.bounds).into_iter().collect()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let faulty = state.faults_left > 0;
        steps.extend([Step::Tick, Step::Cancel, Step::ReportNoShow, Step::ExpireHold, Step::DropExpired]);
        steps.extend([Step::PayOthers, Step::MakeOthers, Step::BookOther(2)]);
        steps.extend(state.changes_left.iter().copied().map(Step::Change));
        if !state.outbox.is_empty() {
            steps.extend(Delivery::possible(&Delivery::OF_MANY, faulty).map(Step::Publish));
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
        properties::all()
    }
}
