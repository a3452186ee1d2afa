//! The payment service: its transactions on the orders of the booking. Amounts, statuses and messages are the
//! decisions of [`staymesh_payment::model`].

use std::collections::VecDeque;

use anyhow::{Context, Result, ensure};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_ledger::Split;
use staymesh_payment::model::{
    BOOKING, Notice, Payment, PaymentMethod, Refund, RefundReason, RefundRequest, Settlement, Standing, Status,
    shares_of_end,
};
use staymesh_psp::CheckoutStatus;
use uuid::Uuid;

use crate::{
    clock::{self, TOTAL, euros},
    provider::Page,
    state::{Event, Order, State},
};

/// A new order, with the number that is its id.
pub(crate) fn order(number: usize, reservation_id: ReservationId) -> Result<Order> {
    let (amount, none) = (euros(TOTAL)?, euros(0)?);
    let payment = Payment {
        payment_id: PaymentId::from(Uuid::from_u128(number.try_into()?)),
        reservation_id,
        revision: BOOKING,
        owner: String::new(),
        amount,
        split: Split::new(amount, none, none).context("a split")?,
        method: PaymentMethod::Provider,
        desk_reference: None,
        status: Status::Pending,
        return_url: String::new(),
        psp_session: None,
        checkout_url: None,
        expire_time: clock::hold_end(),
        refund_requested: none,
        refunded: none,
        in_review_since: None,
        decline_time: None,
        reservation_ended: false,
        refund_due: None,
        create_time: clock::booked(),
        update_time: clock::booked(),
    };
    Ok(Order { payment, refunds: vec![], outbox: VecDeque::new() })
}

impl Order {
    /// Applies the provider's report of the checkout.
    pub(crate) fn apply(&mut self, report: CheckoutStatus) {
        let Some(next) = self.payment.status.after_checkout(report) else { return };
        self.payment.status = next;
        self.outbox.extend(next.notice().map(Event::Tell));
    }

    /// What the payment is worth at the end of its reservation.
    fn standing(&self) -> Result<Standing> {
        let counted = self.refunds.iter().filter(|refund| refund.reason == RefundReason::Cancellation);
        let counted = Money::sum(self.payment.amount.currency(), counted.map(|refund| refund.amount))?;
        let refused = self.refunds.iter().any(|refund| refund.reason == RefundReason::RoomsGone);
        Ok(Standing { payment: self.payment.clone(), counted, refused })
    }

    /// Sends the money back, because the reservation service cannot use the payment.
    pub(crate) fn send_back(&mut self) -> Result<()> {
        if let Some(request) = self.payment.send_back()? {
            self.request(&request)?;
        }
        self.reservation_ended();
        Ok(())
    }

    fn request(&mut self, wanted: &RefundRequest) -> Result<()> {
        let id = self.payment.payment_id;
        let made = self.refunds.iter().find(|refund| refund.reason == wanted.reason);
        if let Some(made) = made.filter(|_| wanted.reason == RefundReason::RoomsGone) {
            ensure!(wanted.made(made, id), "a repeated refund differs");
            return Ok(());
        }
        let refusal = |refusal| anyhow::anyhow!("a refund was refused: {refusal:?}");
        let amount = self.payment.refund_amount(wanted, self.payment.refundable()?).map_err(refusal)?;
        self.payment = self.payment.clone().with_refund(amount)?;
        self.outbox.push_back(Event::Refund(self.refunds.len()));
        self.refunds.push(Refund {
            refund_id: Uuid::from_u128(id.as_uuid().as_u128() * 100 + u128::try_from(self.refunds.len())?),
            payment_id: id,
            reason: wanted.reason,
            amount,
            goodwill: wanted.goodwill,
            requested_rest: Some(wanted.amount.is_none()),
            desk_reference: None,
            create_time: clock::booked(),
            succeed_time: None,
        });
        Ok(())
    }

    /// Notes that a refund succeeded, once.
    pub(crate) fn refund_succeeded(&mut self, number: usize) -> Result<()> {
        let refund = self.refunds.get_mut(number).context("a refund")?;
        if refund.succeed_time.is_some() {
            return Ok(());
        }
        refund.succeed_time = Some(clock::booked());
        self.payment = self.payment.clone().with_refund_succeeded(refund.amount)?;
        self.report_if_complete();
        Ok(())
    }

    fn reservation_ended(&mut self) {
        self.payment.reservation_ended = true;
        self.report_if_complete();
    }

    fn report_if_complete(&mut self) {
        if self.payment.reports_refunds() {
            self.outbox.push_back(Event::Tell(Notice::Refunded));
        }
    }
}

/// Closes the checkout of a pending payment, at the provider first: only the provider knows whether it has been paid.
pub(crate) fn close(order: &mut Order, pages: &mut [Page], number: usize) {
    let page = pages.iter_mut().find(|page| page.payment == number);
    let report = match page.filter(|_| order.payment.psp_session.is_some()) {
        Some(page) => {
            if page.status == CheckoutStatus::Open {
                page.status = CheckoutStatus::Expired;
            }
            page.status
        }
        None => CheckoutStatus::Expired,
    };
    order.apply(report);
}

/// Settles the end of the reservation with all of its payments.
pub(crate) fn settle(state: &mut State, settlement: Settlement) -> Result<()> {
    for (number, order) in state.orders.iter_mut().enumerate() {
        if order.payment.status == Status::Pending {
            close(order, &mut state.pages, number);
        }
    }
    let paid = state.orders.iter().any(|order| order.payment.status.has_money());
    if paid && !settlement.hold_expired {
        state.refund_due = Some(settlement.refund);
        give_back(state, settlement.refund)?;
    }
    for order in state.orders.iter_mut().filter(|order| order.payment.status.has_money()) {
        order.reservation_ended();
    }
    Ok(())
}

/// Requests what is left to give back of `due` from the payments, newest first.
pub(crate) fn give_back(state: &mut State, due: Money) -> Result<()> {
    let standings = state.orders.iter().rev().map(Order::standing).collect::<Result<Vec<_>>>()?;
    for (standing, share, _) in shares_of_end(&standings, due)? {
        let order = state.orders.iter_mut().find(|order| order.payment.payment_id == standing.payment.payment_id);
        if share.minor() > 0 {
            let (reason, request_id) = (RefundReason::Cancellation, Uuid::nil());
            let request = RefundRequest { reason, request_id, amount: Some(share), goodwill: false };
            order.context("an order")?.request(&request)?;
        }
    }
    Ok(())
}
