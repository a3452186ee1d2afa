//! The steps of the model, and which of them can happen in a state.

use std::sync::Arc;

use anyhow::{Context, Result};
use stateright::{Model, Property};
use staymesh_payment::model::{Notice, Settlement, Status};
use staymesh_psp::CheckoutStatus;
use staymesh_reservation::{Reservation, lifecycle::Command, protocol};

use crate::{
    booking::{self, ROOMS, command, rooms_left},
    clock::Moment,
    faults::Fault,
    payment::{self, close, give_back, settle},
    properties,
    provider::{Page, ProviderEvent},
    state::{Booking, Call, Event, State},
    surroundings::{ask, push, receive, sweep, take_fault, turn_page},
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

/// How the delivery of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver handles it, and the sender learns so.
    Done,
    /// The receiver handles it, and the sender stops or waits in vain: it delivers again.
    AnswerLost,
    /// The receiver stops in the middle.
    Interrupted,
    /// The sender gives up; the message arrives later. It delivers again.
    Late,
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

/// How the opening of a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The guest gets the page.
    Shown,
    /// The service stops after it saved the order.
    OrderSaved,
    /// The service stops after the provider opened the page.
    PageOpened,
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
            Step::Page(number, status) => turn_page(&mut state, number, status)?,
            Step::ProviderEvent { number, again } => {
                let event = state.provider_events[number];
                let arrives = !again || take_fault(&mut state);
                if !again {
                    state.provider_events.remove(number);
                }
                arrives && receive(&mut state, event)?
            }
            Step::LoseProviderEvent(number) => {
                state.provider_events.remove(number);
                take_fault(&mut state)
            }
            Step::Sweep(number) => sweep(&mut state, number),
            Step::Settle(delivery) => self.deliver_settlement(&mut state, delivery)?,
            Step::Deliver(number, delivery) => self.deliver(&mut state, number, delivery)?,
            Step::LateCall(number) => {
                let call = state.late_calls.remove(number);
                self.call(&mut state, call).map(|_| true)?
            }
        };
        Ok((happens && state != *before).then_some(state))
    }

    /// Opens order and page of the guest who asked. Of a payment that is not pending any more there is no page.
    fn open(&self, state: &mut State, opening: Opening) -> Result<bool> {
        if state.asking == 0 || (opening != Opening::Shown && !take_fault(state)) {
            return Ok(false);
        }
        state.asking -= 1;
        let open = state.orders.iter().rposition(|order| order.payment.status != Status::Expired);
        let number = open.unwrap_or(state.orders.len());
        if open.is_none() {
            state.orders.push(payment::order(number + 1, self.booked.id)?);
        }
        if state.orders[number].payment.status != Status::Pending || opening == Opening::OrderSaved {
            return Ok(true);
        }
        let known = state.pages.iter().position(|page| page.payment == number);
        let known = known.filter(|_| !self.has(Fault::PagesAreRepeated));
        let page = known.unwrap_or(state.pages.len());
        if known.is_none() {
            state.pages.push(Page::new(number));
        }
        if opening == Opening::Shown {
            state.orders[number].payment.psp_session = Some(String::new());
            state.orders[number].apply(state.pages[page].status);
            state.pages[page].shown = state.orders[number].payment.status == Status::Pending;
        }
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
            Delivery::Interrupted => {
                for (number, order) in state.orders.iter_mut().enumerate() {
                    if order.payment.status == Status::Pending {
                        close(order, &mut state.pages, number);
                    }
                }
            }
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
        let Some(event) = state.orders[number].outbox.front().copied() else { return Ok(false) };
        let fails = delivery != Delivery::Done;
        if fails && !take_fault(state) {
            return Ok(false);
        }
        match event {
            Event::Refund(refund) => self.refund(state, number, refund, delivery)?,
            Event::Tell(notice) => {
                let payment = &state.orders[number].payment;
                let call = match notice {
                    Notice::Paid => Some(Call::Confirm { payment: number }),
                    Notice::Failed => Some(Call::Reject),
                    // If another refund was requested meanwhile, its own event reports the new sum.
                    Notice::Refunded => (payment.status == Status::Refunded)
                        .then_some(Call::ConfirmRefund { payment: number, amount: payment.refunded }),
                };
                match (call, delivery) {
                    (Some(call), Delivery::Late) => state.late_calls.push(call),
                    (Some(call), _) => {
                        if self.call(state, call)? && delivery == Delivery::Done {
                            state.orders[number].send_back()?;
                            if let Some(due) = state.refund_due {
                                give_back(state, due)?;
                            }
                        }
                    }
                    (None, _) => {}
                }
            }
        }
        if !fails || self.has(Fault::OutboxForgets) {
            state.orders[number].outbox.pop_front();
        }
        Ok(true)
    }

    /// Has the provider make a refund. If the service stops before it saves so, the provider's event tells it.
    fn refund(&self, state: &mut State, payment: usize, refund: usize, delivery: Delivery) -> Result<()> {
        let made = state.orders[payment].refunds.get(refund).context("a refund")?;
        if made.succeed_time.is_some() || delivery == Delivery::Late {
            return Ok(());
        }
        let forgetful = self.has(Fault::RefundsAreRepeated);
        let page = state.pages.iter_mut().find(|page| page.payment == payment && page.charged > 0);
        page.context("a page that was paid")?.refund(made.refund_id, made.amount.minor(), forgetful);
        if delivery == Delivery::Done {
            return state.orders[payment].refund_succeeded(refund);
        }
        push(state, ProviderEvent::RefundSucceeded { payment, refund });
        Ok(())
    }

    /// One service handles a call of the other; yields whether the confirmed payment must be refunded.
    fn call(&self, state: &mut State, call: Call) -> Result<bool> {
        match call {
            Call::Confirm { payment } => {
                let confirm = booking::confirm(state, state.orders[payment].payment.payment_id)?;
                let left = if self.has(Fault::LateConfirmIgnoresRooms) { ROOMS } else { rooms_left(state) };
                command(state, confirm, left)
            }
            Call::Reject => command(state, Command::RejectPayment, 0),
            Call::ConfirmRefund { payment, amount } => {
                let payment_id = state.orders[payment].payment.payment_id;
                command(state, Command::ConfirmRefund { payment_id, amount }, 0)
            }
            Call::Settle(protocol::Settlement { refund, hold_expired }) => {
                settle(state, Settlement { refund, hold_expired }).map(|()| false)
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
            refund_due: None,
            asking: 0,
            asks_left: self.bounds.asks,
            orders: vec![],
            pages: vec![],
            provider_events: vec![],
            settlements: [].into(),
            late_calls: vec![],
            faults_left: self.bounds.faults,
            dead_letter: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        use CheckoutStatus::{Expired, Failed, InReview, Paid};
        steps.extend([Step::Tick, Step::Cancel, Step::ReportNoShow, Step::ExpireHold, Step::BookOther, Step::Ask]);
        steps.extend([Opening::Shown, Opening::OrderSaved, Opening::PageOpened].map(Step::Open));
        for number in 0..state.pages.len() {
            steps.extend([Paid, Failed, InReview, Expired].map(|status| Step::Page(number, status)));
        }
        for number in 0..state.provider_events.len() {
            let event = |again| Step::ProviderEvent { number, again };
            steps.extend([event(false), event(true), Step::LoseProviderEvent(number)]);
        }
        let deliveries = [Delivery::Done, Delivery::AnswerLost, Delivery::Interrupted, Delivery::Late];
        steps.extend(deliveries.map(Step::Settle));
        for number in 0..state.orders.len() {
            steps.push(Step::Sweep(number));
            let deliveries = [Delivery::Done, Delivery::AnswerLost, Delivery::Late];
            steps.extend(deliveries.map(|delivery| Step::Deliver(number, delivery)));
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
