//! Pick-ups, releases and other changes of a group block, all at once.

use std::time::Duration;

use super::*;

/// Until so many sessions of the database wait for a lock.
async fn until_waiting(pool: &PgPool, sessions: i64) {
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let all_wait =
        async { while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.expect("a count") < sessions {} };
    tokio::time::timeout(Duration::from_secs(20), all_wait).await.expect("they wait");
}

/// Both read before either has written: the second knows the first by the lock that it waited for.
#[rstest]
#[case::of_one_request(0)]
#[case::with_a_client_reference(1)]
#[tokio::test]
async fn equal_pick_ups_of_the_last_room_have_the_same_outcome(#[case] references: usize) {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 1).await.expect("one");
    let client_reference = (references > 0).then(|| "order-1".to_owned());
    let order = NewReservation { client_reference, ..world.order(0, 2, 1) };
    let mut lock = world.pool().begin().await.expect("a transaction");
    sqlx::query("select 1 from group_block for update").execute(&mut *lock).await.expect("locked");
    let both_wait = async {
        until_waiting(world.pool(), 2).await;
        lock.rollback().await.expect("unlocked");
    };
    let now = Timestamp::now();
    let (first, second, ()) = tokio::join!(world.pick_up(&order, now), world.pick_up(&order, now), both_wait);
    assert_eq!((first.expect("picked up").id, second.expect("the same").id), (order.id, order.id));
    assert_eq!(world.block_now().await.nights.into_values().map(|night| night.picked_up).collect::<Vec<_>>(), [1, 1]);
    world.assert_clean().await;
}

/// Each goes back to the block before that is released, or to sale after it.
#[tokio::test]
async fn unpaid_pick_ups_that_end_while_their_block_is_released_are_exact() {
    let world = Arc::new(World::with_rooms(20).await);
    world.set_aside(BlockStatus::Definite, (0, 3), 20).await.expect("20 of 22");
    let mut picked = Vec::new();
    for n in 0..20 {
        picked.push(world.pick_up(&world.order(n % 3, 3, 1), Timestamp::now()).await.expect("a room").id);
    }
    let ends = picked.into_iter().enumerate().map(|(n, id)| {
        let world = world.clone();
        tokio::spawn(async move {
            if n == 10 {
                block_release::once(&world.store, cutoff()).await.expect("released");
            }
            let command = if n % 2 == 0 { Command::Release } else { Command::Cancel };
            world.apply(id, command, Timestamp::now()).await.expect("ended");
        })
    });
    for end in join_all(ends.collect::<Vec<_>>()).await {
        end.expect("no panic");
    }
    assert!(world.block_now().await.released.is_some());
    assert_eq!(world.reserved().await[..4], [0, 0, 0, 0]);
    world.assert_clean().await;
}

#[tokio::test]
async fn block_that_cannot_be_released_keeps_no_other_and_each_is_released_by_one_replica() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 1), 1).await.expect("one");
    for n in 2..5 {
        let new = NewGroupBlock {
            id: Uuid::from_u128(n),
            code: format!("FAIR-{n}"),
            display_name: "Another".into(),
            status: BlockStatus::Definite,
            cutoff_date: world.first,
            cutoff_time: "18:00".into(),
            rooms: world.block_rooms(1, 2, 1),
            content_hash: [2; 32],
        };
        world.store.create_group_block(world.hotel, &new, cutoff() + second()).await.expect("one more");
    }
    let refuse = "create function refuse() returns trigger language plpgsql as 'begin raise integrity_constraint_violation; end';
        create trigger refuse before update on group_block
            for each row when (new.code = 'FAIR-27') execute function refuse()";
    sqlx::raw_sql(refuse).execute(world.pool()).await.expect("a defect");
    let now = cutoff() + second();
    let replicas = (0..3).map(|_| block_release::release(&world.store, now, 1));
    let released = join_all(replicas).await.into_iter().map(|released| released.expect("runs"));
    assert_eq!(released.sum::<usize>(), 3);
    assert_eq!(world.reserved().await[..3], [1, 0, 0]);
    world.assert_clean().await;
}

/// Pick-ups before and after the cut-off, ordinary bookings, a smaller block and the release, all at once.
#[tokio::test]
async fn pick_ups_against_bookings_and_the_release_are_exact() {
    let world = Arc::new(World::with_rooms(30).await);
    world.set_aside(BlockStatus::Definite, (0, 3), 20).await.expect("20 of 33");
    let mut races = Vec::new();
    for n in 0..60_i32 {
        let world = world.clone();
        races.push(tokio::spawn(async move {
            let order = world.order(n % 2, 3, 1);
            match n % 4 {
                0 => world.book(&order).await.map(|_| false),
                1 if n == 21 => {
                    world.change_block(BlockChange::Resize(world.block_rooms(0, 3, 18))).await.map(|_| false)
                }
                2 if n == 42 => block_release::once(&world.store, cutoff()).await.map(|_| false),
                _ => world.pick_up(&order, if n % 3 == 0 { cutoff() } else { cutoff() - second() }).await.map(|_| true),
            }
        }));
    }
    let mut picked_up = 0;
    for race in join_all(races).await {
        match race.expect("no panic") {
            Ok(true) => picked_up += 1,
            Ok(false)
            | Err(
                ReservationError::BlockReleased { .. }
                | ReservationError::SoldOut { .. }
                | ReservationError::BlockHasPickUps { .. },
            ) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let block = world.block_now().await;
    assert!(block.released.is_some());
    assert_eq!(block.nights.into_values().map(|night| night.picked_up).max(), Some(picked_up));
    world.assert_clean().await;
}
