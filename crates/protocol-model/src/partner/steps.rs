//! The steps of the model, and which of them can happen in a state.

use std::sync::Arc;

use anyhow::Result;
use staymesh_reservation::{
    Status,
    lifecycle::Command,
    protocol::{self, Message, Revise, Settlement},
};

use super::{
    Partner, State,
    sales::{Decision, settlement},
};
use crate::{
    change::{
        Kind,
        agreed::{self, Agreed},
    },
    clock,
    delivery::Delivery,
    faults::Fault,
};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes.
    Tick,
    /// The partner cancels.
    Cancel,
    /// Staff report a no-show.
    ReportNoShow,
    /// The partner changes the booking.
    Change(Kind),
    /// The expiry job ends the hold.
    ExpireHold,
    /// The expiry job gives up the pending change.
    DropExpired,
    /// The partner pays for its other bookings.
    PayOthers,
    /// The partner makes other bookings.
    MakeOthers,
    /// Another guest books a night, so many days after the first.
    BookOther(i32),
    /// The outbox of the reservation service delivers.
    Publish(Delivery),
    /// A call that its caller gave up arrives.
    LateCall(usize),
}

impl Partner {
    /// The state after a step; `None` if it cannot happen or changes nothing.
    pub(super) fn after(&self, before: &State, step: Step) -> Result<Option<State>> {
        let mut state = before.clone();
        let now = before.moment.time();
        let happens = match step {
            Step::Tick => state.moment.next().map(|next| state.moment = next).is_some(),
            Step::Cancel => command(&mut state, Command::Cancel).is_ok(),
            Step::ReportNoShow => command(&mut state, Command::MarkNoShow).is_ok(),
            Step::Change(kind) => ask_for(&mut state, kind),
            Step::ExpireHold => command(&mut state, Command::Expire).map(|()| true)?,
            Step::DropExpired => {
                let pending = state.booking.0.pending.as_ref().filter(|pending| pending.expire_time <= now);
                match pending.map(|pending| pending.revision) {
                    Some(revision) => revise(&mut state, &Revise::GiveUp(revision)).map(|()| true)?,
                    None => false,
                }
            }
            Step::PayOthers => std::mem::take(&mut state.sales.others) > 0,
            Step::MakeOthers => state.sales.book_others()?,
            Step::BookOther(night) => {
                let key = (1, 1, clock::day_of(clock::check_in()) + night);
                state.left(key) > 0 && state.others.insert(night)
            }
            Step::Publish(delivery) => self.publish(&mut state, delivery)?,
            Step::LateCall(number) => {
                let message = state.late_calls.remove(number);
                self.call(&mut state, message).map(|_| true)?
            }
        };
        Ok((happens && state != *before).then_some(state))
    }

    /// Delivers the first message. Of a sale or a change whose answer is lost the reservation learns nothing.
    fn publish(&self, state: &mut State, delivery: Delivery) -> Result<bool> {
        let Some(message) = state.outbox.front().copied() else { return Ok(false) };
        let fails = delivery != Delivery::Done;
        if fails && !state.take_fault() {
            return Ok(false);
        }
        let waits = match message {
            Message::ChangeSold { revision, .. } => {
                state.booking.0.pending.as_ref().is_some_and(|pending| pending.revision == revision)
            }
            _ => true,
        };
        match delivery {
            Delivery::Late if waits => state.late_calls.push(message),
            Delivery::Done | Delivery::AnswerLost if waits => {
                let decision = self.call(state, message)?;
                // The sender stops before it applies the decision only if the answer was lost.
                if delivery == Delivery::Done {
                    decide(state, message, decision)?;
                }
            }
            Delivery::Interrupted => return Ok(false),
            _ => {}
        }
        if !fails || self.has(Fault::OutboxForgets) {
            state.outbox.pop_front();
        }
        Ok(true)
    }

    /// The payment service handles a message.
    fn call(&self, state: &mut State, message: Message) -> Result<Decision> {
        let (id, now) = (state.booking.0.id, state.moment.time());
        match message {
            Message::Sold(terms) => state.sales.record(id, terms, true),
            Message::ChangeSold { revision, terms } => {
                state.sales.amend(revision, terms, self.has(Fault::CreditIsNoLimit))
            }
            Message::ChangeSettled { revision, refund, dropped, sale } => {
                let settled = settlement(revision, refund, dropped, sale);
                state.sales.settle_change(settled, self.has(Fault::AmendmentIsNotUndone))?;
                Ok(Decision::Recorded)
            }
            Message::Ended(end) => state.sales.settle_end(id, end, now).map(|()| Decision::Recorded),
        }
    }
}

/// The reservation service applies a decision on a sale or a change.
fn decide(state: &mut State, message: Message, decision: Decision) -> Result<()> {
    match (message, decision) {
        (Message::Sold(_), Decision::Recorded) => command(state, Command::ConfirmSale),
        (Message::Sold(_), _) => command(state, Command::RefuseSale),
        (Message::ChangeSold { revision, .. }, Decision::Recorded) => revise(state, &Revise::Confirm(revision, None)),
        (Message::ChangeSold { revision, .. }, decision) => {
            state.change_refused |= decision == Decision::Refused;
            revise(state, &Revise::GiveUp(revision))
        }
        (Message::ChangeSettled { .. } | Message::Ended(_), _) => Ok(()),
    }
}

/// The partner asks for a change; a refusal changes nothing.
fn ask_for(state: &mut State, kind: Kind) -> bool {
    let booking = state.booking.0.clone();
    let command = match kind {
        Kind::DropRoom => Revise::CancelRooms([2].into()),
        Kind::Dearer | Kind::Cheaper => {
            let Ok(change) = agreed::change(&booking, kind) else { return false };
            let expire_time = agreed::expire_time(state.moment);
            Revise::Apply { change, base: booking.revision, expire_time }
        }
    };
    state.changes_left.remove(&kind) && revise(state, &command).is_ok()
}

fn command(state: &mut State, command: Command) -> Result<()> {
    let step = protocol::carry_out(&state.booking.0, command, state.moment.time(), |night| state.left(night))?;
    commit(state, step);
    Ok(())
}

fn revise(state: &mut State, command: &Revise) -> Result<()> {
    let (booking, now) = (&state.booking.0, state.moment.time());
    let step = protocol::revise(booking, command, &state.applied, now, |night| state.left(night))?;
    commit(state, step);
    Ok(())
}

fn commit(state: &mut State, step: protocol::Step) {
    for (night, rooms) in step.rooms {
        *state.rooms.entry(night).or_default() += rooms;
    }
    state.rooms.retain(|_, rooms| *rooms != 0);
    for message in &step.messages {
        match message {
            Message::ChangeSettled { revision, dropped: false, .. } => {
                state.applied.insert(*revision, None);
            }
            Message::Ended(Settlement { refund, .. }) if state.booking.0.status == Status::Paid => {
                state.end = Some(refund.minor());
            }
            _ => {}
        }
    }
    state.outbox.extend(step.messages);
    state.booking = Agreed(Arc::new(step.reservation));
}
