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

#[tokio::test]
async fn client_reference_is_unique_for_its_owner_for_good_and_finds_the_reservation() {
    let world = World::with_rooms(2).await;
    let of = |owner: &str| NewReservation {
        owner: owner.into(),
        client_reference: Some("X-17".into()),
        ..world.order(0, 2, 1)
    };
    let first = of("me");
    world.book(&first).await.expect("booked");
    world.apply(first.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world.book(&of("you")).await.expect("another owner's reference");
    world.book(&world.order(0, 2, 1)).await.expect("no reference");
    // Also when rooms are sold out: the first one is the answer.
    for night in [0, 5] {
        let second = NewReservation { client_reference: Some("X-17".into()), ..world.order(night, 6, 1) };
        let refused = world.book(&second).await.expect_err("taken");
        assert!(matches!(refused, ReservationError::ReferenceTaken(id) if id == first.id), "{refused}");
    }
    assert_eq!(world.book(&first).await.expect("a repeat").status, Status::Cancelled);

    let listed = async |owner: &str, reference: &str| {
        let (owner, client_reference) = (Some(owner.to_owned()), Some(reference.to_owned()));
        let filter = ListFilter { owner, client_reference, ..Default::default() };
        let rows = world.store.list(&filter, None, 10).await.expect("listed");
        rows.into_iter().map(|row| (row.id, row.client_reference)).collect::<Vec<_>>()
    };
    assert_eq!(listed("me", "X-17").await, [(first.id, Some("X-17".to_owned()))]);
    assert_eq!(listed("me", "X-1").await, []);
    assert_eq!(listed("they", "X-17").await, []);
}

#[tokio::test]
async fn concurrent_bookings_with_one_client_reference_create_one_reservation() {
    let world = Arc::new(World::with_rooms(100).await);
    let racers = (0..60).map(|n| {
        let order = NewReservation { client_reference: Some("X-17".into()), ..world.order(n % 5, 7, 1) };
        let world = world.clone();
        tokio::spawn(async move {
            // Half of them as a replica whose batch is not refused yet, with a second booking beside.
            if n % 2 == 0 {
                return world.book(&order).await;
            }
            let both = [world.order(0, 1, 1), order];
            if let Some(mut outcomes) = book_all(&world.store, &both).await? {
                return match outcomes.pop().expect("an outcome")? {
                    Created::New(booking) | Created::Repeat(booking) => Ok(booking),
                };
            }
            world.book(&both[1]).await
        })
    });
    let outcomes = join_all(racers).await.into_iter().map(|outcome| outcome.expect("no panic"));
    let (mut made, mut named) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(booking) => made.push(booking.id),
            Err(ReservationError::ReferenceTaken(first)) => named.push(first),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((made.len(), named.len()), (1, 59));
    assert!(named.iter().all(|first| *first == made[0]));
    let sql = "select count(*) from reservation where client_reference = 'X-17'";
    assert_eq!(world.count(sql).await, 1);
    let taken: i32 = world.reserved().await[6..7].iter().sum();
    assert_eq!(taken, 1, "refused ones took no rooms");
}
