//! The steps of the model, and which of them can happen in a state.

use std::sync::Arc;

use anyhow::Result;
use staymesh_payment::model::Notice;
use staymesh_psp::CheckoutStatus;
use staymesh_reservation::{
    Status,
    lifecycle::Command,
    protocol::{self, Message, Revise, Settlement},
};

use super::{
    Changes, State,
    agreed::{self, Agreed, Favour, Kind},
    state::Call,
};
use crate::{
    clock::euros,
    delivery::{Delivery, Opening},
    faults::Fault,
    orders::{Due, Event},
};

/// What a refund of an administrator gives back, in cents.
const FAVOUR: i64 = 9_000;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes.
    Tick,
    /// The guest or staff cancel the booking.
    Cancel,
    /// Staff report a no-show.
    ReportNoShow,
    /// The guest changes the booking.
    Change(Kind),
    /// The expiry job gives up the pending change.
    DropExpired,
    /// An administrator requests a refund.
    Refund(Favour),
    /// Another guest books a night, so many days after the first.
    BookOther(i32),
    /// The guest asks to pay for the pending change, which is read.
    Ask,
    /// The payment service opens order and page.
    Open(Opening),
    /// The guest does something on a page, or the provider closes it.
    Page(usize, CheckoutStatus),
    /// The guest pays a page that was closed: the provider took the money after all.
    PayLate(usize),
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
    Publish(Delivery),
    /// The outbox of the payment service delivers the first event of a payment.
    Deliver(usize, Delivery),
    /// A call that its caller gave up arrives.
    LateCall(usize),
}

impl Changes {
    /// The state after a step; `None` if it cannot happen or changes nothing.
    pub(super) fn after(&self, before: &State, step: Step) -> Result<Option<State>> {
        let mut state = before.clone();
        let now = before.moment.time();
        let happens = match step {
            Step::Tick => state.moment.next().map(|next| state.moment = next).is_some(),
            Step::Cancel => self.command(&mut state, Command::Cancel).is_ok(),
            Step::ReportNoShow => self.command(&mut state, Command::MarkNoShow).is_ok(),
            Step::Change(kind) => self.ask_for(&mut state, kind),
            Step::DropExpired => {
                let pending = state.booking.0.pending.as_ref().filter(|pending| pending.expire_time <= now);
                match pending.map(|pending| pending.revision) {
                    Some(revision) => self.revise(&mut state, &Revise::GiveUp(revision)).map(|_| true)?,
                    None => false,
                }
            }
            Step::Refund(favour) => self.favour(&mut state, favour)?,
            Step::BookOther(night) => state.left(State::night(night)) > 0 && state.others.insert(night),
            Step::Ask => Self::ask(&mut state),
            Step::Open(opening) => Self::open(&mut state, opening)?,
            Step::Page(number, status) => state.payments.turn_page(number, status, now)?,
            Step::PayLate(number) => {
                state.paid_late_left -= 1;
                state.payments.pay_late(number)
            }
            Step::ProviderEvent { number, again } => {
                let event = state.payments.events[number];
                let arrives = !again || state.take_fault();
                if !again {
                    state.payments.events.remove(number);
                }
                arrives && state.payments.receive(event)?
            }
            Step::LoseProviderEvent(number) => {
                state.payments.events.remove(number);
                state.take_fault()
            }
            Step::Sweep(number) => state.payments.sweep(number, now),
            Step::Publish(delivery) => self.publish(&mut state, delivery)?,
            Step::Deliver(number, delivery) => self.deliver(&mut state, number, delivery)?,
            Step::LateCall(number) => {
                let call = state.late_calls.remove(number);
                self.call(&mut state, call).map(|_| true)?
            }
        };
        Ok((happens && state != *before).then_some(state))
    }

    /// The guest asks for a change; a refusal changes nothing.
    fn ask_for(&self, state: &mut State, kind: Kind) -> bool {
        let booking = state.booking.0.clone();
        let command = match kind {
            Kind::DropRoom => Revise::CancelRooms([2].into()),
            Kind::Dearer | Kind::Cheaper => {
                let Ok(change) = agreed::change(&booking, kind) else { return false };
                let expire_time = agreed::expire_time(state.moment);
                Revise::Apply { change, base: booking.revision, expire_time }
            }
        };
        state.changes_left.remove(&kind) && self.revise(state, &command).is_ok()
    }

    /// An administrator requests a refund of the payment of the booking; a refusal changes nothing.
    fn favour(&self, state: &mut State, favour: Favour) -> Result<bool> {
        let (amount, goodwill) = (euros(FAVOUR)?, favour == Favour::Goodwill);
        let unlimited = self.has(Fault::PolicyIsNoLimit);
        if !state.refunds_left.remove(&favour) || !state.payments.request(0, amount, goodwill, unlimited)? {
            return Ok(false);
        }
        let given = if goodwill { &mut state.favours.1 } else { &mut state.favours.0 };
        *given += FAVOUR;
        Ok(true)
    }

    /// The guest asks to pay. Without a pending change the request is refused and changes nothing.
    fn ask(state: &mut State) -> bool {
        let pending = state.booking.0.pending.as_ref().filter(|_| state.asks_left > 0);
        let Some(pending) = pending.filter(|pending| state.moment.time() < pending.expire_time) else { return false };
        let minor = pending.change.balance.minor();
        let due = Due { revision: pending.revision, minor, until: pending.expire_time };
        state.asks_left -= 1;
        state.asking.insert(due)
    }

