//! What holds in every state that can be reached.

use stateright::{Model, Property};
use staymesh_reservation::Status;

use super::{
    Bounds, Kind, State,
    agreed::{self, DEARER, placed},
};
use crate::orders::Order;

/// Every property, and examples without which the others would prove little.
pub(super) fn of<M: Model<State = State>>(bounds: Bounds) -> Vec<Property<M>> {
    let mut all = money();
    all.extend(rooms());
    all.push(Property::always("no message is refused for good", |_, state: &State| !state.dead_letter));
    all.push(Property::always("only a final state has no step", |model: &M, state: &State| {
        state.dead_letter || state.is_final() || has_step(model, state)
    }));
    all.push(Property::eventually("everything becomes quiet", |_, state: &State| state.is_final()));
    if bounds.changes.contains(&Kind::Dearer) {
        all.extend(examples_of_charges());
    }
    if !bounds.refunds.is_empty() {
        all.extend(examples_of_favours());
    }
    all.extend(examples());
    all
}

fn money<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::always("when all is quiet, the money kept is what the revisions say", |_, state: &State| {
            !state.is_quiet() || state.payments.kept() == owed(state)
        }),
        Property::always("never more is refunded than was charged", |_, state: &State| {
            state.payments.refunds_within_charges()
        }),
        Property::always("a payment is charged at most once", |_, state: &State| state.payments.is_charged_once()),
        Property::always("a difference is kept exactly if its change is applied", |_, state: &State| {
            let differences = || state.payments.orders.iter().filter(|order| order.payment.revision > 1);
            let mut paid = differences().filter(|order| order.payment.status.has_money());
            !state.is_quiet() || paid.all(|order| is_applied(state, order) != order.refused)
        }),
        Property::always("the payment of an applied change is not sent back", |_, state: &State| {
            !state.payments.orders.iter().any(|order| order.refused && is_applied(state, order))
        }),
        Property::always("when all is quiet, an ended booking knows of its refund", |_, state: &State| {
            let mut paying = state.payments.orders.iter().filter(|order| !order.refused);
            let refunded = paying.any(|order| order.payment.refunded.minor() > 0);
            !state.is_quiet() || state.stands() || refunded == (state.booking.0.status == Status::Refunded)
        }),
    ]
}

fn rooms<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::always("rooms are those of the revision and what its pending change holds", |_, state: &State| {
            state.rooms == agreed::rooms_of(&state.booking.0)
        }),
        Property::always("no room is sold twice", |_, state: &State| {
            [0, 1, 2].into_iter().all(|night| state.left(State::night(night)) >= 0)
        }),
        Property::always("while a change waits, the old rooms and the new ones are held", |_, state: &State| {
            agreed::holds_both(&state.booking.0, &state.rooms)
        }),
        Property::always("the rooms are those before the change or those after it", |_, state: &State| {
            let first = placed(&state.booking.0).into_iter().find(|room| room.position == 1);
            let moved = first.is_some_and(|room| room.line.stay.check_in() != crate::clock::check_in());
            let paid = state.payments.orders.iter().any(|order| is_applied(state, order));
            moved == paid
        }),
    ]
}

fn examples<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::sometimes("a change gives money back and the booking stands", |_, state: &State| {
            state.is_final() && state.stands() && state.payments.refunded() > 0
        }),
        Property::sometimes("a changed booking is cancelled and refunded", |_, state: &State| {
            state.is_final() && state.booking.0.status == Status::Refunded && !state.applied.is_empty()
        }),
        Property::sometimes("a changed booking is a no-show", |_, state: &State| {
            let reason = state.booking.0.cancellation_reason;
            state.is_final()
                && reason == Some(staymesh_reservation::CancellationReason::NoShow)
                && !state.applied.is_empty()
        }),
    ]
}

fn examples_of_charges<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::sometimes("a difference is paid and its change applied", |_, state: &State| {
            state.is_final() && state.stands() && state.payments.orders.iter().any(|order| is_applied(state, order))
        }),
        Property::sometimes("a change is given up and its late payment goes back", |_, state: &State| {
            let back = |order: &Order| order.refused && order.payment.refunded.minor() == DEARER;
            state.is_final() && state.stands() && state.payments.orders.iter().any(back)
        }),
        Property::sometimes("another guest takes the night that the change released", |_, state: &State| {
            state.is_final() && state.stands() && state.others.contains(&0)
        }),
    ]
}

fn examples_of_favours<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::sometimes("a refund of an administrator counts toward the end's", |_, state: &State| {
            state.is_final() && state.favours == (9_000, 0) && state.end > Some(9_000) && state.payments.kept() > 0
        }),
        Property::sometimes("goodwill is on top of it", |_, state: &State| {
            state.is_final() && state.favours.1 > 0 && state.end.is_some() && state.payments.kept() > 0
        }),
    ]
}

fn is_applied(state: &State, order: &Order) -> bool {
    state.applied.get(&order.payment.revision) == Some(&Some(order.payment.payment_id))
}

/// What the revisions and the end of the booking say that is kept, less what an administrator gave back, in cents. A refund by
/// the policy is part of what the end gives back; never more is given back than was paid.
fn owed(state: &State) -> i64 {
    let booking = &state.booking.0;
    let paid = booking.quote.total.minor() + booking.retained.minor();
    let (by_policy, goodwill) = state.favours;
    let given = state.end.unwrap_or_default().max(by_policy) + goodwill;
    (paid - given).max(0)
}

fn has_step<M: Model<State = State>>(model: &M, state: &State) -> bool {
    let mut steps = Vec::new();
    model.actions(state, &mut steps);
    steps.into_iter().any(|step| model.next_state(state, step).is_some())
}
