//! Plans without a database: what is written, who gets rooms again, and which events follow.

use jiff::SignedDuration;
use staymesh_domain::PaymentId;

use super::*;
use crate::{
    model::{CancellationReason, PaymentMode, Status},
    testing::{order_of_rooms, reservation_of},
};

fn now() -> Timestamp {
    "2029-06-01T12:00:00Z".parse().expect("a time")
}

/// A reservation of two nights in 2030.
fn held(rooms: i32) -> Reservation {
    reservation_of(&order_of_rooms(rooms, now()), now())
}

fn expired(rooms: i32) -> Reservation {
    Reservation {
        status: Status::Cancelled,
        cancellation_reason: Some(CancellationReason::HoldExpired),
        hold_expire_time: None,
        ..held(rooms)
    }
}

fn order(booking: &Reservation, command: Command) -> ChangeOrder {
    let later = now() + SignedDuration::from_mins(16);
    ChangeOrder {
        id: booking.id,
        command,
        now: later,
        trace_parent: Some("trace".into()),
        origin: None,
        day_ends: None,
    }
}

fn confirm(booking: &Reservation) -> ChangeOrder {
    order(booking, Command::ConfirmPayment { payment_id: PaymentId::new(), amount: booking.quote.total })
}

fn by_id(bookings: &[&Reservation]) -> BTreeMap<Uuid, Reservation> {
    bookings.iter().map(|booking| (booking.id.as_uuid(), (*booking).clone())).collect()
}

/// So many rooms left in every night of the reservation.
fn left(booking: &Reservation, rooms: i32) -> BTreeMap<Night, NightSale> {
    let sale = NightSale { rooms_left: rooms, stop_sell: false };
    booking.nights().into_keys().map(|night| (night, sale)).collect()
}

#[test]
fn late_payment_for_a_closed_night_is_refunded_and_a_cancellation_releases_it() {
    let (late, sold) = (expired(1), held(1));
    let orders = [confirm(&late), order(&sold, Command::Cancel)];
    let mut plan = ChangePlan::new(&orders, &by_id(&[&late, &sold]));
    let mut nights = left(&late, 9);
    for sale in nights.values_mut() {
        sale.stop_sell = true;
    }
    plan.settle_rooms(nights);
    assert_eq!(plan.delta().values().copied().collect::<Vec<_>>(), [-1, -1]);
    assert_eq!(plan.notes().iter().map(|(booking, _)| *booking).collect::<Vec<_>>(), [late.id.as_uuid()]);
}

#[test]
fn late_payments_retake_rooms_in_order_until_none_are_left() {
    let (first, second) = (expired(2), expired(2));
    let orders = [confirm(&first), confirm(&second)];
    let mut plan = ChangePlan::new(&orders, &by_id(&[&first, &second]));
    assert_eq!(plan.nights().len(), 2);
    plan.settle_rooms(left(&first, 3));
    assert_eq!(plan.delta().values().copied().collect::<Vec<_>>(), [2, 2]);
    assert_eq!(plan.changes().len(), 1);
    assert_eq!(plan.notes().iter().map(|(booking, _)| *booking).collect::<Vec<_>>(), [second.id.as_uuid()]);
    let outcomes = plan.outcomes(&mut BTreeMap::new());
    let refunds: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("decided").refund_required).collect();
    assert_eq!(refunds, [false, true]);
}

#[test]
fn rooms_released_earlier_in_the_batch_can_be_retaken() {
    let (cancelled, late) = (held(1), expired(1));
    let orders = [order(&cancelled, Command::Cancel), confirm(&late)];
    let mut plan = ChangePlan::new(&orders, &by_id(&[&cancelled, &late]));
    plan.settle_rooms(left(&late, 0));
    assert_eq!(plan.changes().len(), 2);
    assert_eq!(plan.delta().values().copied().collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn archived_nights_are_released_without_counting() {
    let booking = held(1);
    let orders = [order(&booking, Command::Cancel)];
    let mut plan = ChangePlan::new(&orders, &by_id(&[&booking]));
    plan.settle_rooms(BTreeMap::new());
    assert_eq!((plan.changes().len(), plan.delta().len()), (1, 0));
}

#[test]
fn expiry_enqueues_an_event_without_refund_and_repeats_enqueue_nothing() {
    let (booking, unknown) = (held(1), held(1));
    let orders = [order(&booking, Command::Expire), order(&unknown, Command::Expire)];
    let plan = ChangePlan::new(&orders, &by_id(&[&booking]));
    let events = plan.events().expect("events");
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].payload.refund_amount.as_str(), events[0].trace_parent.as_deref()), ("0.00", Some("trace")));
    let outcomes = plan.outcomes(&mut BTreeMap::new());
    assert!(outcomes[0].as_ref().is_ok_and(|applied| applied.wake));
    assert!(matches!(outcomes[1], Err(ReservationError::NotFound)));

    let repeat = [order(&booking, Command::Expire)];
    let plan =
        ChangePlan::new(&repeat, &by_id(&[&expired(1), &Reservation { status: Status::Cancelled, ..booking.clone() }]));
    assert!(plan.events().expect("events").is_empty());
    assert_eq!(plan.nights().len(), 0);
}

#[test]
fn orders_for_partners_repeat_the_terms_of_the_sale() {
    let booking = Reservation {
        payment_mode: PaymentMode::PartnerCollects,
        status: Status::Paid,
        hold_expire_time: None,
        paid_time: Some(now()),
        ..held(1)
    };
    let orders = [order(&booking, Command::Cancel)];
    let plan = ChangePlan::new(&orders, &by_id(&[&booking]));
    let events = plan.events().expect("events");
    assert!(events[0].payload.partner_sale.is_some());
}
