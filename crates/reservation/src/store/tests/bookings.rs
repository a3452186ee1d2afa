//! Bookings: concurrent ones never oversell, and repeats are idempotent.

use super::*;

#[tokio::test]
async fn overbooking_of_10_percent_sells_110_of_100_rooms() {
    let world = World::with_rooms(100).await;
    for _ in 0..2 {
        world.book(&world.order(0, 1, 50)).await.expect("rooms");
    }
    world.book(&world.order(0, 1, 9)).await.expect("rooms");
    world.book(&world.order(0, 1, 1)).await.expect("the 110th");
    assert!(matches!(world.book(&world.order(0, 1, 1)).await, Err(ReservationError::SoldOut { .. })));
    assert_eq!(world.reserved().await[..2], [110, 0]);
    // Whatever the application does.
    let raw = sqlx::query("update room_type_inventory set total_reserved = 111 where total_reserved = 110")
        .execute(world.pool())
        .await
        .expect_err("the CHECK refuses");
    let constraint = raw.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("room_type_inventory_not_overbooked"));
}

#[tokio::test]
async fn concurrent_bookings_of_the_last_rooms_never_oversell() {
    let world = Arc::new(World::with_rooms(10).await);
    let racers = (0..60).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.book(&world.order(2, 5, 1)).await.is_ok() })
    });
    let won = join_all(racers).await.into_iter().filter(|won| *won.as_ref().expect("no panic")).count();
    assert_eq!(won, 11);
    assert_eq!(world.reserved().await, [0, 0, 11, 11, 11, 0, 0, 0, 0, 0]);
    assert_eq!(world.count("select count(*) from reservation").await, 11);
}

#[tokio::test]
async fn stay_with_one_night_short_reserves_nothing() {
    let world = World::with_rooms(10).await;
    world.set_inventory(4, 5, 1, 0).await.expect("inventory");
    world.book(&world.order(4, 5, 1)).await.expect("the one room");
    assert!(matches!(world.book(&world.order(2, 7, 1)).await, Err(ReservationError::SoldOut { .. })));
    assert!(matches!(world.book(&world.order(8, 12, 1)).await, Err(ReservationError::NotOnSale)));
    assert_eq!(world.reserved().await, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(world.count("select count(*) from reservation").await, 1);
}

#[tokio::test]
async fn overlapping_stays_do_not_deadlock() {
    let world = Arc::new(World::with_rooms(1000).await);
    let guests = (0..80).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let (from, until) = if n % 2 == 0 { (0, 7) } else { (3, 10) };
            let booking = world.book(&world.order(from, until, 1)).await?;
            world.apply(booking.id, Command::Cancel, Timestamp::now()).await
        })
    });
    for outcome in join_all(guests).await {
        outcome.expect("no panic").expect("no deadlock, no time-out");
    }
    assert_eq!(world.reserved().await, [0; 10]);
}

#[tokio::test]
async fn concurrent_repeats_create_one_reservation() {
    let world = Arc::new(World::with_rooms(10).await);
    let order = world.order(0, 2, 1);
    let repeats = (0..100).map(|_| {
        let (world, order) = (world.clone(), order.clone());
        tokio::spawn(async move { world.book(&order).await })
    });
    for outcome in join_all(repeats).await {
        assert_eq!(outcome.expect("no panic").expect("the same answer").id, order.id);
    }
    assert_eq!(world.reserved().await[..3], [1, 1, 0]);
    let other = NewReservation { content_hash: [8; 32], ..order.clone() };
    assert!(matches!(world.book(&other).await, Err(ReservationError::IdReused)));
    let somebody_else = NewReservation { owner: "you".into(), ..order };
    assert!(matches!(world.book(&somebody_else).await, Err(ReservationError::IdReused)));
}

#[tokio::test]
async fn created_reservation_equals_the_stored_row() {
    let world = World::with_rooms(10).await;
    let order = world.order(0, 2, 1);
    let answered = world.book(&order).await.expect("booked");
    let kept = world.store.get(order.id).await.expect("read").expect("is there");
    assert_eq!(format!("{answered:?}"), format!("{kept:?}"));
    let partner =
        NewReservation { payment_mode: PaymentMode::PartnerCollects, hold_expire_time: None, ..world.order(0, 2, 1) };
    let answered = world.book(&partner).await.expect("booked");
    assert_eq!(answered.status, Status::Paid);
    let kept = world.store.get(partner.id).await.expect("read").expect("is there");
    assert_eq!(format!("{answered:?}"), format!("{kept:?}"));
}
