//! What a moment means to a guest, in words. Nothing is said here that the services do not know.

use jiff::{SignedDuration, Timestamp};

use super::moment::{Back, Charge, Moment, Rooms, Settled};
use crate::model::Payment;

/// Seconds after which the page is looked at again while the services work on something, and while it is somebody else's
/// turn.
const SOON: u32 = 5;
const LATER: u32 = 30;

/// How it stands, to be seen at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Waiting,
    Bad,
    /// It is over, as somebody wanted it or as time had it.
    Ended,
}

/// What the page says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) tone: Tone,
    pub(super) text: Vec<String>,
    /// Whether the provider's page takes money.
    pub(super) payable: bool,
    /// When to look again, in seconds; none when nothing is in motion.
    pub(super) again: Option<u32>,
}

impl Words {
    fn new<const N: usize>(title: &'static str, tone: Tone, text: [&str; N]) -> Self {
        let text = text.into_iter().map(str::to_owned).collect();
        Self { title, tone, text, payable: false, again: None }
    }

    fn and(mut self, text: impl Into<Option<String>>) -> Self {
        self.text.extend(text.into());
        self
    }

    fn again(self, seconds: u32) -> Self {
        Self { again: Some(seconds), ..self }
    }
}

/// The words for a moment.
pub(super) fn of(moment: &Moment, payment: &Payment, now: Timestamp) -> Words {
    let amount = payment.amount;
    match moment {
        Moment::Payable { until, declined, held } => {
            let words = payable(declined.is_some(), &time(*until, now)).and(held_until(*held, now));
            Words { payable: true, ..words }.again(SOON)
        }
        Moment::Opening { held } => {
            let text =
                ["The payment page is being opened. If this does not pass, begin the payment again where you booked."];
            Words::new("The payment is being prepared", Tone::Waiting, text).and(held_until(*held, now)).again(SOON)
        }
        Moment::Asking(rooms) => asking(*rooms, now).again(SOON),
        Moment::InReview(rooms) => in_review(*rooms, now).again(LATER),
        Moment::Unpaid(rooms) => without_money("Not paid", "Nobody paid in time. Nothing was charged.", *rooms, now),
        Moment::Declined(rooms) => without_money(
            "The payment was declined",
            "The payment was declined for good. Nothing was charged.",
            *rooms,
            now,
        ),
        Moment::Arrived(back) => {
            let text = format!("Your payment of {amount} has arrived. The booking is being confirmed.");
            Words::new("Your payment has arrived", Tone::Waiting, []).and(text).and(back.map(going_back)).again(SOON)
        }
        Moment::Confirmed(back) => {
            let text = format!("Your payment of {amount} has arrived, and the rooms are yours.");
            let words = Words::new("Paid and confirmed", Tone::Good, []).and(text).and(back.map(going_back));
            Words { again: back.map(|_| LATER), ..words }
        }
        Moment::Late => {
            let text = "It came after the hold on the rooms had ended. If the rooms are still free, they are booked for you \
                        now; if not, all of the money goes back to you.";
            Words::new("Your payment has arrived", Tone::Waiting, [text]).again(SOON)
        }
        Moment::TooLate(back) => {
            let text = ["Your payment came after the booking had ended. The rooms are not booked."];
            let words = Words::new("Your payment came too late", Tone::Bad, text);
            let all = format!("All of it, {amount}, goes back to you.");
            settled(words.and(back.map_or(all, going_back)), *back)
        }
        Moment::Cancelled(given) => {
            let text = "The booking was cancelled, and the rooms are free again.";
            ended(Words::new("Cancelled", Tone::Ended, [text]), *given, payment)
        }
        Moment::NoShow(given) => {
            let text = "The hotel has told us that nobody came, and has ended the booking. Please ask the hotel if that is not so.";
            ended(Words::new("Nobody came", Tone::Ended, [text]), *given, payment)
        }
        Moment::BookingUnknown(charge) => unknown(*charge, payment),
        Moment::Unclear => {
            let text = [
                "What we know of the booking and what we know of the payment do not fit together at this moment. \
                         We do not want to tell you something false.",
                "Please do not pay again.",
            ];
            Words::new("We are sorting this out", Tone::Waiting, text).again(LATER)
        }
    }
}

fn payable(declined: bool, until: &str) -> Words {
    let waiting =
        "No payment has reached us yet. If you have just paid, wait a moment: this page looks again by itself.";
    if declined {
        let text = ["Nothing was charged with it."];
        return Words::new("Your card was declined", Tone::Bad, text)
            .and(format!("You may try again, or take another card, until {until}."))
            .and(waiting.to_owned());
    }
    Words::new("Waiting for your payment", Tone::Waiting, [waiting]).and(format!("You can pay until {until}."))
}

