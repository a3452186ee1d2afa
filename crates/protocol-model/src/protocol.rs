//! The steps of the model, and which of them can happen in a state.

use std::sync::Arc;

use anyhow::Result;
use stateright::{Model, Property};
use staymesh_payment::model::{BOOKING, Notice};
use staymesh_psp::CheckoutStatus;
use staymesh_reservation::{Reservation, lifecycle::Command, protocol::Settlement};

use crate::{
    booking::{self, ROOMS, command, rooms_left},
    clock::{self, Moment, TOTAL},
    delivery::{Delivery, Opening},
    faults::Fault,
    orders::{Due, Event},
    payments::Payments,
    properties,
    state::{Booking, Call, State},
    surroundings::{ask, take_fault},
};

/// How much may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests of the guest to pay.
    pub asks: u8,
    /// Messages that are lost, repeated or late, and crashes, together.
    pub faults: u8,
}

impl Bounds {
    /// Explored by `cargo test`.
    pub const SMALL: Self = Self { asks: 2, faults: 1 };
    /// Explored by the command.
    pub const LARGE: Self = Self { asks: 2, faults: 2 };
}

/// The model.
pub struct Protocol {
    bounds: Bounds,
    fault: Option<Fault>,
    booked: Arc<Reservation>,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes.
    Tick,
    /// The guest or staff cancel.
    Cancel,
    /// Staff report a no-show.
    ReportNoShow,
    /// The expiry job runs.
    ExpireHold,
    /// Another guest books a room.
    BookOther,
    /// The guest asks to pay, and the booking is read.
    Ask,
    /// The payment service opens order and page.
    Open(Opening),
    /// The guest does something on a page, or the provider closes it.
    Page(usize, CheckoutStatus),
    /// An event of the provider arrives, and arrives once more if `again`.
    ProviderEvent {
        /// Which.
        number: usize,
        /// Whether it is repeated.
        again: bool,
    },
    /// An event of the provider is lost.
    LoseProviderEvent(usize),
    /// The payment service asks the provider for an open payment.
    Sweep(usize),
    /// The outbox of the reservation service delivers.
    Settle(Delivery),
    /// The outbox of the payment service delivers the first event of a payment.
    Deliver(usize, Delivery),
    /// A call that its caller gave up arrives.
    LateCall(usize),
}

