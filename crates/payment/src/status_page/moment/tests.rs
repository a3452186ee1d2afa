use jiff::{SignedDuration, civil::date};
use rstest::rstest;
use staymesh_domain::PaymentId;
use staymesh_ledger::Split;

use super::*;
use crate::testing::{booking, eur, reservation_id};

/// How a payment may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_page) enum P {
    NoPage,
    Open,
    Declined,
    Closed,
    InReview,
    Paid,
    /// Paid, and the reservation service has said that the booking ended.
    PaidSettled,
    Failed,
    Expired,
    Refunding,
    Refunded,
}

/// How a booking may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status_page) enum B {
    Unknown,
    Held,
    Paid,
    Rejected,
    Cancelled,
    HoldOver,
    NoShow,
    RefundedCancelled,
    RefundedHoldOver,
}

pub(in crate::status_page) const PAYMENTS: [P; 11] = [
    P::NoPage,
    P::Open,
    P::Declined,
    P::Closed,
    P::InReview,
    P::Paid,
    P::PaidSettled,
    P::Failed,
    P::Expired,
    P::Refunding,
    P::Refunded,
];

pub(in crate::status_page) const BOOKINGS: [B; 9] = [
    B::Unknown,
    B::Held,
    B::Paid,
    B::Rejected,
    B::Cancelled,
    B::HoldOver,
    B::NoShow,
    B::RefundedCancelled,
    B::RefundedHoldOver,
];

pub(in crate::status_page) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(in crate::status_page) fn page_end() -> Timestamp {
    NOW + SignedDuration::from_mins(14)
}

pub(in crate::status_page) fn hold_end() -> Timestamp {
    NOW + SignedDuration::from_mins(15)
}

/// A payment of 100.00; one that is being or has been refunded has 40.00 of it asked for.
pub(in crate::status_page) fn payment(state: P) -> Payment {
    let status = match state {
        P::NoPage | P::Open | P::Declined | P::Closed | P::InReview => Status::Pending,
        P::Paid | P::PaidSettled => Status::Paid,
        P::Failed => Status::Failed,
        P::Expired => Status::Expired,
        P::Refunding => Status::Refunding,
        P::Refunded => Status::Refunded,
    };
    let requested = if matches!(state, P::Refunding | P::Refunded) { 4_000 } else { 0 };
    let payment_id = PaymentId::new();
    Payment {
        payment_id,
        reservation_id: reservation_id(),
        owner: "guest-1".into(),
        amount: eur(10_000),
        split: Split::new(eur(10_000), eur(700), eur(1_395)).expect("a split"),
        status,
        return_url: "https://hotel.example/".into(),
        psp_session: (state != P::NoPage).then(|| "cs_1".into()),
        checkout_url: (state != P::NoPage).then(|| format!("https://psp.example/{payment_id}")),
        expire_time: if state == P::Closed { NOW } else { page_end() },
        refund_requested: eur(requested),
        refunded: eur(if state == P::Refunded { requested } else { 0 }),
        // Kept when it is over.
        in_review_since: (state == P::InReview || status != Status::Pending).then_some(NOW),
        declined_at: (!matches!(state, P::NoPage | P::Open)).then_some(NOW),
        reservation_ended: state == P::PaidSettled,
        created_at: NOW,
        status_changed_at: NOW,
    }
}

pub(in crate::status_page) fn booked(state: B) -> Option<Booking> {
    use ReservationStatus as R;
    let status = match state {
        B::Unknown => return None,
        B::Held => R::PendingPayment,
        B::Paid => R::Paid,
        B::Rejected => R::Rejected,
        B::Cancelled | B::HoldOver | B::NoShow => R::Cancelled,
        B::RefundedCancelled | B::RefundedHoldOver => R::Refunded,
    };
    let cancellation = match state {
        B::HoldOver | B::RefundedHoldOver => CancellationReason::HoldExpired,
        B::Cancelled | B::RefundedCancelled => CancellationReason::Requested,
        B::NoShow => CancellationReason::NoShow,
        _ => CancellationReason::Unspecified,
    };
    Some(Booking {
        status,
        cancellation,
        hold_expire_time: (state == B::Held).then(hold_end),
        check_in: date(2030, 5, 1),
        ..booking()
    })
}

fn at(state: P, booking: B) -> Moment {
    moment(&payment(state), booked(booking).as_ref(), NOW)
}

fn underway() -> Back {
    Back { sent: eur(0), underway: eur(4_000) }
}

fn sent() -> Back {
    Back { sent: eur(4_000), underway: eur(0) }
}

fn held() -> Rooms {
    Rooms::Held(Some(hold_end()))
}

