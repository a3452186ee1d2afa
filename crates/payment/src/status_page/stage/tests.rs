use jiff::{SignedDuration, civil::date};
use rstest::rstest;
use staymesh_domain::PaymentId;
use staymesh_ledger::Split;

use super::*;
use crate::{
    model::PaymentMethod,
    testing::{booking, eur, reservation_id},
};

/// States of a payment that the stage distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_page) enum PaymentCase {
    NoPage,
    Open,
    Declined,
    Closed,
    InReview,
    Paid,
    /// Paid, and `reservation_ended` is set.
    PaidSettled,
    Failed,
    Expired,
    Refunding,
    Refunded,
}

/// States of a reservation that the stage distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_page) enum BookingCase {
    Unknown,
    Held,
    Paid,
    Rejected,
    Cancelled,
    HoldExpired,
    NoShow,
    RefundedCancelled,
    RefundedHoldExpired,
}

pub(in crate::status_page) const PAYMENTS: [PaymentCase; 11] = [
    PaymentCase::NoPage,
    PaymentCase::Open,
    PaymentCase::Declined,
    PaymentCase::Closed,
    PaymentCase::InReview,
    PaymentCase::Paid,
    PaymentCase::PaidSettled,
    PaymentCase::Failed,
    PaymentCase::Expired,
    PaymentCase::Refunding,
    PaymentCase::Refunded,
];

pub(in crate::status_page) const BOOKINGS: [BookingCase; 9] = [
    BookingCase::Unknown,
    BookingCase::Held,
    BookingCase::Paid,
    BookingCase::Rejected,
    BookingCase::Cancelled,
    BookingCase::HoldExpired,
    BookingCase::NoShow,
    BookingCase::RefundedCancelled,
    BookingCase::RefundedHoldExpired,
];

pub(in crate::status_page) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(in crate::status_page) fn page_end() -> Timestamp {
    NOW + SignedDuration::from_mins(14)
}

pub(in crate::status_page) fn hold_end() -> Timestamp {
    NOW + SignedDuration::from_mins(15)
}

/// A payment of 100.00 EUR, with a refund of 40.00 EUR if it is refunding or refunded.
pub(in crate::status_page) fn payment(state: PaymentCase) -> Payment {
    let status = match state {
        PaymentCase::NoPage
        | PaymentCase::Open
        | PaymentCase::Declined
        | PaymentCase::Closed
        | PaymentCase::InReview => Status::Pending,
        PaymentCase::Paid | PaymentCase::PaidSettled => Status::Paid,
        PaymentCase::Failed => Status::Failed,
        PaymentCase::Expired => Status::Expired,
        PaymentCase::Refunding => Status::Refunding,
        PaymentCase::Refunded => Status::Refunded,
    };
    let requested = if matches!(state, PaymentCase::Refunding | PaymentCase::Refunded) { 4_000 } else { 0 };
    let payment_id = PaymentId::new();
    Payment {
        payment_id,
        reservation_id: reservation_id(),
        revision: 1,
        owner: "guest-1".into(),
        amount: eur(10_000),
        split: Split::new(eur(10_000), eur(700), eur(1_395)).expect("a split"),
        method: PaymentMethod::Provider,
        desk_reference: None,
        status,
        return_url: "https://hotel.example/".into(),
        psp_session: (state != PaymentCase::NoPage).then(|| "cs_1".into()),
        checkout_url: (state != PaymentCase::NoPage).then(|| format!("https://psp.example/{payment_id}")),
        expire_time: if state == PaymentCase::Closed { NOW } else { page_end() },
        refund_requested: eur(requested),
        refunded: eur(if state == PaymentCase::Refunded { requested } else { 0 }),
        // Not cleared when the review ends.
        in_review_since: (state == PaymentCase::InReview || status != Status::Pending).then_some(NOW),
        decline_time: (!matches!(state, PaymentCase::NoPage | PaymentCase::Open)).then_some(NOW),
        reservation_ended: state == PaymentCase::PaidSettled,
        refund_due: None,
        create_time: NOW,
        update_time: NOW,
    }
}

