//! Pick-ups: what they may hold unpaid, where their rooms go when they end, and their audit.

use std::collections::BTreeSet;

use super::*;
use crate::{
    error::UnpaidLimit,
    expiry::release_expired,
    model::{HoldLimits, Source},
};

impl World {
    /// The block's rooms that can be picked up, by night.
    async fn left(&self) -> Vec<i32> {
        self.block_now().await.nights.into_values().map(|night| night.blocked - night.picked_up).collect()
    }

    async fn expire(&self) {
        let now = Timestamp::now() + SignedDuration::from_hours(1);
        let batch = release_expired(&self.store, now, HoldCursor::START, 500, &BTreeSet::new()).await.expect("ends");
        assert!(batch.stuck.is_empty(), "{:?}", batch.stuck);
    }
}

#[tokio::test]
async fn expired_unpaid_pick_up_goes_back_to_its_block_and_others_to_sale() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    let paid = world.pick_up(&world.order(0, 2, 1), Timestamp::now()).await.expect("1 of 5");
    world.pay_for(&paid).await;
    for rooms in [2, 1] {
        world.pick_up(&world.order(0, 2, rooms), Timestamp::now()).await.expect("3 of 4");
    }
    world.book(&world.order(0, 3, 6)).await.expect("the rest");
    world.expire().await;
    assert_eq!((world.left().await, &world.reserved().await[..3]), (vec![4, 4], &[5, 5, 0][..]));
    assert_eq!(world.store.picked_up_by(world.hotel, ID, 9).await.expect("read"), [paid.id.as_uuid()]);
    world.pick_up(&world.order(0, 2, 4), Timestamp::now()).await.expect("all that came back");
    world.assert_clean().await;
}

#[rstest]
#[case::released(Command::Release)]
#[case::cancelled(Command::Cancel)]
#[case::rejected(Command::RejectPayment)]
#[case::expired(Command::Expire)]
#[tokio::test]
async fn unpaid_pick_up_goes_back_to_its_block_however_it_ends(#[case] command: Command) {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    let picked = world.pick_up(&world.order(0, 2, 2), Timestamp::now()).await.expect("2 of 5");
    for _ in 0..2 {
        let later = Timestamp::now() + SignedDuration::from_hours(1);
        let now = if command == Command::Expire { later } else { Timestamp::now() };
        let ended = world.apply(picked.id, command.clone(), now).await;
        assert!(ended.is_ok() || command == Command::Release, "{ended:?}");
        assert_eq!((world.left().await, &world.reserved().await[..3]), (vec![5, 5], &[5, 5, 0][..]));
    }
    let block = world.change_block(BlockChange::Cancel).await.expect("nothing is picked up");
    assert_eq!((block.status, &world.reserved().await[..3]), (BlockStatus::Cancelled, &[0, 0, 0][..]));
    world.assert_clean().await;
}

#[tokio::test]
async fn unpaid_pick_up_that_expires_after_the_release_of_its_block_goes_back_to_sale() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    let picked = world.pick_up(&world.order(0, 2, 2), Timestamp::now()).await.expect("2 of 5");
    assert_eq!(block_release::once(&world.store, cutoff()).await.expect("runs"), 1);
    assert_eq!(world.reserved().await[..3], [2, 2, 0]);
    world.expire().await;
    assert_eq!(world.reserved().await[..3], [0, 0, 0]);
    assert_eq!(world.store.picked_up_by(world.hotel, ID, 9).await.expect("read"), [picked.id.as_uuid()]);
    world.assert_clean().await;
}

/// PARTNER-SPEC 7: the rooms are the block's again, so a late payment needs others that are on sale.
#[tokio::test]
async fn late_payment_of_a_pick_up_that_went_back_takes_rooms_on_sale() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    let picked = world.pick_up(&world.order(0, 2, 2), Timestamp::now()).await.expect("2 of 5");
    world.expire().await;
    world.pay_for(&picked).await;
    assert_eq!((world.left().await, &world.reserved().await[..3]), (vec![5, 5], &[7, 7, 0][..]));
    world.assert_clean().await;
}

/// Room nights of accounts and sources are limited, also with those of ordinary bookings. A share is one of what is on sale.
#[rstest]
#[case::account(HoldLimits { account: Some(8), share: Some(1), ..HoldLimits::default() }, false)]
#[case::source(
    HoldLimits { source: Some((Source::of([192, 0, 2, 7].into()), 8)), share: Some(1), ..HoldLimits::default() },
    true
)]
#[tokio::test]
async fn pick_ups_hold_no_more_unpaid_than_their_account_and_source_may(
    #[case] limits: HoldLimits,
    #[case] by_source: bool,
) {
    let world = World::with_rooms(20).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 10).await.expect("10 of 22");
    let booked = HoldLimits { share: None, ..limits.clone() };
    let limited = |limits: HoldLimits, rooms| NewReservation { limits: Box::new(limits), ..world.order(0, 2, rooms) };
    world.book(&limited(booked, 1)).await.expect("two room nights");
    let picked = world.pick_up(&limited(limits.clone(), 3), Timestamp::now()).await.expect("six more");
    let refused = world.pick_up(&limited(limits.clone(), 1), Timestamp::now()).await;
    let Err(ReservationError::Unpaid(UnpaidLimit { held: 8, wanted: 2, limit: 8, by_source: of, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((of, world.left().await), (by_source, vec![7, 7]), "nothing is taken");
    world.pay_for(&picked).await;
    world.pick_up(&limited(limits, 3), Timestamp::now()).await.expect("what is paid is not held");
    world.assert_clean().await;
}

#[tokio::test]
async fn pick_up_by_staff_is_audited_once_and_one_by_others_is_not() {
    let world = World::with_rooms(10).await;
    world.set_aside(BlockStatus::Definite, (0, 2), 5).await.expect("5 of 11");
    world.pick_up(&world.order(0, 2, 1), Timestamp::now()).await.expect("a guest");
    let order = NewReservation { origin: Some(Box::new(origin())), ..world.order(0, 2, 2) };
    for _ in 0..2 {
        world.pick_up(&order, Timestamp::now()).await.expect("staff");
    }
    let records: Vec<(String, Option<serde_json::Value>)> =
        sqlx::query_as("select object_id, after from audit_record where object_type = 'reservation'")
            .fetch_all(world.pool())
            .await
            .expect("rows");
    let [(id, Some(created))] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((id, &created["rooms"]), (&order.id.to_string(), &2.into()));
}
