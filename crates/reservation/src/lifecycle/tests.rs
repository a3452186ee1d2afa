//! Commands in any order, repeated and late: transitions stay legal and rooms are released once.

use jiff::SignedDuration;
use proptest::prelude::*;
use rstest::rstest;
use staymesh_domain::StayDates;

use super::*;
use crate::{
    model::PaymentMode,
    quote::tests::quote,
    testing::{lines, order_of, reservation_of, room_type},
};

const TOTAL: i64 = 10_000;

fn now() -> Timestamp {
    "2029-06-01T12:00:00Z".parse().expect("a time")
}

fn booking(mode: PaymentMode) -> Reservation {
    let held = mode == PaymentMode::GuestPays;
    let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
    Reservation {
        payment_mode: mode,
        status: if held { Status::PendingPayment } else { Status::Paid },
        hold_expire_time: held.then(|| now() + SignedDuration::from_mins(15)),
        paid_time: (!held).then(now),
        ..reservation_of(&order_of(lines(room_type(), stay, 1, &quote(TOTAL)), now()), now())
    }
}

/// A reservation of a partner who collects whose sale is not decided yet.
fn undecided() -> Reservation {
    let hold_expire_time = Some(now() + SignedDuration::from_mins(15));
    Reservation {
        status: Status::PendingPayment,
        hold_expire_time,
        paid_time: None,
        ..booking(PaymentMode::PartnerCollects)
    }
}

fn euros(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().expect("a currency")).expect("an amount")
}

/// What the store does with a decision; `free` says whether the rooms can be retaken.
fn carry_out(booking: &mut Reservation, decision: Decision, free: bool) -> Rooms {
    let change = match decision {
        Decision::Nothing => return Rooms::Keep,
        Decision::RefundPayment { note } => {
            *booking = note.map_or_else(|| booking.clone(), |note| booking.with_note(note));
            return Rooms::Keep;
        }
        Decision::Change(change) if matches!(change.rooms, Rooms::RetakeIfLeft(_)) && !free => return Rooms::Keep,
        Decision::Change(change) if change.rooms == Rooms::Retake && !free => {
            booking.payment_id = change.payment_id;
            return Rooms::Keep;
        }
        Decision::Change(change) => change,
    };
    *booking = change.after(booking, now());
    change.rooms
}

fn commands() -> impl Strategy<Value = Command> {
    // Two payments, so that a second one meets a booking that has one.
    let payment = prop_oneof![Just(1u128), Just(2)].prop_map(|n| PaymentId::from(uuid::Uuid::from_u128(n)));
    prop_oneof![
        Just(Command::Cancel),
        prop_oneof![Just(0), Just(TOTAL), 0..=TOTAL].prop_map(|minor| Command::CancelExpecting(euros(minor))),
        Just(Command::CancelByHotel(ByHotel { reason: "overbooked".into(), relocated_to: None }, None)),
        Just(Command::Collect),
        Just(Command::Release),
        Just(Command::Extend(SignedDuration::from_mins(15))),
        Just(Command::MarkNoShow),
        Just(Command::UndoNoShow(jiff::civil::date(2030, 1, 1))),
        Just(Command::Expire),
        Just(Command::RejectPayment),
        Just(Command::ConfirmSale),
        Just(Command::RefuseSale),
        payment.clone().prop_map(|payment_id| Command::ConfirmPayment { payment_id, amount: euros(TOTAL) }),
        payment.clone().prop_map(|payment_id| Command::RefusePayment { payment_id, amount: euros(TOTAL) }),
        (payment, 1..=TOTAL)
            .prop_map(|(payment_id, minor)| Command::ConfirmRefund { payment_id, amount: euros(minor) }),
    ]
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Times around the expiry of the hold and around the stay.
fn moments() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        2 => (0..40i64).prop_map(|minutes| now() + SignedDuration::from_mins(minutes)),
        1 => (-24..=72i64).prop_map(|hours| at("2030-01-01T12:00:00Z") + SignedDuration::from_hours(hours)),
    ]
}

/// Pays a booking.
fn pay(booking: &mut Reservation) -> PaymentId {
    let payment_id = PaymentId::new();
    let confirm = Command::ConfirmPayment { payment_id, amount: euros(TOTAL) };
    let decision = decide(booking, &confirm, now()).expect("decides");
    carry_out(booking, decision, true);
    payment_id
}

