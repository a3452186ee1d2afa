//! A payment with its refunds: what messages do to it are the decisions of [`staymesh_payment::model`].

use std::{
    collections::VecDeque,
    hash::{Hash, Hasher},
};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_ledger::Split;
use staymesh_payment::model::{Notice, Payment, PaymentMethod, Refund, RefundReason, RefundRequest, Status};
use staymesh_psp::CheckoutStatus;
use uuid::Uuid;

use crate::clock::{self, euros};

/// A payment with its refunds and its events in the outbox of the payment service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) payment: Payment,
    pub(crate) refunds: Vec<Refund>,
    /// Whether the reservation service did not accept it.
    pub(crate) refused: bool,
    pub(crate) outbox: VecDeque<Event>,
}

/// An event in the outbox of the payment service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// To the reservation service.
    Tell(Notice),
    /// To the provider: make this refund of the payment.
    Refund(usize),
}

/// What is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Due {
    pub(crate) revision: i32,
    /// In cents.
    pub(crate) minor: i64,
    /// When the page closes.
    pub(crate) until: Timestamp,
}

impl Hash for Order {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Payment { revision, status, refund_requested, refunded, reservation_ended, expire_time, .. } = self.payment;
        (revision, status, refund_requested, refunded, reservation_ended, expire_time, self.refused).hash(state);
        self.payment.psp_session.is_some().hash(state);
        for refund in &self.refunds {
            (refund.amount, refund.succeed_time.is_some()).hash(state);
        }
        self.outbox.hash(state);
    }
}

impl Order {
    /// A new order, with the number that is its id.
    pub(crate) fn new(number: usize, reservation_id: ReservationId, due: Due) -> Result<Self> {
        let (amount, none) = (euros(due.minor)?, euros(0)?);
        let payment = Payment {
            payment_id: PaymentId::from(Uuid::from_u128(number.try_into()?)),
            reservation_id,
            revision: due.revision,
            owner: String::new(),
            amount,
            split: Split::new(amount, none, none).context("a split")?,
            method: PaymentMethod::Provider,
            desk_reference: None,
            status: Status::Pending,
            return_url: String::new(),
            psp_session: None,
            checkout_url: None,
            expire_time: due.until,
            refund_requested: none,
            refunded: none,
            in_review_since: None,
            decline_time: None,
            reservation_ended: false,
            refund_due: None,
            create_time: clock::booked(),
            update_time: clock::booked(),
        };
        Ok(Self { payment, refunds: vec![], refused: false, outbox: VecDeque::new() })
    }

    /// Applies the provider's report of the checkout.
    pub(crate) fn apply(&mut self, report: CheckoutStatus) {
        let Some(next) = self.payment.status.after_checkout(report) else { return };
        self.payment.status = next;
        self.outbox.extend(next.notice().map(Event::Tell));
    }

    /// Its refunds that count toward what the end of the reservation gives back.
    pub(crate) fn counted(&self) -> Result<Money> {
        let counts = |refund: &&Refund| {
            !refund.goodwill && matches!(refund.reason, RefundReason::Cancellation | RefundReason::Requested)
        };
        let amounts = self.refunds.iter().filter(counts).map(|refund| refund.amount);
        Ok(Money::sum(self.payment.amount.currency(), amounts)?)
    }

    /// Sends the money back, because the reservation service cannot use the payment.
    pub(crate) fn refuse(&mut self) -> Result<()> {
        self.refused = true;
        if let Some(request) = self.payment.send_back()? {
            self.request(&request, self.payment.refundable()?)?;
        }
        self.reservation_ended();
        Ok(())
    }

    /// Requests a refund of which `limit` is left, or finds what the same request made. Refunds of a cancellation and of a
    /// change have no key: what was requested before is counted, or their settlement is unique.
    pub(crate) fn request(&mut self, wanted: &RefundRequest, limit: Money) -> Result<()> {
        let id = self.payment.payment_id;
        let made = self.refunds.iter().find(|refund| refund.reason == wanted.reason);
        if let Some(made) = made.filter(|_| wanted.reason == RefundReason::RoomsGone) {
            ensure!(wanted.made(made, id), "a repeated refund differs");
            return Ok(());
        }
        let refusal = |refusal| anyhow::anyhow!("a refund was refused: {refusal:?}");
        let amount = self.payment.refund_amount(wanted, limit).map_err(refusal)?;
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

    /// Notes that the reservation ended, and reports earlier refunds.
    pub(crate) fn reservation_ended(&mut self) {
        self.payment.reservation_ended = true;
        self.report_if_complete();
    }

    fn report_if_complete(&mut self) {
        if self.payment.reports_refunds() {
            self.outbox.push_back(Event::Tell(Notice::Refunded));
        }
    }
}
