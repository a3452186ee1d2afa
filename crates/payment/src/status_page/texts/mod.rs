//! The texts of the status page at each stage: title, paragraphs, tone, how soon to look for a change.
//!
//! The texts are for guests: short, kind, concrete, and nothing that the services do not know for certain.

mod languages;
mod message;
mod words;

use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};

pub(super) use self::{message::Message, words::Words};
use super::change::ChangeStage;
use super::stage::{CancellationRefund, ChargeState, Refunds, Rooms, Stage};
use crate::model::Payment;

/// Seconds until the page looks for a change while this system works on something.
const SOON: u32 = 5;
/// Seconds until the page looks for a change while the guest's bank or the provider works on something.
const LATER: u32 = 30;

/// The overall impression of a page; selects its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Paid and confirmed.
    Good,
    /// In progress.
    Waiting,
    /// Failed: declined, unpaid, or too late.
    Bad,
    /// Ended by a cancellation, a no-show or an expired hold.
    Ended,
}

/// The content of a status page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageText {
    pub(super) title: &'static str,
    pub(super) tone: Tone,
    pub(super) paragraphs: Vec<String>,
    /// The time left to pay. Apart from the paragraphs, because it changes every minute.
    pub(super) time_left: Option<String>,
    /// What the guest can still do.
    pub(super) next: Option<&'static str>,
    /// Whether the page links to the provider's checkout page.
    pub(super) payable: bool,
    /// Seconds until the page looks for a change; `None` if nothing is going to change.
    pub(super) refresh_seconds: Option<u32>,
}

/// Words and the present time.
struct Writer<'a> {
    words: &'a Words,
    now: Timestamp,
}

/// The text of a stage, and of the latest change of a confirmed booking with its payment.
pub(super) fn text_of(
    stage: &Stage,
    payment: &Payment,
    change: Option<(&Payment, ChangeStage)>,
    words: &Words,
    now: Timestamp,
) -> PageText {
    let writer = Writer { words, now };
    let text = writer.text_of(stage, payment);
    match change {
        Some((payment, change)) => writer.with_change(text, payment, change),
        None => text,
    }
}

impl PageText {
    fn and(mut self, paragraph: impl Into<Option<String>>) -> Self {
        self.paragraphs.extend(paragraph.into());
        self
    }

    fn refresh(self, seconds: u32) -> Self {
        Self { refresh_seconds: Some(seconds), ..self }
    }

    /// Refreshes until no refund is pending.
    fn refresh_until_refunded(self, refunds: Option<Refunds>) -> Self {
        let complete = refunds.is_some_and(|refunds| refunds.pending.minor() == 0);
        if complete { self } else { self.refresh(SOON) }
    }
}

