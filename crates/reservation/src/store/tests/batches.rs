//! Batches in one transaction: all or none, and each individually.

use super::*;

#[tokio::test]
async fn book_each_decides_in_order_and_each_individually() {
    let world = World::with_rooms(10).await;
    let made = world.book(&world.order(0, 2, 1)).await.map(|_| ()).map(|()| world.order(0, 2, 10)).expect("booked");
    let early = world.order(0, 2, 1);
    world.book(&early).await.expect("booked");
    let other_content = NewReservation { content_hash: [9; 32], ..early.clone() };
    let other_nights = NewReservation { id: made.id, content_hash: [9; 32], ..world.order(5, 6, 1) };
    let orders = [
        made.clone(),          // ten more than the nine that are left
        other_nights,          // the id is still free
        early.clone(),         // made before
        other_content,         // made before with other content
        world.order(0, 2, 9),  // the last nine
        world.order(0, 2, 1),  // nothing is left
        world.order(9, 11, 1), // a night that was never on sale
        world.order(5, 6, 1),  // another night
        early,                 // and again
    ];
    let outcomes = book_each(&world.store, &orders).await.expect("decided");
    let results: Vec<&str> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Created::New(_)) => "new",
            Ok(Created::Repeat(_)) => "repeat",
            Err(ReservationError::SoldOut { .. }) => "sold out",
            Err(ReservationError::NotOnSale) => "not on sale",
            Err(ReservationError::IdReused) => "reused",
            Err(_) => "failed",
        })
        .collect();
    assert_eq!(results, ["sold out", "new", "repeat", "reused", "new", "sold out", "not on sale", "new", "repeat"]);
    assert_eq!(world.reserved().await, [11, 11, 0, 0, 0, 2, 0, 0, 0, 0]);
}

#[tokio::test]
async fn book_all_creates_all_bookings_or_none() {
    let world = World::with_rooms(10).await;
    let orders = [world.order(0, 2, 5), world.order(1, 3, 6)];
    let all = book_all(&world.store, &orders).await.expect("decided").expect("rooms for both");
    assert!(all.iter().all(|outcome| matches!(outcome, Ok(Created::New(_)))));
    assert_eq!(world.reserved().await[..4], [5, 11, 6, 0]);
    for refused in [
        [world.order(5, 6, 1), world.order(1, 2, 1)],  // a night is full
        [world.order(5, 6, 1), world.order(9, 11, 1)], // a night was never on sale
        [world.order(5, 6, 1), orders[0].clone()],     // made before
    ] {
        assert!(book_all(&world.store, &refused).await.expect("decided").is_none());
    }
    let twice = world.order(5, 6, 1);
    assert!(book_all(&world.store, &[twice.clone(), twice]).await.expect("decided").is_none());
    assert_eq!(world.reserved().await[..6], [5, 11, 6, 0, 0, 0]);
    assert_eq!(world.count("select count(*) from reservation").await, 2);
}

#[tokio::test]
async fn apply_all_decides_in_order_and_each_individually() {
    let world = World::with_rooms(1).await;
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let mut late = Vec::new();
    for _ in 0..2 {
        let booking = world.book(&world.order(0, 2, 1)).await.expect("booked");
        world.apply(booking.id, Command::Expire, later).await.expect("expires");
        late.push(booking.id);
    }
    let held = world.book(&world.order(1, 2, 1)).await.expect("booked");
    let paid = world.book(&world.order(4, 6, 1)).await.expect("booked");
    let pay = || Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    let wrong = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: Money::zero(total().currency()) };
    let unknown = world.order(0, 1, 1).id;
    let order =
        |(id, command)| ChangeOrder { id, command, now: later, trace_parent: None, origin: None, day_ends: None };
    let orders: Vec<_> = [
        (late[0], pay()),           // another reservation holds a night
        (held.id, Command::Cancel), // frees it
        (late[1], pay()),           // takes it
        (unknown, Command::Cancel), // there is none
        (paid.id, wrong),           // not what it costs
    ]
    .map(order)
    .into();
    let outcomes = apply_all(&world.store, &orders).await.expect("decided");
    let results: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(applied) => (applied.reservation.status.as_str(), applied.refund_required),
            Err(ReservationError::NotFound) => ("not found", false),
            Err(ReservationError::AmountMismatch) => ("mismatch", false),
            Err(_) => ("failed", false),
        })
        .collect();
    let expected =
        [("cancelled", true), ("cancelled", false), ("paid", false), ("not found", false), ("mismatch", false)];
    assert_eq!(results, expected);
    assert_eq!(world.reserved().await[..6], [1, 1, 0, 0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn same_ids_in_opposite_orders_do_not_deadlock() {
    let world = World::with_rooms(1_000).await;
    for _ in 0..20 {
        let orders: Vec<_> = (0..20).map(|_| world.order(0, 1, 1)).collect();
        // Other nights, so that the locks on nights do not keep the two apart.
        let other =
            |order: &NewReservation| NewReservation { id: order.id, content_hash: [9; 32], ..world.order(5, 6, 1) };
        let others: Vec<_> = orders.iter().rev().map(other).collect();
        let (first, second) = tokio::join!(book_each(&world.store, &orders), book_each(&world.store, &others));
        let outcomes: Vec<_> = first.expect("decided").into_iter().chain(second.expect("decided")).collect();
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Created::New(_)))).count(), 20);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(ReservationError::IdReused))));
    }
}