pub(in crate::status_page) fn booking_in(state: BookingCase) -> Option<Booking> {
    use ReservationStatus as R;
    let status = match state {
        BookingCase::Unknown => return None,
        BookingCase::Held => R::PendingPayment,
        BookingCase::Paid => R::Paid,
        BookingCase::Rejected => R::Rejected,
        BookingCase::Cancelled | BookingCase::HoldExpired | BookingCase::NoShow => R::Cancelled,
        BookingCase::RefundedCancelled | BookingCase::RefundedHoldExpired => R::Refunded,
    };
    let cancellation = match state {
        BookingCase::HoldExpired | BookingCase::RefundedHoldExpired => Some(CancellationReason::HoldExpired),
        BookingCase::Cancelled | BookingCase::RefundedCancelled => Some(CancellationReason::Requested),
        BookingCase::NoShow => Some(CancellationReason::NoShow),
        _ => None,
    };
    Some(Booking {
        status,
        cancellation,
        hold_expire_time: (state == BookingCase::Held).then(hold_end),
        check_in: date(2030, 5, 1),
        ..booking()
    })
}

fn stage_of(state: PaymentCase, booking: BookingCase) -> Stage {
    stage(&payment(state), booking_in(booking).as_ref(), NOW).expect("a stage")
}

fn pending() -> Refunds {
    Refunds { sent: eur(0), pending: eur(4_000) }
}

fn sent() -> Refunds {
    Refunds { sent: eur(4_000), pending: eur(0) }
}

fn held() -> Rooms {
    Rooms::Held(Some(hold_end()))
}

#[test]
fn stage_while_rooms_are_held() {
    let expected = [
        (PaymentCase::NoPage, Stage::OpeningCheckout { hold_end: Some(hold_end()) }),
        (PaymentCase::Open, Stage::Payable { until: page_end(), declined: None, hold_end: Some(hold_end()) }),
        (PaymentCase::Declined, Stage::Payable { until: page_end(), declined: Some(NOW), hold_end: Some(hold_end()) }),
        (PaymentCase::Closed, Stage::QueryingProvider(held())),
        (PaymentCase::InReview, Stage::InReview(held())),
        (PaymentCase::Paid, Stage::PaymentReceived(None)),
        (PaymentCase::PaidSettled, Stage::PaymentReceived(None)),
        (PaymentCase::Failed, Stage::Declined(held())),
        (PaymentCase::Expired, Stage::Unpaid(held())),
        (PaymentCase::Refunding, Stage::PaymentReceived(Some(pending()))),
        (PaymentCase::Refunded, Stage::PaymentReceived(Some(sent()))),
    ];
    for (payment, expected) in expected {
        assert_eq!(stage_of(payment, BookingCase::Held), expected, "{payment:?}");
    }
}

#[test]
fn stage_of_confirmed_reservation() {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::Paid | PaymentCase::PaidSettled => Stage::Confirmed(None),
            PaymentCase::Refunding => Stage::Confirmed(Some(pending())),
            PaymentCase::Refunded => Stage::Confirmed(Some(sent())),
            _ => Stage::Inconsistent,
        };
        assert_eq!(stage_of(payment, BookingCase::Paid), expected, "{payment:?}");
    }
}

#[test]
fn stage_of_rejected_reservation() {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::Failed => Stage::Declined(Rooms::PaymentRefused),
            PaymentCase::Expired => Stage::Unpaid(Rooms::PaymentRefused),
            PaymentCase::Paid | PaymentCase::PaidSettled => Stage::PaidTooLate(None),
            PaymentCase::Refunding => Stage::PaidTooLate(Some(pending())),
            PaymentCase::Refunded => Stage::PaidTooLate(Some(sent())),
            _ => Stage::Inconsistent,
        };
        assert_eq!(stage_of(payment, BookingCase::Rejected), expected, "{payment:?}");
    }
}

