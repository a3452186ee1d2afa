//! What surrounds the services: the guest, the provider and the clock.

use anyhow::{Context, Result};
use staymesh_payment::model::Status;
use staymesh_psp::CheckoutStatus;

use crate::{
    clock::{Moment, TOTAL},
    payment::close,
    provider::ProviderEvent,
    state::State,
};

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

/// A page changes at the provider, whose event is on its way. The guest acts on a page that was shown; the provider
/// decides on a review, and closes an open page once its time is over.
pub(crate) fn turn_page(state: &mut State, number: usize, status: CheckoutStatus) -> Result<bool> {
    let overdue = state.moment > Moment::Held;
    let page = state.pages.get_mut(number).context("a page")?;
    let turns = match (page.status, status) {
        (CheckoutStatus::Open, CheckoutStatus::Expired) => overdue,
        (CheckoutStatus::Open, CheckoutStatus::Paid | CheckoutStatus::Failed | CheckoutStatus::InReview) => page.shown,
        (CheckoutStatus::InReview, CheckoutStatus::Paid | CheckoutStatus::Failed) => true,
        _ => false,
    };
    if !turns {
        return Ok(false);
    }
    page.status = status;
    if status == CheckoutStatus::Paid {
        page.charged += TOTAL;
    }
    let payment = page.payment;
    // The event that a payment is reviewed changes no status.
    if status != CheckoutStatus::InReview {
        push(state, ProviderEvent::Checkout { payment, status });
    }
    Ok(true)
}

/// Events have no order among each other.
pub(crate) fn push(state: &mut State, event: ProviderEvent) {
    state.provider_events.push(event);
    state.provider_events.sort();
}

/// The payment service takes an event of the provider.
pub(crate) fn receive(state: &mut State, event: ProviderEvent) -> Result<bool> {
    match event {
        ProviderEvent::Checkout { payment, status } => {
            state.orders[payment].payment.psp_session = Some(String::new());
            state.orders[payment].apply(status);
        }
        ProviderEvent::RefundSucceeded { payment, refund } => state.orders[payment].refund_succeeded(refund)?,
    }
    Ok(true)
}

/// Asks for a pending payment, and closes its page once its time is over.
pub(crate) fn sweep(state: &mut State, number: usize) -> bool {
    let overdue = state.moment > Moment::Held;
    let order = &mut state.orders[number];
    let page = state.pages.iter_mut().find(|page| page.payment == number);
    if order.payment.status != Status::Pending {
        return false;
    }
    match page.filter(|_| order.payment.psp_session.is_some()) {
        Some(page) if page.status != CheckoutStatus::Open => order.apply(page.status),
        _ if overdue => close(order, &mut state.pages, number),
        _ => return false,
    }
    true
}