proptest! {
    #[test]
    fn any_commands_make_only_legal_transitions_and_release_rooms_once(
        start in prop::sample::select(vec![
            booking(PaymentMode::GuestPays), booking(PaymentMode::PartnerCollects), undecided(),
        ]),
        steps in prop::collection::vec((commands(), moments(), any::<bool>()), 0..30),
    ) {
        let mut booking = start;
        let mut holds = true;
        for (command, moment, free) in steps {
            let before = booking.clone();
            let Ok(decision) = decide(&booking, &command, moment) else {
                continue;
            };
            match carry_out(&mut booking, decision, free) {
                Rooms::Keep | Rooms::KeepIfLeft => {}
                Rooms::Release => {
                    prop_assert!(holds, "rooms released twice by {:?}", command);
                    holds = false;
                }
                Rooms::Retake | Rooms::RetakeIfLeft(_) => {
                    prop_assert!(!holds, "rooms retaken twice by {:?}", command);
                    holds = true;
                }
            }
            prop_assert_eq!(holds, booking.status.holds_rooms());
            if booking.status != before.status {
                let transition = Transition::between(before.status, booking.status);
                prop_assert!(transition.is_some_and(|transition| transition.is_allowed(&before)), "{:?} -> {:?}", before.status, booking.status);
            }
            // Only a paid reservation becomes a no-show, and it stays one unless that is taken back.
            let (was, is) = (before.cancellation_reason, booking.cancellation_reason);
            let no_show = Some(CancellationReason::NoShow);
            prop_assert!(is != no_show || was == no_show || before.status == Status::Paid);
            prop_assert!(was != no_show || is == no_show || matches!(command, Command::UndoNoShow(_)) && booking.status == Status::Paid);
            let partner = booking.payment_mode == PaymentMode::PartnerCollects;
            prop_assert!(partner || before.payment_mode == PaymentMode::GuestPays, "a partner collects for good");
            // A reservation without a payment is never confirmed.
            prop_assert!(booking.status != Status::Paid || partner || booking.payment_id.is_some());
            // No payment pays for a reservation whose money a partner collects.
            prop_assert!(!partner || booking.payment_id.is_none());
        }
    }

    #[test]
    fn repeated_command_changes_nothing(
        command in commands(), first in commands(), moment in moments(), free in any::<bool>(),
    ) {
        let mut booking = booking(PaymentMode::GuestPays);
        for command in [&first, &command] {
            if let Ok(decision) = decide(&booking, command, moment) {
                carry_out(&mut booking, decision, free);
            }
        }
        let status = booking.status;
        if let Ok(decision) = decide(&booking, &command, moment) {
            // Without rooms it was refused.
            let refused = matches!(&decision, Decision::Change(change) if matches!(change.rooms, Rooms::RetakeIfLeft(_)) && !free);
            prop_assert!(refused || !matches!(decision, Decision::Change(_)), "{:?} {:?}", command, decision);
        }
        prop_assert_eq!(booking.status, status);
    }
}

#[test]
fn partner_sale_is_confirmed_or_refused_once() {
    for (first, status, rooms) in
        [(Command::ConfirmSale, Status::Paid, Rooms::Keep), (Command::RefuseSale, Status::Rejected, Rooms::Release)]
    {
        let mut booking = undecided();
        let decision = decide(&booking, &first, now()).expect("decides");
        let Decision::Change(change) = &decision else { panic!("{decision:?}") };
        assert_eq!((change.status, change.rooms, change.settle), (status, rooms, None));
        carry_out(&mut booking, decision, true);
        assert_eq!(decide(&booking, &first, now()).expect("decides"), Decision::Nothing, "a repeat");
    }
    let sold = booking(PaymentMode::PartnerCollects);
    let refused = decide(&sold, &Command::RefuseSale, now());
    assert!(matches!(refused, Err(ReservationError::IllegalTransition { .. })), "what is confirmed is not taken back");
    for command in [Command::ConfirmSale, Command::RefuseSale] {
        let guests = decide(&booking(PaymentMode::GuestPays), &command, now());
        assert!(matches!(guests, Err(ReservationError::IllegalTransition { .. })));
    }
}