#[test]
fn while_the_rooms_are_held() {
    let expected = [
        (P::NoPage, Moment::Opening { held: Some(hold_end()) }),
        (P::Open, Moment::Payable { until: page_end(), declined: None, held: Some(hold_end()) }),
        (P::Declined, Moment::Payable { until: page_end(), declined: Some(NOW), held: Some(hold_end()) }),
        (P::Closed, Moment::Asking(held())),
        (P::InReview, Moment::InReview(held())),
        (P::Paid, Moment::Arrived(None)),
        (P::PaidSettled, Moment::Arrived(None)),
        (P::Failed, Moment::Declined(held())),
        (P::Expired, Moment::Unpaid(held())),
        (P::Refunding, Moment::Arrived(Some(underway()))),
        (P::Refunded, Moment::Arrived(Some(sent()))),
    ];
    for (payment, expected) in expected {
        assert_eq!(at(payment, B::Held), expected, "{payment:?}");
    }
}

#[test]
fn once_it_is_confirmed() {
    for payment in PAYMENTS {
        let expected = match payment {
            P::Paid | P::PaidSettled => Moment::Confirmed(None),
            P::Refunding => Moment::Confirmed(Some(underway())),
            P::Refunded => Moment::Confirmed(Some(sent())),
            _ => Moment::Unclear,
        };
        assert_eq!(at(payment, B::Paid), expected, "{payment:?}");
    }
}

#[test]
fn when_the_payment_was_refused() {
    for payment in PAYMENTS {
        let expected = match payment {
            P::Failed => Moment::Declined(Rooms::Refused),
            P::Expired => Moment::Unpaid(Rooms::Refused),
            P::Paid | P::PaidSettled => Moment::TooLate(None),
            P::Refunding => Moment::TooLate(Some(underway())),
            P::Refunded => Moment::TooLate(Some(sent())),
            _ => Moment::Unclear,
        };
        assert_eq!(at(payment, B::Rejected), expected, "{payment:?}");
    }
}

#[test]
fn when_the_hold_has_ended() {
    for payment in PAYMENTS {
        let expected = match payment {
            P::NoPage | P::Open | P::Declined | P::Closed => Moment::Asking(Rooms::HoldOver),
            P::InReview => Moment::InReview(Rooms::HoldOver),
            P::Failed => Moment::Declined(Rooms::HoldOver),
            P::Expired => Moment::Unpaid(Rooms::HoldOver),
            P::Paid | P::PaidSettled => Moment::Late,
            P::Refunding => Moment::TooLate(Some(underway())),
            P::Refunded => Moment::TooLate(Some(sent())),
        };
        assert_eq!(at(payment, B::HoldOver), expected, "{payment:?}");
    }
}

#[test]
fn when_somebody_has_cancelled() {
    for payment in PAYMENTS {
        let expected = match payment {
            P::NoPage | P::Open | P::Declined | P::Closed => Moment::Asking(Rooms::Cancelled),
            P::InReview => Moment::InReview(Rooms::Cancelled),
            P::Failed => Moment::Declined(Rooms::Cancelled),
            P::Expired => Moment::Unpaid(Rooms::Cancelled),
            P::Paid => Moment::Cancelled(Settled::NotYet),
            P::PaidSettled => Moment::Cancelled(Settled::Nothing),
            P::Refunding => Moment::Cancelled(Settled::Back(underway())),
            P::Refunded => Moment::Cancelled(Settled::Back(sent())),
        };
        assert_eq!(at(payment, B::Cancelled), expected, "{payment:?}");
    }
}

#[test]
fn when_nobody_came() {
    for payment in PAYMENTS {
        let expected = match payment {
            P::Paid => Moment::NoShow(Settled::NotYet),
            P::PaidSettled => Moment::NoShow(Settled::Nothing),
            P::Refunding => Moment::NoShow(Settled::Back(underway())),
            P::Refunded => Moment::NoShow(Settled::Back(sent())),
            // Only what is paid becomes a no-show.
            _ => Moment::Unclear,
        };
        assert_eq!(at(payment, B::NoShow), expected, "{payment:?}");
    }
}

#[rstest]
#[case(B::RefundedCancelled, |back| Moment::Cancelled(Settled::Back(back)))]
#[case(B::RefundedHoldOver, |back| Moment::TooLate(Some(back)))]
fn when_the_money_is_back(#[case] booking: B, #[case] expected: fn(Back) -> Moment) {
    for payment in PAYMENTS {
        let expected = match payment {
            P::Refunding => Some(expected(underway())),
            P::Refunded => Some(expected(sent())),
            _ => None,
        };
        assert_eq!(at(payment, booking), expected.unwrap_or(Moment::Unclear), "{payment:?}");
    }
}

#[test]
fn when_nobody_can_tell_of_the_booking() {
    for payment in PAYMENTS {
        let expected = match payment {
            P::NoPage | P::Open | P::Declined | P::Closed => Charge::None,
            P::InReview => Charge::InReview,
            P::Failed | P::Expired => Charge::Ended,
            P::Paid | P::PaidSettled => Charge::Paid(None),
            P::Refunding => Charge::Paid(Some(underway())),
            P::Refunded => Charge::Paid(Some(sent())),
        };
        assert_eq!(at(payment, B::Unknown), Moment::BookingUnknown(expected), "{payment:?}");
    }
}