impl Writer<'_> {
    fn page<const N: usize>(&self, title: Message, tone: Tone, paragraphs: [Message; N]) -> PageText {
        PageText {
            title: self.words.say(title),
            tone,
            paragraphs: paragraphs.map(|paragraph| self.words.say(paragraph).to_owned()).into(),
            time_left: None,
            next: None,
            payable: false,
            refresh_seconds: None,
        }
    }

    fn with_amount(&self, message: Message, amount: &dyn Display) -> String {
        self.words.fill(message, &[("amount", amount)])
    }

    fn text_of(&self, stage: &Stage, payment: &Payment) -> PageText {
        use Message as M;
        let amount = &payment.amount;
        match stage {
            Stage::Payable { until, declined, hold_end } => {
                self.payable(declined.is_some(), *until).and(self.held_until(*hold_end)).refresh(SOON)
            }
            Stage::OpeningCheckout { hold_end } => self
                .page(M::TitlePreparing, Tone::Waiting, [M::OpeningCheckout])
                .and(self.held_until(*hold_end))
                .refresh(SOON),
            Stage::QueryingProvider(rooms) => self.querying_provider(*rooms).refresh(SOON),
            Stage::InReview(rooms) => self.in_review(*rooms).refresh(LATER),
            Stage::Unpaid(rooms) => self.without_payment(M::TitleNotPaid, M::NotPaid, *rooms),
            Stage::Declined(rooms) => self.without_payment(M::TitleDeclined, M::Declined, *rooms),
            Stage::PaymentReceived(refunds) => self
                .page(M::TitleArrived, Tone::Waiting, [])
                .and(self.with_amount(M::ArrivedConfirming, amount))
                .and(refunds.map(|refunds| self.refunds(refunds)))
                .refresh(SOON),
            Stage::Confirmed(refunds) => PageText {
                next: Some(self.words.say(M::NextConfirmed)),
                refresh_seconds: refunds.map(|_| LATER),
                ..self
                    .page(M::TitleConfirmed, Tone::Good, [])
                    .and(self.with_amount(M::ArrivedConfirmed, amount))
                    .and(refunds.map(|refunds| self.refunds(refunds)))
            },
            Stage::PaidAfterHold => self.page(M::TitleArrived, Tone::Waiting, [M::ArrivedAfterHold]).refresh(SOON),
            Stage::PaidTooLate(refunds) => {
                let all = || self.with_amount(M::AllComesBack, amount);
                self.page(M::TitleTooLate, Tone::Bad, [M::ArrivedTooLate])
                    .and(refunds.map_or_else(all, |refunds| self.refunds(refunds)))
                    .refresh_until_refunded(*refunds)
            }
            Stage::Cancelled(refund) => {
                self.cancelled(self.page(M::TitleCancelled, Tone::Ended, [M::RoomsFree]), *refund, payment)
            }
            Stage::NoShow(refund) => {
                self.cancelled(self.page(M::TitleNoShow, Tone::Ended, [M::NoShow]), *refund, payment)
            }
            Stage::ReservationUnavailable(charge) => self.reservation_unavailable(*charge, payment),
            Stage::Inconsistent => {
                self.page(M::TitleUnclear, Tone::Waiting, [M::Unclear, M::DoNotPayAgain]).refresh(LATER)
            }
        }
    }

    /// The text of a confirmed booking with that of its latest change.
    fn with_change(&self, text: PageText, payment: &Payment, change: ChangeStage) -> PageText {
        use Message as M;
        let message = match change {
            ChangeStage::Payable(until) => {
                let time = self.words.time(until, self.now);
                let paragraph = self.words.fill(M::ChangePayable, &[("amount", &payment.amount), ("time", &time)]);
                return PageText { payable: true, ..text.and(paragraph) }.refresh(SOON);
            }
            ChangeStage::Waiting => M::ChangeWaiting,
            ChangeStage::Received => M::ChangeReceived,
            ChangeStage::Applied => M::ChangeApplied,
            ChangeStage::NotApplied => M::ChangeNotApplied,
            ChangeStage::PaidTooLate => M::ChangePaidTooLate,
        };
        let text = text.and(self.with_amount(message, &payment.amount));
        match change {
            ChangeStage::Waiting | ChangeStage::Received => text.refresh(SOON),
            _ => text,
        }
    }

    fn payable(&self, declined: bool, until: Timestamp) -> PageText {
        use Message as M;
        let (title, tone, first, second) = if declined {
            (M::TitleCardDeclined, Tone::Bad, M::NothingChargedWithCard, M::TryAgainUntil)
        } else {
            (M::TitleWaiting, Tone::Waiting, M::NoPaymentYet, M::PayUntil)
        };
        let text = self.page(title, tone, [first]).and(self.until(second, until));
        let text = if declined { text.and(self.words.say(M::NoPaymentYet).to_owned()) } else { text };
        let left = match until.duration_since(self.now).as_mins() {
            minutes @ 2..120 => Some(self.words.fill(M::MinutesLeft, &[("minutes", &minutes)])),
            120.. => None,
            _ => Some(self.words.say(M::MinuteLeft).to_owned()),
        };
        PageText { payable: true, next: Some(self.words.say(M::NextUnpaid)), time_left: left, ..text }
    }

    fn querying_provider(&self, rooms: Rooms) -> PageText {
        use Message as M;
        match rooms {
            Rooms::Held(hold_end) => {
                self.page(M::TitleCheckoutClosed, Tone::Waiting, [M::CheckoutClosed]).and(self.held_until(hold_end))
            }
            Rooms::Cancelled => self.page(M::TitleCancelled, Tone::Ended, [M::CheckoutClosing]),
            Rooms::HoldExpired | Rooms::PaymentRefused => {
                self.page(M::TitleHoldEnded, Tone::Waiting, [M::CheckoutClosed, M::RoomsReleased, M::IfPaidLate])
            }
        }
    }

    fn in_review(&self, rooms: Rooms) -> PageText {
        use Message as M;
        match rooms {
            Rooms::Held(hold_end) => self
                .page(M::TitleInReview, Tone::Waiting, [M::InReview])
                .and(self.held_until(hold_end))
                .and(self.words.say(M::IfPaidLate).to_owned()),
            Rooms::Cancelled => self.page(M::TitleCancelled, Tone::Ended, [M::InReviewCancelled, M::InReview]),
            Rooms::HoldExpired | Rooms::PaymentRefused => {
                self.page(M::TitleInReview, Tone::Waiting, [M::InReview, M::RoomsReleased, M::IfPaidLate])
            }
        }
    }

    /// The text of a payment that ended without money.
    fn without_payment(&self, title: Message, text: Message, rooms: Rooms) -> PageText {
        use Message as M;
        match rooms {
            Rooms::Held(hold_end) => {
                self.page(title, Tone::Bad, [text, M::BookingClosing]).and(self.held_until(hold_end)).refresh(SOON)
            }
            Rooms::PaymentRefused => self.page(title, Tone::Bad, [text, M::FreeBookAgain]),
            Rooms::HoldExpired => self.page(M::TitleHoldEnded, Tone::Ended, [text, M::HoldEndedBookAgain]),
            Rooms::Cancelled => self.page(M::TitleCancelled, Tone::Ended, [M::CancelledNothingCharged]),
        }
    }

    fn cancelled(&self, text: PageText, refund: CancellationRefund, payment: &Payment) -> PageText {
        use Message as M;
        let paid = |message| self.with_amount(message, &payment.amount);
        match refund {
            CancellationRefund::Undetermined => text.and(paid(M::PaidRefundUndetermined)).refresh(SOON),
            CancellationRefund::Nothing => text.and(paid(M::PaidNothingBack)),
            CancellationRefund::Refunds(refunds) => {
                text.and(paid(M::Paid)).and(self.refunds(refunds)).refresh_until_refunded(Some(refunds))
            }
        }
    }

    fn reservation_unavailable(&self, charge: ChargeState, payment: &Payment) -> PageText {
        use Message as M;
        let known = match charge {
            ChargeState::Unpaid => self.words.say(M::NoPaymentYetKnown).to_owned(),
            ChargeState::InReview => self.words.say(M::InReviewKnown).to_owned(),
            ChargeState::Ended => self.words.say(M::EndedKnown).to_owned(),
            ChargeState::Paid(refunds) => {
                let paid = self.with_amount(M::ArrivedKnown, &payment.amount);
                refunds.map_or(paid.clone(), |refunds| format!("{paid} {}", self.refunds(refunds)))
            }
        };
        self.page(M::TitleUnavailable, Tone::Waiting, [M::LookUpFails]).and(known).refresh(SOON)
    }

    fn refunds(&self, Refunds { sent, pending }: Refunds) -> String {
        let message = match (sent.minor() > 0, pending.minor() > 0) {
            (true, true) => Message::RefundSentAndPending,
            (false, true) => Message::RefundPending,
            _ => Message::RefundSent,
        };
        self.words.fill(message, &[("sent", &sent), ("pending", &pending)])
    }

    fn held_until(&self, hold_end: Option<Timestamp>) -> Option<String> {
        let hold_end = hold_end?;
        Some(if hold_end.duration_since(self.now) <= SignedDuration::ZERO {
            self.words.say(Message::HoldEnding).to_owned()
        } else {
            self.until(Message::HeldUntil, hold_end)
        })
    }

    fn until(&self, message: Message, time: Timestamp) -> String {
        self.words.fill(message, &[("time", &self.words.time(time, self.now))])
    }
}

#[cfg(test)]
mod tests;