#[test]
fn partner_sale_that_ended_before_its_decision_is_credited_in_full() {
    for end in [Command::Cancel, Command::Expire] {
        let mut booking = undecided();
        let decision = decide(&booking, &end, now() + SignedDuration::from_mins(15)).expect("decides");
        let Decision::Change(change) = &decision else { panic!("{decision:?}") };
        assert_eq!((change.rooms, change.settle), (Rooms::Release, Some(euros(TOTAL))));
        carry_out(&mut booking, decision, true);
        for late in [Command::ConfirmSale, Command::RefuseSale] {
            assert_eq!(decide(&booking, &late, now()).expect("decides"), Decision::Nothing, "its rooms are sold again");
        }
    }
}

#[test]
fn late_payment_retakes_rooms_or_is_refunded() {
    let mut expired = booking(PaymentMode::GuestPays);
    let decision = decide(&expired, &Command::Expire, now() + SignedDuration::from_mins(15)).expect("expires");
    let Decision::Change(change) = &decision else { panic!("{decision:?}") };
    assert_eq!(change.settle.map(Money::minor), Some(0), "a late payment is not refunded by the expiry itself");
    carry_out(&mut expired, decision, true);
    assert_eq!(expired.cancellation_reason, Some(CancellationReason::HoldExpired));

    let payment_id = PaymentId::new();
    let confirm = Command::ConfirmPayment { payment_id, amount: euros(TOTAL) };
    let decision = decide(&expired, &confirm, now()).expect("decides");
    assert!(matches!(&decision, Decision::Change(change) if change.rooms == Rooms::Retake));

    carry_out(&mut expired, decision, false);
    assert_eq!(expired.status, Status::Cancelled);
    let again = decide(&expired, &confirm, now()).expect("decides");
    assert_eq!(again, Decision::RefundPayment { note: None }, "a repeat asks for the refund again");
    let refund = Command::ConfirmRefund { payment_id, amount: euros(TOTAL) };
    let decision = decide(&expired, &refund, now()).expect("decides");
    carry_out(&mut expired, decision, true);
    assert_eq!(expired.status, Status::Refunded);
}

#[test]
fn payment_of_another_amount_or_currency_is_refused() {
    let booking = booking(PaymentMode::GuestPays);
    let confirm = |amount| decide(&booking, &Command::ConfirmPayment { payment_id: PaymentId::new(), amount }, now());
    assert!(matches!(confirm(euros(TOTAL - 1)), Err(ReservationError::AmountMismatch)));
    let yen = Money::from_minor(TOTAL, "JPY".parse().expect("a currency")).expect("an amount");
    assert!(matches!(confirm(yen), Err(ReservationError::AmountMismatch)));
}

#[test]
fn expire_before_hold_expire_time_changes_nothing() {
    let booking = booking(PaymentMode::GuestPays);
    let early = now() + SignedDuration::from_secs(15 * 60 - 1);
    assert_eq!(decide(&booking, &Command::Expire, early).expect("decides"), Decision::Nothing);
}

#[test]
fn payment_after_expiry_and_cancellation_is_refunded() {
    let mut booking = booking(PaymentMode::GuestPays);
    let later = now() + SignedDuration::from_mins(20);
    for command in [Command::Expire, Command::Cancel] {
        let decision = decide(&booking, &command, later).expect("decides");
        carry_out(&mut booking, decision, true);
    }
    assert_eq!(booking.cancellation_reason, Some(CancellationReason::Requested));
    let payment_id = PaymentId::new();
    let confirm = Command::ConfirmPayment { payment_id, amount: euros(TOTAL) };
    let decision = decide(&booking, &confirm, later).expect("decides");
    assert_eq!(decision, Decision::RefundPayment { note: Some(payment_id) });
}

#[test]
fn cancel_of_paid_stay_after_check_in_date_is_refused() {
    let mut booking = booking(PaymentMode::GuestPays);
    pay(&mut booking);
    let cancel = |moment| decide(&booking, &Command::Cancel, at(moment));
    assert!(cancel("2030-01-01T23:59:59.999999Z").is_ok(), "the day of arrival has not ended at the hotel");
    assert!(matches!(cancel("2030-01-02T00:00:00Z"), Err(ReservationError::StayHasBegun)));
}

