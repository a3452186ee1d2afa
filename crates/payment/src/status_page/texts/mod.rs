//! The texts of the status page at each stage: title, paragraphs, tone, refresh interval.
//!
//! The texts are for guests: short, kind, concrete, and nothing that the services do not know for certain.

use jiff::{SignedDuration, Timestamp};

use super::stage::{CancellationRefund, ChargeState, Refunds, Rooms, Stage};
use crate::model::Payment;

/// Refresh interval in seconds while this system works on something.
const SOON: u32 = 5;
/// Refresh interval in seconds while the guest's bank or the provider works on something.
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
    /// Whether the page links to the provider's checkout page.
    pub(super) payable: bool,
    /// Refresh interval in seconds; `None` if nothing is going to change.
    pub(super) refresh_seconds: Option<u32>,
}

impl PageText {
    fn new<const N: usize>(title: &'static str, tone: Tone, paragraphs: [&str; N]) -> Self {
        let paragraphs = paragraphs.into_iter().map(str::to_owned).collect();
        Self { title, tone, paragraphs, payable: false, refresh_seconds: None }
    }

    fn and(mut self, paragraph: impl Into<Option<String>>) -> Self {
        self.paragraphs.extend(paragraph.into());
        self
    }

    fn refresh(self, seconds: u32) -> Self {
        Self { refresh_seconds: Some(seconds), ..self }
    }
}

/// The text of a stage.
pub(super) fn text_of(stage: &Stage, payment: &Payment, now: Timestamp) -> PageText {
    let amount = payment.amount;
    match stage {
        Stage::Payable { until, declined, hold_end } => {
            let text = payable(declined.is_some(), &time(*until, now)).and(held_until(*hold_end, now));
            PageText { payable: true, ..text }.refresh(SOON)
        }
        Stage::OpeningCheckout { hold_end } => {
            let text = ["We are opening the payment page. If this takes long, please start the payment again on the \
                         site where you booked."];
            PageText::new("The payment is being prepared", Tone::Waiting, text)
                .and(held_until(*hold_end, now))
                .refresh(SOON)
        }
        Stage::QueryingProvider(rooms) => querying_provider(*rooms, now).refresh(SOON),
        Stage::InReview(rooms) => in_review(*rooms, now).refresh(LATER),
        Stage::Unpaid(rooms) => {
            without_payment("Not paid", "No payment reached us in time. Nothing was charged.", *rooms, now)
        }
        Stage::Declined(rooms) => {
            let text = "Your bank or the payment provider declined the payment. Nothing was charged.";
            without_payment("The payment was declined", text, *rooms, now)
        }
        Stage::PaymentReceived(refunds) => {
            let text = format!("Your payment of {amount} has arrived. We are confirming your booking.");
            PageText::new("Your payment has arrived", Tone::Waiting, [])
                .and(text)
                .and(refunds.map(refund_text))
                .refresh(SOON)
        }
        Stage::Confirmed(refunds) => {
            let text = format!("Your payment of {amount} has arrived, and the rooms are yours.");
            let text = PageText::new("Paid and confirmed", Tone::Good, []).and(text).and(refunds.map(refund_text));
            PageText { refresh_seconds: refunds.map(|_| LATER), ..text }
        }
        Stage::PaidAfterHold => {
            let text = "It arrived after the hold on the rooms had ended. If the rooms are still free, we book them for you \
                        now; if not, you get all of your money back.";
            PageText::new("Your payment has arrived", Tone::Waiting, [text]).refresh(SOON)
        }
        Stage::PaidTooLate(refunds) => {
            let text = ["Your payment arrived after the booking had ended. The rooms are not booked."];
            let text = PageText::new("Your payment came too late", Tone::Bad, text);
            let all = format!("You get all of it back: {amount}.");
            refresh_until_refunded(text.and(refunds.map_or(all, refund_text)), *refunds)
        }
        Stage::Cancelled(refund) => {
            let text = "The booking was cancelled, and the rooms are free again.";
            cancelled(PageText::new("Cancelled", Tone::Ended, [text]), *refund, payment)
        }
        Stage::NoShow(refund) => {
            let text = "The hotel has reported that nobody came, and the booking has ended. Please contact the hotel if that \
                        is not correct.";
            cancelled(PageText::new("Nobody came", Tone::Ended, [text]), *refund, payment)
        }
        Stage::ReservationUnavailable(charge) => reservation_unavailable(*charge, payment),
        Stage::Inconsistent => {
            let text = [
                "Our records of your booking and of your payment do not fit together right now. We are checking them, and \
                 this page will show the result.",
                "Please do not pay again.",
            ];
            PageText::new("We are sorting this out", Tone::Waiting, text).refresh(LATER)
        }
    }
}

fn payable(declined: bool, until: &str) -> PageText {
    let waiting =
        "No payment has reached us yet. If you have just paid, please wait a moment: this page refreshes by itself.";
    if declined {
        return PageText::new("Your card was declined", Tone::Bad, ["Nothing was charged with it."])
            .and(format!("You may try again, or use another card, until {until}."))
            .and(waiting.to_owned());
    }
    PageText::new("Waiting for your payment", Tone::Waiting, [waiting]).and(format!("You can pay until {until}."))
}

