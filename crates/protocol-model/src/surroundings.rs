//! What surrounds the services: the guest, and faults of the network.

use crate::state::State;

/// Whether one more fault may come; takes it.
pub(crate) const fn take_fault(state: &mut State) -> bool {
    let left = state.faults_left > 0;
    state.faults_left = state.faults_left.saturating_sub(1);
    left
}

/// The guest asks to pay. While the booking does not wait for it, the request is refused and changes nothing.
pub(crate) fn ask(state: &mut State) -> bool {
    let payable = state.booking.0.hold_expire_time.is_some_and(|end| state.moment.time() < end);
    let asks = payable && state.asks_left > 0;
    if asks {
        state.asks_left -= 1;
        state.asking += 1;
    }
    asks
}
