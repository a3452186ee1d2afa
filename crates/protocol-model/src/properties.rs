//! What holds in every state that can be reached.

use stateright::{Model, Property};
use staymesh_reservation::{CancellationReason, Status};

use crate::{
    booking::ROOMS,
    clock::{NO_SHOW, PENALTY, TOTAL},
    state::State,
};

/// Every property, and examples without which the others would prove little.
pub(crate) fn all<M: Model<State = State>>() -> Vec<Property<M>> {
    vec![
        Property::always("when all is quiet, the money kept is what the booking says", |_, state: &State| {
            !state.is_quiet() || state.payments.kept() == owed(state)
        }),
        Property::always("never more is refunded than was charged", |_, state: &State| {
            state.payments.refunds_within_charges()
        }),
        Property::always("a payment is charged at most once", |_, state: &State| state.payments.is_charged_once()),
        Property::always("rooms are held exactly while the booking is pending or paid", |_, state: &State| {
            state.rooms.0 == i32::from(state.booking.0.status.holds_rooms())
        }),
        Property::always("no room is sold twice", |_, state: &State| state.rooms.0 + state.rooms.1 <= ROOMS),
        Property::always("the money of a paid booking is not refunded", |_, state: &State| {
            state.booking.0.status != Status::Paid || !refund_of_booking(state)
        }),
        Property::always("when all is quiet, the booking knows of its refund", |_, state: &State| {
            !state.is_quiet() || refund_of_booking(state) == (state.booking.0.status == Status::Refunded)
        }),
        Property::always("no message is refused for good", |_, state: &State| !state.dead_letter),
        Property::always("only a final state has no step", |model: &M, state: &State| {
            state.dead_letter || state.is_final() || has_step(model, state)
        }),
        Property::eventually("everything becomes quiet", |_, state: &State| state.is_final()),
        Property::sometimes("a booking is paid for", |_, state: &State| {
            state.is_final() && state.booking.0.status == Status::Paid
        }),
        Property::sometimes("a late payment takes the room again", |_, state: &State| {
            state.is_final() && state.retaken && state.booking.0.status == Status::Paid
        }),
        Property::sometimes("a late payment goes back because the room is sold", |_, state: &State| {
            let reason = state.booking.0.cancellation_reason;
            state.is_final()
                && state.rooms.1 == 1
                && reason == Some(CancellationReason::HoldExpired)
                && state.payments.refunded() == TOTAL
        }),
        Property::sometimes("a cancellation keeps its penalty", |_, state: &State| {
            state.is_final() && state.payments.kept() == PENALTY
        }),
        Property::sometimes("a no-show keeps its penalty", |_, state: &State| {
            state.is_final() && state.payments.kept() == NO_SHOW
        }),
        Property::sometimes("a payment is rejected", |_, state: &State| {
            state.is_final() && state.booking.0.status == Status::Rejected
        }),
    ]
}

/// What the booking says that is kept, in cents.
fn owed(state: &State) -> i64 {
    match state.booking.0.status {
        Status::Paid => TOTAL,
        Status::Cancelled | Status::Refunded => state.keeps,
        Status::PendingPayment | Status::Rejected => 0,
    }
}

/// Whether a refund of the payment that the booking knows has been requested.
fn refund_of_booking(state: &State) -> bool {
    let known = state.booking.0.payment_id;
    let mut orders =
        state.payments.orders.iter().map(|order| &order.payment).filter(|payment| Some(payment.payment_id) == known);
    orders.any(|payment| payment.refund_requested.minor() > 0)
}

fn has_step<M: Model<State = State>>(model: &M, state: &State) -> bool {
    let mut steps = Vec::new();
    model.actions(state, &mut steps);
    steps.into_iter().any(|step| model.next_state(state, step).is_some())
}
