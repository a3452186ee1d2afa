//! What holds in every state that can be reached.

use stateright::{Model, Property};
use staymesh_reservation::Status;

use super::{State, sales::LIMIT};
use crate::change::agreed;

/// Every property, and examples without which the others would prove little.
pub(super) fn all<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::always("when all is quiet, the partner owes what the revisions say", |_, state: &State| {
            !state.is_quiet() || state.sales.owed == owed(state)
        }),
        Property::always("the partner never owes more than its limit", |_, state: &State| {
            state.sales.owed + state.sales.others <= LIMIT
        }),
        Property::always("no more is credited than was owed", |_, state: &State| state.sales.owed >= 0),
        Property::always("rooms are those of the revision and what its pending change holds", |_, state: &State| {
            state.rooms == agreed::rooms_of(&state.booking.0)
        }),
        Property::always("no room is sold twice", |_, state: &State| {
            state.rooms.keys().all(|night| state.left(*night) >= 0)
        }),
        Property::always("while a change waits, the old rooms and the new ones are held", |_, state: &State| {
            agreed::holds_both(&state.booking.0, &state.rooms)
        }),
        Property::always("no message is refused for good", |_, state: &State| !state.dead_letter),
        Property::always("only a final state has no step", |model: &M, state: &State| {
            state.dead_letter || state.is_final() || has_step(model, state)
        }),
        Property::eventually("everything becomes quiet", |_, state: &State| state.is_final()),
        Property::sometimes("a sale is refused", |_, state: &State| {
            state.is_final() && state.sales.refused && state.booking.0.status == Status::Rejected
        }),
        Property::sometimes("a change is refused and the sale stands", |_, state: &State| {
            state.is_final() && state.change_refused && state.booking.0.status == Status::Paid
        }),
        Property::sometimes("a change is owed", |_, state: &State| {
            state.is_final() && state.booking.0.status == Status::Paid && state.sales.owed > 20_000
        }),
        Property::sometimes("a changed booking is cancelled and credited", |_, state: &State| {
            state.is_final() && state.end.is_some() && !state.applied.is_empty()
        }),
    ]
}

/// What the revisions and the end of the booking say that the partner owes, in cents.
fn owed(state: &State) -> i64 {
    let booking = &state.booking.0;
    let agreed = booking.quote.total.minor() + booking.retained.minor();
    match (booking.status, state.end) {
        (Status::Paid, _) => agreed,
        (_, Some(refund)) => agreed - refund,
        // It ended before its sale was confirmed.
        _ => 0,
    }
}

fn has_step<M: Model<State = State>>(model: &M, state: &State) -> bool {
    let mut steps = Vec::new();
    model.actions(state, &mut steps);
    steps.into_iter().any(|step| model.next_state(state, step).is_some())
}