#[rstest]
#[case(PaymentMode::GuestPays)]
#[case(PaymentMode::PartnerCollects)]
fn no_show_keeps_the_late_cancellation_penalty(#[case] mode: PaymentMode) {
    let mut booking = booking(mode);
    if mode == PaymentMode::GuestPays {
        pay(&mut booking);
    }
    let moment = at("2030-01-01T20:00:00Z");
    let Decision::Change(late) = decide(&booking, &Command::Cancel, moment).expect("decides") else { panic!() };
    let moment = at("2030-01-02T20:00:00Z");
    let decision = decide(&booking, &Command::MarkNoShow, moment).expect("decides");
    let expected = Change { cancellation_reason: Some(CancellationReason::NoShow), ..late };
    assert_eq!(decision, Decision::Change(expected.clone()));
    assert_eq!((expected.settle, expected.rooms), (Some(euros(7_000)), Rooms::Release));

    carry_out(&mut booking, decision, true);
    assert_eq!(booking.status, Status::Cancelled);
    // Later commands of guest or staff change nothing, also after the window.
    for (command, moment) in [
        (Command::MarkNoShow, moment),
        (Command::MarkNoShow, at("2031-01-01T00:00:00Z")),
        (Command::Cancel, moment),
        (Command::Cancel, at("2031-01-01T00:00:00Z")),
    ] {
        assert_eq!(decide(&booking, &command, moment).expect("decides"), Decision::Nothing);
    }
}

#[test]
fn no_show_is_refused_before_and_after_the_window_of_the_terms() {
    let mut booking = booking(PaymentMode::GuestPays);
    pay(&mut booking);
    let (from, until) = (booking.quote.terms.no_show_from, booking.quote.terms.no_show_until);
    let tick = SignedDuration::from_micros(1);
    for (moment, allowed) in [(from - tick, false), (from, true), (until, true), (until + tick, false)] {
        match decide(&booking, &Command::MarkNoShow, moment) {
            Ok(Decision::Change(_)) if allowed => {}
            Err(ReservationError::NoShowOutOfTime { from: f, until: u }) if !allowed => {
                assert_eq!((f, u), (from, until));
            }
            other => panic!("{moment}: {other:?}"),
        }
    }
}

#[rstest]
#[case(&[], Status::PendingPayment, None)]
#[case(&[Command::RejectPayment], Status::Rejected, None)]
#[case(&[Command::Cancel], Status::Cancelled, Some(CancellationReason::Requested))]
#[case(&[Command::Expire], Status::Cancelled, Some(CancellationReason::HoldExpired))]
fn no_show_of_unpaid_or_ended_reservation_is_refused(
    #[case] way: &[Command],
    #[case] status: Status,
    #[case] reason: Option<CancellationReason>,
) {
    let mut booking = booking(PaymentMode::GuestPays);
    for command in way {
        let decision = decide(&booking, command, now() + SignedDuration::from_mins(15)).expect("decides");
        carry_out(&mut booking, decision, true);
    }
    // Also before the window: this can never become a no-show.
    for moment in [now(), at("2030-01-01T20:00:00Z")] {
        let refused = decide(&booking, &Command::MarkNoShow, moment).expect_err("refused");
        let ReservationError::NotEligibleForNoShow { status: refused_status, reason: why } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((refused_status, why), (status, reason));
    }
}

#[test]
fn refunded_no_show_keeps_its_reason() {
    let mut booking = booking(PaymentMode::GuestPays);
    let payment_id = pay(&mut booking);
    let moment = at("2030-01-02T20:00:00Z");
    let refund = Command::ConfirmRefund { payment_id, amount: euros(7_000) };
    for command in [Command::MarkNoShow, refund] {
        let decision = decide(&booking, &command, moment).expect("decides");
        carry_out(&mut booking, decision, true);
    }
    assert_eq!((booking.status, booking.cancellation_reason), (Status::Refunded, Some(CancellationReason::NoShow)));
    for command in [Command::MarkNoShow, Command::Cancel] {
        assert_eq!(decide(&booking, &command, moment).expect("decides"), Decision::Nothing);
    }
}