    /// Opens order and page of the guest who asked first.
    fn open(state: &mut State, opening: Opening) -> Result<bool> {
        let Some(due) = state.asking.first().copied() else { return Ok(false) };
        if opening != Opening::Shown && !state.take_fault() {
            return Ok(false);
        }
        state.asking.remove(&due);
        state.payments.open(state.booking.0.id, due, opening, false)?;
        Ok(true)
    }

    /// Carries out a command on the reservation; yields whether the confirmed payment must be refunded.
    fn command(&self, state: &mut State, command: Command) -> Result<bool> {
        let step = protocol::carry_out(&state.booking.0, command, state.moment.time(), |night| state.left(night))?;
        Ok(self.commit(state, step, None))
    }

    /// As [`Self::command`], on what was agreed.
    fn revise(&self, state: &mut State, command: &Revise) -> Result<bool> {
        let (booking, now) = (&state.booking.0, state.moment.time());
        let mut step = protocol::revise(booking, command, &state.applied, now, |night| state.left(night))?;
        match command {
            Revise::GiveUp(_) if self.has(Fault::HeldRoomsStay) => step.rooms.clear(),
            Revise::Confirm(..) if self.has(Fault::ChangeReleasesTwice) => {
                step.rooms.values_mut().for_each(|rooms| *rooms *= 2);
            }
            _ => {}
        }
        let payment = match command {
            Revise::Confirm(_, payment) => payment.map(|(id, _)| id),
            _ => None,
        };
        Ok(self.commit(state, step, payment))
    }

    /// Commits a step of the reservation service; yields whether the confirmed payment must be refunded.
    fn commit(&self, state: &mut State, step: protocol::Step, payment: Option<staymesh_domain::PaymentId>) -> bool {
        for (night, rooms) in step.rooms {
            *state.rooms.entry(night).or_default() += rooms;
        }
        state.rooms.retain(|_, rooms| *rooms != 0);
        for message in &step.messages {
            match message {
                Message::ChangeSettled { revision, dropped: false, .. } => {
                    state.applied.insert(*revision, payment);
                }
                Message::Ended(Settlement { refund, .. }) if state.booking.0.status == Status::Paid => {
                    state.end = Some(refund.minor());
                }
                _ => {}
            }
        }
        state.outbox.extend(step.messages);
        state.booking = Agreed(Arc::new(step.reservation));
        step.refund_required && !self.has(Fault::UnusablePaymentIsKept)
    }

    fn publish(&self, state: &mut State, delivery: Delivery) -> Result<bool> {
        let Some(message) = state.outbox.front().copied() else { return Ok(false) };
        let fails = delivery != Delivery::Done;
        if fails && !state.take_fault() {
            return Ok(false);
        }
        match (delivery, message) {
            (Delivery::Late, _) => state.late_calls.push(Call::Tell(message)),
            (Delivery::Interrupted, Message::ChangeSettled { revision, dropped: true, .. }) => {
                state.payments.close_all(|order| order.payment.revision == revision);
            }
            (Delivery::Interrupted, Message::Ended(_)) => state.payments.close_all(|_| true),
            (Delivery::Interrupted, _) => return Ok(false),
            (Delivery::Done | Delivery::AnswerLost, _) => {
                self.call(state, Call::Tell(message))?;
            }
        }
        if !fails || self.has(Fault::OutboxForgets) {
            state.outbox.pop_front();
        }
        Ok(true)
    }

    fn deliver(&self, state: &mut State, number: usize, delivery: Delivery) -> Result<bool> {
        let Some(event) = state.payments.orders[number].outbox.front().copied() else { return Ok(false) };
        let fails = delivery != Delivery::Done;
        if fails && !state.take_fault() {
            return Ok(false);
        }
        match event {
            Event::Refund(refund) => {
                state.payments.refund(number, refund, delivery, self.has(Fault::RefundsAreRepeated))?;
            }
            Event::Tell(notice) => {
                let call = match notice {
                    Notice::Paid => Some(Call::Confirm { payment: number }),
                    Notice::Failed => Some(Call::Reject { revision: state.payments.orders[number].payment.revision }),
                    Notice::Refunded => {
                        state.payments.report(number)?.map(|(payment, amount)| Call::ConfirmRefund { payment, amount })
                    }
                };
                match (call, delivery) {
                    (Some(call), Delivery::Late) => state.late_calls.push(call),
                    (Some(call), _) => {
                        if self.call(state, call)? && delivery == Delivery::Done {
                            state.payments.refuse(number, self.has(Fault::RefusalForgetsChanges))?;
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
                let payment = &state.payments.orders[payment].payment;
                let paid = Some((payment.payment_id, payment.amount));
                let command = Revise::Confirm(payment.revision, paid);
                self.revise(state, &command)
            }
            Call::Reject { revision } => self.revise(state, &Revise::GiveUp(revision)).map(|_| false),
            Call::ConfirmRefund { payment: payment_id, amount } => {
                self.command(state, Command::ConfirmRefund { payment_id, amount })
            }
            Call::Tell(Message::ChangeSettled { revision, refund, dropped, .. }) => {
                let forgetful = self.has(Fault::SettlementIsRepeated);
                state.payments.settle_change(revision, refund, dropped, forgetful).map(|()| false)
            }
            Call::Tell(Message::Ended(Settlement { refund, hold_expired, .. })) => {
                state.payments.settle_end(refund, hold_expired).map(|()| false)
            }
            Call::Tell(Message::Sold(_) | Message::ChangeSold { .. }) => Ok(false),
        }
    }
}
