//! The payment service with the provider: its transactions on the payments of one reservation.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_payment::model::{
    Payment, Refund, RefundReason, RefundRequest, Standing, Status, left_by_policy, refunds_to_report,
    shares_of_change, shares_of_end,
};
use staymesh_psp::CheckoutStatus;
use uuid::Uuid;

use crate::{
    delivery::{Delivery, Opening},
    orders::{Due, Order},
    provider::{Page, ProviderEvent},
};

/// The payments of a reservation, their pages at the provider, and its events on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Payments {
    pub(crate) orders: Vec<Order>,
    pub(crate) pages: Vec<Page>,
    pub(crate) events: Vec<ProviderEvent>,
    /// What the end of the reservation gives back, as it was noted.
    pub(crate) end: Option<Money>,
    /// The changes that are settled by revision, each with what it gave back and whether it was given up.
    pub(crate) settled: BTreeMap<i32, (Money, bool)>,
}

impl Payments {
    /// Opens order and page of what is due. Of a payment that is not pending any more there is no page. `forgetful`: the
    /// provider opens a second page for the same payment.
    pub(crate) fn open(&mut self, id: ReservationId, due: Due, opening: Opening, forgetful: bool) -> Result<()> {
        let of_it = |order: &Order| order.payment.revision == due.revision && order.payment.status != Status::Expired;
        let open = self.orders.iter().rposition(of_it);
        let number = open.unwrap_or(self.orders.len());
        if open.is_none() {
            // A page that is open for another revision is closed: that revision does not wait any more.
            self.close_all(|order| order.payment.revision != due.revision);
            self.orders.push(Order::new(number + 1, id, due)?);
        }
        if self.orders[number].payment.status != Status::Pending || opening == Opening::OrderSaved {
            return Ok(());
        }
        let known = self.pages.iter().position(|page| page.payment == number).filter(|_| !forgetful);
        let page = known.unwrap_or(self.pages.len());
        if known.is_none() {
            self.pages.push(Page::new(number));
        }
        if opening == Opening::Shown {
            self.orders[number].payment.psp_session = Some(String::new());
            self.orders[number].apply(self.pages[page].status);
            self.pages[page].shown = self.orders[number].payment.status == Status::Pending;
        }
        Ok(())
    }

    /// A page changes at the provider, whose event is on its way. The guest acts on a page that was shown; the provider
    /// decides on a review, and closes an open page once its time is over.
    pub(crate) fn turn_page(&mut self, number: usize, status: CheckoutStatus, now: Timestamp) -> Result<bool> {
        let page = self.pages.get_mut(number).context("a page")?;
        let payment = &self.orders[page.payment].payment;
        let early = status == CheckoutStatus::Expired && now < payment.expire_time;
        if early || !page.next().contains(&status) {
            return Ok(false);
        }
        page.status = status;
        if status == CheckoutStatus::Paid {
            page.charged += payment.amount.minor();
        }
        let payment = page.payment;
        // The event that a payment is reviewed changes no status.
        if status != CheckoutStatus::InReview {
            self.push(ProviderEvent::Checkout { payment, status });
        }
        Ok(true)
    }

    /// The guest pays a page after all that was closed.
    pub(crate) fn pay_late(&mut self, number: usize) -> bool {
        let page = &mut self.pages[number];
        let pays = page.shown && page.status == CheckoutStatus::Expired;
        if pays {
            let payment = page.payment;
            page.status = CheckoutStatus::Paid;
            page.charged += self.orders[payment].payment.amount.minor();
            self.push(ProviderEvent::Checkout { payment, status: CheckoutStatus::Paid });
        }
        pays
    }

    /// Events have no order among each other.
    fn push(&mut self, event: ProviderEvent) {
        self.events.push(event);
        self.events.sort();
    }

    /// Takes an event of the provider.
    pub(crate) fn receive(&mut self, event: ProviderEvent) -> Result<bool> {
        match event {
            ProviderEvent::Checkout { payment, status } => {
                self.orders[payment].payment.psp_session = Some(String::new());
                self.orders[payment].apply(status);
            }
            ProviderEvent::RefundSucceeded { payment, refund } => self.orders[payment].refund_succeeded(refund)?,
        }
        Ok(true)
    }