fn querying_provider(rooms: Rooms, now: Timestamp) -> PageText {
    let checking = "The payment page has closed. We are asking the payment provider whether you paid. If you did, you do not \
                    need to pay again.";
    match rooms {
        Rooms::Held(hold_end) => {
            PageText::new("The payment page has closed", Tone::Waiting, [checking]).and(held_until(hold_end, now))
        }
        Rooms::Cancelled => {
            let text = "The rooms are free again. We are closing the payment page; if you did pay, you get all of your \
                        money back.";
            PageText::new("Cancelled", Tone::Ended, [text])
        }
        Rooms::HoldExpired | Rooms::PaymentRefused => {
            PageText::new("The hold has ended", Tone::Waiting, [checking, ROOMS_RELEASED, IF_PAID_LATE])
        }
    }
}

fn in_review(rooms: Rooms, now: Timestamp) -> PageText {
    let checking = "The payment provider is checking your payment. That can take minutes, hours or days. There is nothing \
                    you need to do, and you must not pay again.";
    let title = "Your payment is being checked";
    match rooms {
        Rooms::Held(hold_end) => {
            PageText::new(title, Tone::Waiting, [checking]).and(held_until(hold_end, now)).and(IF_PAID_LATE.to_owned())
        }
        Rooms::Cancelled => {
            let text = "You have cancelled, and the rooms are free again. If the payment is approved, all of the money goes \
                        back to you.";
            PageText::new("Cancelled", Tone::Ended, [text, checking])
        }
        Rooms::HoldExpired | Rooms::PaymentRefused => {
            PageText::new(title, Tone::Waiting, [checking, ROOMS_RELEASED, IF_PAID_LATE])
        }
    }
}

const ROOMS_RELEASED: &str = "The hold has ended, and the rooms are free for others again.";
const IF_PAID_LATE: &str = "If your payment arrives after the hold has ended, we book the rooms for you if they are still \
                            available; if not, all of the money goes back to you.";

/// The text of a payment that ended without money.
fn without_payment(title: &'static str, text: &str, rooms: Rooms, now: Timestamp) -> PageText {
    match rooms {
        Rooms::Held(hold_end) => PageText::new(title, Tone::Bad, [text, "The booking is being closed."])
            .and(held_until(hold_end, now))
            .refresh(SOON),
        Rooms::PaymentRefused => {
            PageText::new(title, Tone::Bad, [text, "The rooms are free again. You can book once more."])
        }
        Rooms::HoldExpired => {
            let free = "The hold on the rooms has ended, and they are free again. You can book once more.";
            PageText::new("The hold has ended", Tone::Ended, [text, free])
        }
        Rooms::Cancelled => {
            PageText::new("Cancelled", Tone::Ended, ["The booking was cancelled. Nothing was charged."])
        }
    }
}

fn cancelled(text: PageText, refund: CancellationRefund, payment: &Payment) -> PageText {
    let amount = payment.amount;
    match refund {
        CancellationRefund::Undetermined => {
            text.and(format!("You had paid {amount}. We are working out your refund.")).refresh(SOON)
        }
        CancellationRefund::Nothing => {
            text.and(format!("You had paid {amount}. Under the cancellation policy, nothing of it comes back to you."))
        }
        CancellationRefund::Refunds(refunds) => {
            refresh_until_refunded(text.and(format!("You had paid {amount}.")).and(refund_text(refunds)), Some(refunds))
        }
    }
}

fn reservation_unavailable(charge: ChargeState, payment: &Payment) -> PageText {
    let amount = payment.amount;
    let known = match charge {
        ChargeState::Unpaid => "No payment has reached us yet.".to_owned(),
        ChargeState::InReview => "The payment provider is checking your payment.".to_owned(),
        ChargeState::Ended => "The payment ended, and nothing was charged.".to_owned(),
        ChargeState::Paid(refunds) => {
            let paid = format!("Your payment of {amount} has arrived.");
            refunds.map_or(paid.clone(), |refunds| format!("{paid} {}", refund_text(refunds)))
        }
    };
    let text = "This is temporary, and your payment is not affected. Please do not pay again before this page shows your \
                booking.";
    PageText::new("Your booking cannot be looked up right now", Tone::Waiting, [text]).and(known).refresh(SOON)
}

/// Refreshes until no refund is pending.
fn refresh_until_refunded(text: PageText, refunds: Option<Refunds>) -> PageText {
    let complete = refunds.is_some_and(|refunds| refunds.pending.minor() == 0);
    if complete { text } else { text.refresh(SOON) }
}

fn refund_text(refunds: Refunds) -> String {
    let Refunds { sent, pending } = refunds;
    match (sent.minor() > 0, pending.minor() > 0) {
        (true, true) => format!("{sent} has been sent back to you, and {pending} is on its way."),
        (false, true) => format!("{pending} is on its way back to you."),
        _ => format!("{sent} has been sent back to you. Your bank may need a few days to show it."),
    }
}

fn held_until(hold_end: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let hold_end = hold_end?;
    Some(if hold_end <= now {
        "The hold on the rooms is ending.".to_owned()
    } else {
        format!("The rooms are held for you until {}. After that, others can book them.", time(hold_end, now))
    })
}

/// `12:45 UTC, in 14 minutes`, with the date if it is not today in UTC.
fn time(time: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.as_second().div_euclid(24 * 3600);
    let clock = time.strftime(if day(time) == day(now) { "%H:%M UTC" } else { "%-d %B %Y, %H:%M UTC" });
    let left = time.duration_since(now);
    match left.as_mins() {
        _ if left < SignedDuration::from_secs(60) => format!("{clock}, in less than a minute"),
        1 => format!("{clock}, in one minute"),
        minutes @ 2..120 => format!("{clock}, in {minutes} minutes"),
        _ => clock.to_string(),
    }
}

#[cfg(test)]
mod tests;