impl Protocol {
    /// A model of one booking.
    ///
    /// # Errors
    /// If the booking is not valid.
    pub fn new(bounds: Bounds, fault: Option<Fault>) -> Result<Self> {
        Ok(Self { bounds, fault, booked: Arc::new(booking::booked()?) })
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The state after a step; `None` if it cannot happen or changes nothing.
    fn after(&self, before: &State, step: Step) -> Result<Option<State>> {
        let mut state = before.clone();
        let happens = match step {
            Step::Tick => state.moment.next().map(|next| state.moment = next).is_some(),
            Step::Cancel => command(&mut state, Command::Cancel, 0).is_ok(),
            Step::ReportNoShow => command(&mut state, Command::MarkNoShow, 0).is_ok(),
            Step::ExpireHold => command(&mut state, Command::Expire, 0).map(|_| true)?,
            Step::BookOther => {
                let books = state.rooms.1 == 0 && rooms_left(&state) > 0;
                state.rooms.1 += i32::from(books);
                books
            }
            Step::Ask => ask(&mut state),
            Step::Open(opening) => self.open(&mut state, opening)?,
            Step::Page(number, status) => state.payments.turn_page(number, status, before.moment.time())?,
            Step::ProviderEvent { number, again } => {
                let event = state.payments.events[number];
                let arrives = !again || take_fault(&mut state);
                if !again {
                    state.payments.events.remove(number);
                }
                arrives && state.payments.receive(event)?
            }
            Step::LoseProviderEvent(number) => {
                state.payments.events.remove(number);
                take_fault(&mut state)
            }
            Step::Sweep(number) => state.payments.sweep(number, before.moment.time()),
            Step::Settle(delivery) => self.deliver_settlement(&mut state, delivery)?,
            Step::Deliver(number, delivery) => self.deliver(&mut state, number, delivery)?,
            Step::LateCall(number) => {
                let call = state.late_calls.remove(number);
                self.call(&mut state, call).map(|_| true)?
            }
        };
        Ok((happens && state != *before).then_some(state))
    }

    /// Opens order and page of the guest who asked.
    fn open(&self, state: &mut State, opening: Opening) -> Result<bool> {
        if state.asking == 0 || (opening != Opening::Shown && !take_fault(state)) {
            return Ok(false);
        }
        state.asking -= 1;
        let due = Due { revision: BOOKING, minor: TOTAL, until: clock::hold_end() };
        state.payments.open(self.booked.id, due, opening, self.has(Fault::PagesAreRepeated))?;
        Ok(true)
    }

    fn deliver_settlement(&self, state: &mut State, delivery: Delivery) -> Result<bool> {
        let Some(settlement) = state.settlements.front().copied() else { return Ok(false) };
        let fails = delivery != Delivery::Done;
        if fails && !take_fault(state) {
            return Ok(false);
        }
        match delivery {
            Delivery::Late => state.late_calls.push(Call::Settle(settlement)),
            Delivery::Interrupted => state.payments.close_all(|_| true),
            Delivery::Done | Delivery::AnswerLost => {
                self.call(state, Call::Settle(settlement))?;
            }
        }
        if !fails || self.has(Fault::OutboxForgets) {
            state.settlements.pop_front();
        }
        Ok(true)
    }

    fn deliver(&self, state: &mut State, number: usize, delivery: Delivery) -> Result<bool> {
        let Some(event) = state.payments.orders[number].outbox.front().copied() else { return Ok(false) };
        let fails = delivery != Delivery::Done;
        if fails && !take_fault(state) {
            return Ok(false);
        }
        match event {
            Event::Refund(refund) => {
                state.payments.refund(number, refund, delivery, self.has(Fault::RefundsAreRepeated))?;
            }
            Event::Tell(notice) => {
                let call = match notice {
                    Notice::Paid => Some(Call::Confirm { payment: number }),
                    Notice::Failed => Some(Call::Reject),
                    Notice::Refunded => {
                        state.payments.report(number)?.map(|(payment, amount)| Call::ConfirmRefund { payment, amount })
                    }
                };
                match (call, delivery) {
                    (Some(call), Delivery::Late) => state.late_calls.push(call),
                    (Some(call), _) => {
                        if self.call(state, call)? && delivery == Delivery::Done {
                            state.payments.refuse(number, false)?;
                        }
                    }
                    (None, _) => {}
                }
            }
        }
        if !fails || self.has(Fault::OutboxForgets) {
            state.payments.orders[number].outbox.pop_front();
        }
        Ok(true)
    }

    /// One service handles a call of the other; yields whether the confirmed payment must be refunded.
    fn call(&self, state: &mut State, call: Call) -> Result<bool> {
        match call {
            Call::Confirm { payment } => {
                let confirm = booking::confirm(state, state.payments.orders[payment].payment.payment_id)?;
                let left = if self.has(Fault::LateConfirmIgnoresRooms) { ROOMS } else { rooms_left(state) };
                command(state, confirm, left)
            }
            Call::Reject => command(state, Command::RejectPayment, 0),
            Call::ConfirmRefund { payment, amount } => {
                command(state, Command::ConfirmRefund { payment_id: payment, amount }, 0)
            }
            Call::Settle(Settlement { refund, hold_expired, .. }) => {
                state.payments.settle_end(refund, hold_expired).map(|()| false)
            }
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            moment: Moment::Held,
            booking: Booking(self.booked.clone()),
            rooms: (1, 0),
            keeps: 0,
            retaken: false,
            asking: 0,
            asks_left: self.bounds.asks,
            payments: Payments::default(),
            settlements: [].into(),
            late_calls: vec![],
            faults_left: self.bounds.faults,
            dead_letter: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        use CheckoutStatus::{Expired, Failed, InReview, Paid};
        steps.extend([Step::Tick, Step::Cancel, Step::ReportNoShow, Step::ExpireHold, Step::BookOther, Step::Ask]);
        steps.extend(Opening::ALL.map(Step::Open));
        for number in 0..state.payments.pages.len() {
            steps.extend([Paid, Failed, InReview, Expired].map(|status| Step::Page(number, status)));
        }
        for number in 0..state.payments.events.len() {
            let event = |again| Step::ProviderEvent { number, again };
            steps.extend([event(false), event(true), Step::LoseProviderEvent(number)]);
        }
        steps.extend(Delivery::OF_MANY.map(Step::Settle));
        for number in 0..state.payments.orders.len() {
            steps.push(Step::Sweep(number));
            steps.extend(Delivery::OF_ONE.map(|delivery| Step::Deliver(number, delivery)));
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