fn asking(rooms: Rooms, now: Timestamp) -> Words {
    let asks = "The payment page has closed. We are asking the payment provider whether you paid. If you did, you need not \
                pay again.";
    match rooms {
        Rooms::Held(held) => {
            Words::new("The payment page has closed", Tone::Waiting, [asks]).and(held_until(held, now))
        }
        Rooms::Cancelled => {
            let text = "The rooms are free again. The payment page is being closed; should you have paid, all of the money \
                        goes back to you.";
            Words::new("Cancelled", Tone::Ended, [text])
        }
        Rooms::HoldOver | Rooms::Refused => Words::new("The hold has ended", Tone::Waiting, [asks, FREE, LATE]),
    }
}

fn in_review(rooms: Rooms, now: Timestamp) -> Words {
    let checks = "The payment provider is checking your payment. That may take minutes, hours or days. You need do nothing, \
                  and must not pay again.";
    let title = "Your payment is being checked";
    match rooms {
        Rooms::Held(held) => Words::new(title, Tone::Waiting, [checks]).and(held_until(held, now)).and(LATE.to_owned()),
        Rooms::Cancelled => {
            let text = "You have cancelled, and the rooms are free again. If the payment is approved, all of the money goes \
                        back to you.";
            Words::new("Cancelled", Tone::Ended, [text, checks])
        }
        Rooms::HoldOver | Rooms::Refused => Words::new(title, Tone::Waiting, [checks, FREE, LATE]),
    }
}

const FREE: &str = "The hold has ended, and the rooms are free for others again.";
const LATE: &str = "If money arrives after the hold has ended, we book the rooms again if they are still free; if not, all \
                    of the money goes back to you.";

/// The end of a payment that never came to money.
fn without_money(title: &'static str, text: &str, rooms: Rooms, now: Timestamp) -> Words {
    match rooms {
        Rooms::Held(held) => {
            Words::new(title, Tone::Bad, [text, "The booking is being closed."]).and(held_until(held, now)).again(SOON)
        }
        Rooms::Refused => Words::new(title, Tone::Bad, [text, "The rooms are free again. You can book once more."]),
        Rooms::HoldOver => {
            let free = "The hold on the rooms has ended, and they are free again. You can book once more.";
            Words::new("The hold has ended", Tone::Ended, [text, free])
        }
        Rooms::Cancelled => Words::new("Cancelled", Tone::Ended, ["The booking was cancelled. Nothing was charged."]),
    }
}

fn ended(words: Words, given: Settled, payment: &Payment) -> Words {
    let amount = payment.amount;
    match given {
        Settled::NotYet => {
            let text = format!("You had paid {amount}. What comes back to you is being worked out.");
            words.and(text).again(SOON)
        }
        Settled::Nothing => {
            words.and(format!("You had paid {amount}. By the cancellation policy nothing of it comes back."))
        }
        Settled::Back(back) => settled(words.and(format!("You had paid {amount}.")).and(going_back(back)), Some(back)),
    }
}

fn unknown(charge: Charge, payment: &Payment) -> Words {
    let amount = payment.amount;
    let known = match charge {
        Charge::None => "No payment has reached us yet.".to_owned(),
        Charge::InReview => "The payment provider is checking your payment.".to_owned(),
        Charge::Ended => "The payment ended, and nothing was charged.".to_owned(),
        Charge::Paid(back) => {
            let paid = format!("Your payment of {amount} has arrived.");
            back.map_or(paid.clone(), |back| format!("{paid} {}", going_back(back)))
        }
    };
    let text = "Whether the rooms are held or booked for you cannot be told right now. Please do not pay again before this \
                page says more.";
    Words::new("Your booking cannot be looked up right now", Tone::Waiting, [text]).and(known).again(SOON)
}

/// What goes back is in motion until all of it went.
fn settled(words: Words, back: Option<Back>) -> Words {
    let done = back.is_some_and(|back| back.underway.minor() == 0);
    if done { words } else { words.again(SOON) }
}

fn going_back(back: Back) -> String {
    let Back { sent, underway } = back;
    match (sent.minor() > 0, underway.minor() > 0) {
        (true, true) => format!("{sent} has been sent back to you, and {underway} is on its way."),
        (false, true) => format!("{underway} is on its way back to you."),
        _ => format!("{sent} has been sent back to you. Your bank may take some days to show it."),
    }
}

fn held_until(held: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let held = held?;
    Some(if held <= now {
        "The hold on the rooms is ending.".to_owned()
    } else {
        format!("The rooms are held for you until {}. Then they are free for others.", time(held, now))
    })
}

/// `12:45 UTC, in 14 minutes`, with the date when it is another day.
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
mod tests {
    use super::{
        super::moment::{
            moment,
            tests::{B, BOOKINGS, NOW, P, PAYMENTS, booked, payment},
        },
        *,
    };

