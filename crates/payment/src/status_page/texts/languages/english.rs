//! The texts in English.

use super::super::message::{COUNT, Message};

/// Weekdays, from Monday.
pub(crate) const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Months, from January.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Every message and its text.
pub(crate) const TEXTS: [(Message, &str); COUNT] = [
    (Message::TitleWaiting, "Waiting for your payment"),
    (Message::TitleCardDeclined, "Your card was declined"),
    (Message::TitlePreparing, "The payment is being prepared"),
    (Message::TitleCheckoutClosed, "The payment page has closed"),
    (Message::TitleCancelled, "Cancelled"),
    (Message::TitleHoldEnded, "The hold has ended"),
    (Message::TitleInReview, "Your payment is being checked"),
    (Message::TitleNotPaid, "Not paid"),
    (Message::TitleDeclined, "The payment was declined"),
    (Message::TitleArrived, "Your payment has arrived"),
    (Message::TitleConfirmed, "Paid and confirmed"),
    (Message::TitleTooLate, "Your payment came too late"),
    (Message::TitleNoShow, "Nobody came"),
    (Message::TitleUnclear, "We are sorting this out"),
    (Message::TitleUnavailable, "Your booking cannot be looked up right now"),
    (Message::NothingChargedWithCard, "Nothing was charged with it."),
    (Message::TryAgainUntil, "You may try again, or use another card, until {time}."),
    (Message::NoPaymentYet, "No payment has reached us yet. If you have just paid, please wait a moment."),
    (Message::PayUntil, "You can pay until {time}."),
    (
        Message::OpeningCheckout,
        "We are opening the payment page. If this takes long, please start the payment again on the site where you booked.",
    ),
    (Message::NotPaid, "No payment reached us in time. Nothing was charged."),
    (Message::Declined, "Your bank or the payment provider declined the payment. Nothing was charged."),
    (Message::ArrivedConfirming, "Your payment of {amount} has arrived. We are confirming your booking."),
    (Message::ArrivedConfirmed, "Your payment of {amount} has arrived, and the rooms are yours."),
    (
        Message::ArrivedAfterHold,
        "It arrived after the hold on the rooms had ended. If the rooms are still free, we book them for you now; if not, you get all of your money back.",
    ),
    (Message::ArrivedTooLate, "Your payment arrived after the booking had ended. The rooms are not booked."),
    (Message::AllComesBack, "You get all of it back: {amount}."),
    (Message::RoomsFree, "The booking was cancelled, and the rooms are free again."),
    (
        Message::NoShow,
        "The hotel has reported that nobody came, and the booking has ended. Please contact the hotel if that is not correct.",
    ),
    (
        Message::Unclear,
        "Our records of your booking and of your payment do not fit together right now. We are checking them, and this page will show the result.",
    ),
    (Message::DoNotPayAgain, "Please do not pay again."),
    (
        Message::CheckoutClosed,
        "The payment page has closed. We are asking the payment provider whether you paid. If you did, you do not need to pay again.",
    ),
    (
        Message::CheckoutClosing,
        "The rooms are free again. We are closing the payment page; if you did pay, you get all of your money back.",
    ),
    (
        Message::InReview,
        "The payment provider is checking your payment. That can take minutes, hours or days. There is nothing you need to do, and you must not pay again.",
    ),
    (
        Message::InReviewCancelled,
        "You have cancelled, and the rooms are free again. If the payment is approved, all of the money goes back to you.",
    ),
    (Message::RoomsReleased, "The hold has ended, and the rooms are free for others again."),
    (
        Message::IfPaidLate,
        "If your payment arrives after the hold has ended, we book the rooms for you if they are still available; if not, all of the money goes back to you.",
    ),
    (Message::BookingClosing, "The booking is being closed."),
    (Message::FreeBookAgain, "The rooms are free again. You can book once more."),
    (Message::HoldEndedBookAgain, "The hold on the rooms has ended, and they are free again. You can book once more."),
    (Message::CancelledNothingCharged, "The booking was cancelled. Nothing was charged."),
    (Message::PaidRefundUndetermined, "You had paid {amount}. We are working out your refund."),
    (
        Message::PaidNothingBack,
        "You had paid {amount}. Under the cancellation policy, nothing of it comes back to you.",
    ),
    (Message::Paid, "You had paid {amount}."),
    (Message::NoPaymentYetKnown, "No payment has reached us yet."),
    (Message::InReviewKnown, "The payment provider is checking your payment."),
    (Message::EndedKnown, "The payment ended, and nothing was charged."),
    (Message::ArrivedKnown, "Your payment of {amount} has arrived."),
    (
        Message::LookUpFails,
        "This is temporary, and your payment is not affected. Please do not pay again before this page shows your booking.",
    ),
    (Message::RefundSentAndPending, "{sent} has been sent back to you, and {pending} is on its way."),
    (Message::RefundPending, "{pending} is on its way back to you."),
    (Message::RefundSent, "{sent} has been sent back to you. Your bank may need a few days to show it."),
    (Message::HoldEnding, "The hold on the rooms is ending."),
    (Message::HeldUntil, "The rooms are held for you until {time}. After that, others can book them."),
    (Message::MinuteLeft, "Less than two minutes left to pay."),
    (Message::MinutesLeft, "{minutes} minutes left to pay."),
    (
        Message::NextConfirmed,
        "To change or cancel the booking, use the site where you booked. For questions about your stay, contact the hotel.",
    ),
    (
        Message::NextUnpaid,
        "If you no longer want the rooms, you need not do anything: they are released when the time is up, and nothing is charged.",
    ),
    (Message::FreeUntil, "Free until the day of arrival begins."),
    (Message::FreeUntilHours, "Free until {hours} hours before the day of arrival begins."),
    (Message::FreeAlways, "Free."),
    (Message::PenaltyAfter, "After that, {percent} % of the price is kept."),
    (Message::YourBooking, "Your booking"),
    (Message::PayNow, "Continue to the payment"),
    (Message::YourStay, "Your stay"),
    (Message::Hotel, "Hotel"),
    (Message::Address, "Address"),
    (Message::Room, "Room"),
    (Message::Arrival, "Arrival"),
    (Message::Departure, "Departure"),
    (Message::Guests, "Guests"),
    (Message::Price, "Price"),
    (Message::Booking, "Booking"),
    (Message::Terms, "Cancellation"),
    (Message::OneRoom, "1 room"),
    (Message::Rooms, "{count} rooms"),
    (Message::AsOf, "As of {time}."),
    (Message::RefreshNow, "Refresh now"),
    (Message::Updating, "Changes appear here by themselves."),
    (Message::Languages, "Languages"),
    (Message::DateFormat, "{weekday}, {date}"),
    (Message::DateShort, "{day} {month} {year}"),
];
