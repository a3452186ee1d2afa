//! Unpaid holds: what a sold-out refusal says of them, and their expiry.

use std::collections::BTreeSet;

use super::*;
use crate::expiry::release_expired;

/// Holds released by one batch.
async fn end_holds(store: &Store, now: Timestamp) -> usize {
    let done = release_expired(store, now, HoldCursor::START, 100, &BTreeSet::new()).await.expect("ends");
    assert!(done.stuck.is_empty(), "{done:?}");
    done.expired
}

#[tokio::test]
async fn sold_out_names_when_the_earliest_hold_on_the_night_expires() {
    let world = World::with_rooms(10).await;
    world.set_inventory(4, 5, 2, 0).await.expect("inventory");
    let held = |minutes| NewReservation {
        hold_expire_time: Some(Timestamp::now() + SignedDuration::from_mins(minutes)),
        ..world.order(4, 5, 1)
    };
    let (late, early) = (held(20), held(10));
    for order in [&late, &early, &world.order(0, 4, 1), &world.order(5, 9, 1)] {
        world.book(order).await.expect("booked");
    }
    let refusal = async || match world.book(&world.order(3, 6, 1)).await {
        Err(ReservationError::SoldOut { stay_date, hold_expire_time, .. }) => (stay_date, hold_expire_time),
        other => panic!("{other:?}"),
    };
    let night = world.nights(4, 5).check_in();
    let in_micros = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    let (stay_date, end) = refusal().await;
    assert_eq!((stay_date, in_micros(end)), (Some(night), in_micros(early.hold_expire_time)));
    let pay = |id| {
        world.apply(id, Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() }, Timestamp::now())
    };
    pay(early.id).await.expect("paid");
    assert_eq!(in_micros(refusal().await.1), in_micros(late.hold_expire_time));
    pay(late.id).await.expect("paid");
    assert_eq!(refusal().await, (Some(night), None), "without an unpaid hold there is nothing to wait for");
}

#[tokio::test]
async fn sold_out_scans_a_limited_number_of_holds() {
    let world = World::with_rooms(2_000).await;
    world.set_inventory(4, 5, 1, 0).await.expect("inventory");
    world.book(&world.order(4, 5, 1)).await.expect("booked");
    let refusal = async || match world.book(&world.order(4, 5, 1)).await {
        Err(ReservationError::SoldOut { hold_expire_time, .. }) => hold_expire_time.is_some(),
        other => panic!("{other:?}"),
    };
    assert!(refusal().await);
    let sooner = |mut order: NewReservation| {
        order.hold_expire_time = Some(Timestamp::now() + SignedDuration::from_mins(5));
        order
    };
    let others: Vec<_> = (0..1_000).map(|_| sooner(world.order(0, 1, 1))).collect();
    assert!(book_each(&world.store, &others).await.expect("decided").iter().all(Result::is_ok));
    assert!(!refusal().await, "a thousand holds end sooner, and none of them frees this night");
}

#[tokio::test]
async fn concurrent_replicas_release_each_hold_once() {
    let world = Arc::new(World::with_rooms(1000).await);
    let orders: Vec<_> = (0..600).map(|_| world.order(0, 3, 1)).collect();
    for outcome in book_each(&world.store, &orders).await.expect("decided") {
        outcome.expect("booked");
    }
    let paid = &orders[0];
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    world.apply(paid.id, pay, Timestamp::now()).await.expect("paid");
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let replicas = (0..4).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut ended = 0;
            loop {
                match end_holds(&world.store, later).await {
                    0 => return ended,
                    some => ended += some,
                }
            }
        })
    });
    let ended: usize = join_all(replicas).await.into_iter().map(|ended| ended.expect("no panic")).sum();
    // A replica that finds the last holds locked stops early; the replica that locked them releases them.
    assert_eq!(ended, 599);
    assert_eq!(world.reserved().await[..4], [1, 1, 1, 0]);
    assert_eq!(world.count("select count(*) from outbox").await, 599);
    assert_eq!(world.count("select count(*) from reservation_transition where status = 'cancelled'").await, 599);
    assert_eq!(end_holds(&world.store, later).await, 0, "none is left");
}