    fn said(state: P, booking: B) -> (Words, String) {
        let payment = payment(state);
        let words = of(&moment(&payment, booked(booking).as_ref(), NOW), &payment, NOW);
        let text = format!("{} {}", words.title, words.text.join(" ")).to_lowercase();
        (words, text)
    }

    /// Every combination, and whether the payment has money in it.
    fn all() -> impl Iterator<Item = (P, B, bool)> {
        let money = |state| matches!(state, P::Paid | P::PaidSettled | P::Refunding | P::Refunded);
        PAYMENTS.into_iter().flat_map(move |state| BOOKINGS.map(|booking| (state, booking, money(state))))
    }

    #[test]
    fn nothing_false_is_said_of_money() {
        for (state, booking, money) in all() {
            let (_, text) = said(state, booking);
            let ended = matches!(state, P::Failed | P::Expired);
            let case = format!("{state:?} {booking:?}: {text}");
            if text.contains("nothing was charged.") {
                assert!(ended && !money, "{case}");
            }
            if text.contains("has arrived") || text.contains("you had paid") {
                assert!(money, "{case}");
            }
            if text.contains("sent back to you") {
                assert_eq!(state, P::Refunded, "{case}");
            }
            if text.contains("on its way back") {
                assert_eq!(state, P::Refunding, "{case}");
            }
            if text.contains("nothing of it comes back") {
                assert!(state == P::PaidSettled && matches!(booking, B::Cancelled | B::NoShow), "{case}");
            }
            if text.contains("nobody came") {
                assert!(money && booking == B::NoShow, "{case}");
            }
        }
    }

    #[test]
    fn nothing_false_is_said_of_the_rooms() {
        for (state, booking, _) in all() {
            let (words, text) = said(state, booking);
            let case = format!("{state:?} {booking:?}: {text}");
            if text.contains("rooms are yours") || words.title == "Paid and confirmed" {
                assert_eq!(booking, B::Paid, "{case}");
            }
            if text.contains("held for you until") {
                assert_eq!(booking, B::Held, "{case}");
            }
            if text.contains("are free again") || text.contains("free for others again") {
                assert!(!matches!(booking, B::Held | B::Paid | B::Unknown), "{case}");
            }
            if words.title == "Cancelled" {
                assert!(matches!(booking, B::Cancelled | B::RefundedCancelled), "{case}");
            }
            assert_eq!(booking == B::Unknown, words.title == "Your booking cannot be looked up right now", "{case}");
        }
    }

    #[test]
    fn only_an_open_page_is_linked_to_and_nobody_pays_twice() {
        for (state, booking, money) in all() {
            let (words, text) = said(state, booking);
            let case = format!("{state:?} {booking:?}: {text}");
            let open = matches!(state, P::Open | P::Declined) && booking == B::Held;
            assert_eq!(words.payable, open, "{case}");
            assert_eq!(text.contains("try again"), open && state == P::Declined, "{case}");
            assert!(!text.contains("book once more") || !money, "{case}");
            if state == P::InReview && !matches!(booking, B::Paid | B::Rejected | B::Unknown) {
                assert!(text.contains("checking your payment") || text.contains("do not fit"), "{case}");
            }
        }
    }

    #[test]
    fn a_page_is_looked_at_again_until_nothing_is_in_motion() {
        let still = [
            (P::Paid, B::Paid),
            (P::PaidSettled, B::Paid),
            (P::Failed, B::Rejected),
            (P::Expired, B::Rejected),
            (P::Refunded, B::Rejected),
            (P::Failed, B::HoldOver),
            (P::Expired, B::HoldOver),
            (P::Refunded, B::HoldOver),
            (P::Failed, B::Cancelled),
            (P::Expired, B::Cancelled),
            (P::PaidSettled, B::Cancelled),
            (P::Refunded, B::Cancelled),
            (P::PaidSettled, B::NoShow),
            (P::Refunded, B::NoShow),
            (P::Refunded, B::RefundedCancelled),
            (P::Refunded, B::RefundedHoldOver),
        ];
        for (state, booking, _) in all() {
            let (words, text) = said(state, booking);
            assert_eq!(words.again.is_none(), still.contains(&(state, booking)), "{state:?} {booking:?}: {text}");
        }
    }

    #[test]
    fn times_say_how_long_it_is_still() {
        let at = |seconds| time(NOW + SignedDuration::from_secs(seconds), NOW);
        assert_eq!(at(-5), "31 December 1969, 23:59 UTC, in less than a minute");
        assert_eq!(at(59), "00:00 UTC, in less than a minute");
        assert_eq!(at(119), "00:01 UTC, in one minute");
        assert_eq!(at(899), "00:14 UTC, in 14 minutes");
        assert_eq!(at(7_200), "02:00 UTC");
        assert_eq!(at(100_000), "2 January 1970, 03:46 UTC");
    }
}