    /// Asks the provider for a pending payment, and closes its page once its time is over.
    pub(crate) fn sweep(&mut self, number: usize, now: Timestamp) -> bool {
        let order = &mut self.orders[number];
        if order.payment.status != Status::Pending {
            return false;
        }
        let page = self.pages.iter().find(|page| page.payment == number);
        match page.filter(|_| order.payment.psp_session.is_some()) {
            Some(page) if page.status != CheckoutStatus::Open => order.apply(page.status),
            _ if order.payment.expire_time <= now => self.close(number),
            _ => return false,
        }
        true
    }

    /// Closes the checkout of a pending payment, at the provider first: only the provider knows whether it has been paid.
    fn close(&mut self, number: usize) {
        let order = &mut self.orders[number];
        let page = self.pages.iter_mut().find(|page| page.payment == number);
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

    /// Closes the checkouts of these pending payments.
    pub(crate) fn close_all(&mut self, of: impl Fn(&Order) -> bool) {
        for number in 0..self.orders.len() {
            let order = &self.orders[number];
            if order.payment.status == Status::Pending && of(order) {
                self.close(number);
            }
        }
    }

    fn standings(&self) -> Result<Vec<Standing>> {
        let given_up = |revision: i32| self.settled.get(&revision).is_some_and(|(_, dropped)| *dropped);
        let standing = |order: &Order| {
            // One that came after its change was given up will be refused.
            let refused = order.refused || given_up(order.payment.revision);
            Ok(Standing { payment: order.payment.clone(), counted: order.counted()?, refused })
        };
        self.orders.iter().rev().map(standing).collect()
    }

    fn order_of(&mut self, id: PaymentId) -> Result<&mut Order> {
        self.orders.iter_mut().find(|order| order.payment.payment_id == id).context("an order")
    }

    /// Settles the end of the reservation with all of its payments.
    pub(crate) fn settle_end(&mut self, refund: Money, hold_expired: bool) -> Result<()> {
        self.close_all(|_| true);
        let paid = self.orders.iter().any(|order| order.payment.status.has_money());
        if paid && !hold_expired {
            self.end = Some(refund);
            self.give_back(refund)?;
        }
        for order in self.orders.iter_mut().filter(|order| order.payment.status.has_money()) {
            order.reservation_ended();
        }
        Ok(())
    }

    /// Requests what is left to give back of `due` from the payments, newest first.
    fn give_back(&mut self, due: Money) -> Result<()> {
        let standings = self.standings()?;
        for (standing, share, _) in shares_of_end(&standings, due)? {
            self.give_back_share(&standing.payment.payment_id, RefundReason::Cancellation, share)?;
        }
        Ok(())
    }

    fn give_back_share(&mut self, id: &PaymentId, reason: RefundReason, share: Money) -> Result<()> {
        if share.minor() == 0 {
            return Ok(());
        }
        let request = RefundRequest { reason, request_id: Uuid::nil(), amount: Some(share), goodwill: false };
        self.order_of(*id)?.request(&request, share)
    }

    /// Settles a change that was applied or given up, once for its revision unless `forgetful`.
    pub(crate) fn settle_change(&mut self, revision: i32, refund: Money, dropped: bool, forgetful: bool) -> Result<()> {
        if let Some(known) = self.settled.get(&revision).filter(|_| !forgetful) {
            ensure!(*known == (refund, dropped), "a repeated settlement differs");
            return Ok(());
        }
        if dropped {
            self.close_all(|order| order.payment.revision == revision);
            for number in 0..self.orders.len() {
                let Payment { status, revision: paid_for, .. } = self.orders[number].payment;
                if status.has_money() && paid_for == revision {
                    self.send_back(number, false)?;
                }
            }
        } else {
            self.give_back_of_change(revision, refund)?;
        }
        self.settled.insert(revision, (refund, dropped));
        Ok(())
    }

    /// Sends back a payment that the reservation service did not accept. The end of the reservation may have taken its refund
    /// from this payment, which does not count any more. `forgetful`: what changes gave back of it is lost.
    pub(crate) fn refuse(&mut self, number: usize, forgetful: bool) -> Result<()> {
        self.send_back(number, forgetful)?;
        self.end.map_or(Ok(()), |due| self.give_back(due))
    }

    fn send_back(&mut self, number: usize, forgetful: bool) -> Result<()> {
        let repeat = self.orders[number].refused;
        self.orders[number].refuse()?;
        let of_change = |refund: &Refund| refund.reason.revision().map(|revision| (revision, refund.amount));
        let given: Vec<_> = self.orders[number].refunds.iter().filter_map(of_change).collect();
        for (revision, refund) in given.into_iter().filter(|_| !repeat && !forgetful) {
            self.give_back_of_change(revision, refund)?;
        }
        Ok(())
    }

    /// Requests the refund of a change from the payments, newest first.
    fn give_back_of_change(&mut self, revision: i32, refund: Money) -> Result<()> {
        let standings = self.standings()?;
        for (standing, share) in shares_of_change(&standings, revision, refund)? {
            self.give_back_share(&standing.payment.payment_id, RefundReason::Change { revision }, share)?;
        }
        Ok(())
    }

    /// An administrator requests a refund of so much of a payment; `false` if it is refused. `unlimited`: what the end of the
    /// reservation gives back is no limit.
    pub(crate) fn request(&mut self, number: usize, amount: Money, goodwill: bool, unlimited: bool) -> Result<bool> {
        let standings = self.standings()?;
        let payment = &self.orders[number].payment;
        let end = self.end.filter(|_| !goodwill && !unlimited);
        let limit = left_by_policy(payment, &standings, end)?;
        let (reason, request_id) = (RefundReason::Requested, Uuid::nil());
        let request = RefundRequest { reason, request_id, amount: Some(amount), goodwill };
        if !payment.status.has_money() || payment.refund_amount(&request, limit).is_err() {
            return Ok(false);
        }
        self.orders[number].request(&request, limit).map(|()| true)
    }

    /// Has the provider make a refund. If the service stops before it saves so, the provider's event tells it. `forgetful`:
    /// the provider does not recognise a repeat.
    pub(crate) fn refund(&mut self, payment: usize, refund: usize, delivery: Delivery, forgetful: bool) -> Result<()> {
        let made = self.orders[payment].refunds.get(refund).context("a refund")?;
        if made.succeed_time.is_some() || delivery == Delivery::Late {
            return Ok(());
        }
        let page = self.pages.iter_mut().find(|page| page.payment == payment && page.charged > 0);
        page.context("a page that was paid")?.refund(made.refund_id, made.amount.minor(), forgetful);
        if delivery == Delivery::Done {
            return self.orders[payment].refund_succeeded(refund);
        }
        self.push(ProviderEvent::RefundSucceeded { payment, refund });
        Ok(())
    }

    /// What is reported of the refunds of a payment: the payment and the sum.
    pub(crate) fn report(&self, number: usize) -> Result<Option<(PaymentId, Money)>> {
        let standings = self.standings()?;
        let id = self.orders[number].payment.payment_id;
        let own = standings.iter().find(|standing| standing.payment.payment_id == id).context("a standing")?;
        Ok(refunds_to_report(&standings, own)?)
    }

    /// What the provider charged and did not refund, in cents.
    pub(crate) fn kept(&self) -> i64 {
        self.pages.iter().map(|page| page.charged - page.refunded).sum()
    }

    /// What the provider refunded, in cents.
    pub(crate) fn refunded(&self) -> i64 {
        self.pages.iter().map(|page| page.refunded).sum()
    }

    /// Whether nothing is on its way, and no payment waits for another step.
    pub(crate) fn is_quiet(&self) -> bool {
        let open = |page: &Page| page.shown && matches!(page.status, CheckoutStatus::Open | CheckoutStatus::InReview);
        let busy = |order: &Order| {
            !order.outbox.is_empty() || matches!(order.payment.status, Status::Pending | Status::Refunding)
        };
        self.events.is_empty() && !self.pages.iter().any(open) && !self.orders.iter().any(busy)
    }

    /// Whether no payment is charged more than once, and never more refunded than was charged.
    pub(crate) fn is_charged_once(&self) -> bool {
        (0..self.orders.len()).all(|number| {
            let pages = self.pages.iter().filter(|page| page.payment == number);
            pages.map(|page| page.charged).sum::<i64>() <= self.orders[number].payment.amount.minor()
        })
    }

    /// Whether never more is refunded than was charged.
    pub(crate) fn refunds_within_charges(&self) -> bool {
        self.pages.iter().all(|page| page.refunded <= page.charged)
    }
}