#[test]
fn stage_after_hold_expired() {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::NoPage | PaymentCase::Open | PaymentCase::Declined | PaymentCase::Closed => {
                Stage::QueryingProvider(Rooms::HoldExpired)
            }
            PaymentCase::InReview => Stage::InReview(Rooms::HoldExpired),
            PaymentCase::Failed => Stage::Declined(Rooms::HoldExpired),
            PaymentCase::Expired => Stage::Unpaid(Rooms::HoldExpired),
            PaymentCase::Paid | PaymentCase::PaidSettled => Stage::PaidAfterHold,
            PaymentCase::Refunding => Stage::PaidTooLate(Some(pending())),
            PaymentCase::Refunded => Stage::PaidTooLate(Some(sent())),
        };
        assert_eq!(stage_of(payment, BookingCase::HoldExpired), expected, "{payment:?}");
    }
}

#[test]
fn stage_after_requested_cancellation() {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::NoPage | PaymentCase::Open | PaymentCase::Declined | PaymentCase::Closed => {
                Stage::QueryingProvider(Rooms::Cancelled)
            }
            PaymentCase::InReview => Stage::InReview(Rooms::Cancelled),
            PaymentCase::Failed => Stage::Declined(Rooms::Cancelled),
            PaymentCase::Expired => Stage::Unpaid(Rooms::Cancelled),
            PaymentCase::Paid => Stage::Cancelled(CancellationRefund::Undetermined),
            PaymentCase::PaidSettled => Stage::Cancelled(CancellationRefund::Nothing),
            PaymentCase::Refunding => Stage::Cancelled(CancellationRefund::Refunds(pending())),
            PaymentCase::Refunded => Stage::Cancelled(CancellationRefund::Refunds(sent())),
        };
        assert_eq!(stage_of(payment, BookingCase::Cancelled), expected, "{payment:?}");
    }
}

#[test]
fn stage_after_no_show() {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::Paid => Stage::NoShow(CancellationRefund::Undetermined),
            PaymentCase::PaidSettled => Stage::NoShow(CancellationRefund::Nothing),
            PaymentCase::Refunding => Stage::NoShow(CancellationRefund::Refunds(pending())),
            PaymentCase::Refunded => Stage::NoShow(CancellationRefund::Refunds(sent())),
            // Only a paid reservation can become a no-show.
            _ => Stage::Inconsistent,
        };
        assert_eq!(stage_of(payment, BookingCase::NoShow), expected, "{payment:?}");
    }
}

#[rstest]
#[case(BookingCase::RefundedCancelled, |refunds| Stage::Cancelled(CancellationRefund::Refunds(refunds)))]
#[case(BookingCase::RefundedHoldExpired, |refunds| Stage::PaidTooLate(Some(refunds)))]
fn stage_of_refunded_reservation(#[case] booking: BookingCase, #[case] expected: fn(Refunds) -> Stage) {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::Refunding => Some(expected(pending())),
            PaymentCase::Refunded => Some(expected(sent())),
            _ => None,
        };
        assert_eq!(stage_of(payment, booking), expected.unwrap_or(Stage::Inconsistent), "{payment:?}");
    }
}

#[test]
fn stage_without_reservation_shows_charge_state_only() {
    for payment in PAYMENTS {
        let expected = match payment {
            PaymentCase::NoPage | PaymentCase::Open | PaymentCase::Declined | PaymentCase::Closed => {
                ChargeState::Unpaid
            }
            PaymentCase::InReview => ChargeState::InReview,
            PaymentCase::Failed | PaymentCase::Expired => ChargeState::Ended,
            PaymentCase::Paid | PaymentCase::PaidSettled => ChargeState::Paid(None),
            PaymentCase::Refunding => ChargeState::Paid(Some(pending())),
            PaymentCase::Refunded => ChargeState::Paid(Some(sent())),
        };
        assert_eq!(stage_of(payment, BookingCase::Unknown), Stage::ReservationUnavailable(expected), "{payment:?}");
    }
}
