//! Unpaid holds: who waits for which, and their end.

use std::collections::BTreeSet;

use super::*;
use crate::expiry::release_expired;

/// How many have ended with one batch.
async fn end_holds(store: &Store, now: Timestamp) -> usize {
    let done = release_expired(&store, now, HoldCursor::START, 100, &BTreeSet::new()).await.expect("ends");
    assert!(done.stuck.is_empty(), "{done:?}");
    done.expired
}

#[tokio::test]
async fn sold_out_tells_when_the_earliest_unpaid_hold_on_the_night_ends() {
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
    let told = async || match world.book(&world.order(3, 6, 1)).await {
        Err(ReservationError::SoldOut { stay_date, hold_expire_time }) => (stay_date, hold_expire_time),
        other => panic!("{other:?}"),
    };
    let night = world.nights(4, 5).check_in();
    let in_micros = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    let (stay_date, end) = told().await;
    assert_eq!((stay_date, in_micros(end)), (Some(night), in_micros(early.hold_expire_time)));
    let pay = |id| {
        world.apply(id, Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() }, Timestamp::now())
    };
    pay(early.id).await.expect("paid");
    assert_eq!(in_micros(told().await.1), in_micros(late.hold_expire_time));
    pay(late.id).await.expect("paid");
    assert_eq!(told().await, (Some(night), None), "nobody has yet to pay: nobody is waited for in vain");
}

#[tokio::test]
async fn sold_out_does_not_read_all_the_holds_of_other_nights() {
    let world = World::with_rooms(2_000).await;
    world.set_inventory(4, 5, 1, 0).await.expect("inventory");
    world.book(&world.order(4, 5, 1)).await.expect("booked");
    let told = async || match world.book(&world.order(4, 5, 1)).await {
        Err(ReservationError::SoldOut { hold_expire_time, .. }) => hold_expire_time.is_some(),
        other => panic!("{other:?}"),
    };
    assert!(told().await);
    let sooner = |mut order: NewReservation| {
        order.hold_expire_time = Some(Timestamp::now() + SignedDuration::from_mins(5));
        order
    };
    let others: Vec<_> = (0..1_000).map(|_| sooner(world.order(0, 1, 1))).collect();
    assert!(book_each(&world.store, &others).await.expect("decided").iter().all(Result::is_ok));
    assert!(!told().await, "a thousand holds end sooner, and none of them frees this night");
}

#[tokio::test]
async fn many_holds_that_end_together_end_once_with_any_number_of_replicas() {
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
    // A replica that finds the last ones locked by others goes home early; whoever locked them ends them.
    assert_eq!(ended, 599);
    assert_eq!(world.reserved().await[..4], [1, 1, 1, 0]);
    assert_eq!(world.count("select count(*) from outbox").await, 599);
    assert_eq!(world.count("select count(*) from reservation_transition where status = 'cancelled'").await, 599);
    assert_eq!(end_holds(&world.store, later).await, 0, "none is left");
}
