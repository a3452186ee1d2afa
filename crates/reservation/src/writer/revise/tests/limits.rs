//! What pending changes hold counts in the limits of unpaid holds, and is limited by them.

use super::*;
use crate::{
    error::UnpaidLimit,
    model::{HoldLimits, Source},
};

fn source() -> Source {
    Source::of([192, 0, 2, 7].into())
}

fn account(limit: i64) -> HoldLimits {
    HoldLimits { account: Some(limit), ..HoldLimits::default() }
}

fn from_source(limit: i64) -> HoldLimits {
    HoldLimits { source: Some((source(), limit)), ..HoldLimits::default() }
}

fn share(percent: i32) -> HoldLimits {
    HoldLimits { share: Some(percent), ..HoldLimits::default() }
}

/// Moves a reservation of a night to three later ones for more: it holds three room nights.
fn dearer(booking: &Reservation, of: HoldLimits) -> RevisionCommand {
    match replace(booking, vec![placed(1, line(5, 3, 15_000, 30))], 0) {
        RevisionCommand::Apply { change, base, request_id, content_hash, expire_time, .. } => {
            RevisionCommand::Apply { change, base, request_id, content_hash, expire_time, limits: Box::new(of) }
        }
        other => other,
    }
}

/// Books two nights of those that the change holds.
async fn book(world: &World, of: HoldLimits) -> Result<Created, ReservationError> {
    let order = NewReservation { limits: Box::new(of), ..order(vec![line(5, 2, 10_000, 30)]) };
    book_each(&world.store, &[order]).await.expect("decided").pop().expect("an outcome")
}

#[rstest]
#[case::of_its_account(account(2), account(3), account(4))]
#[case::of_its_source(from_source(2), from_source(3), from_source(4))]
// 10 % of 10 rooms is one room of each night.
#[case::of_the_night(share(10), share(20), share(20))]
#[tokio::test]
async fn pending_change_counts_in_the_limit_until_it_is_dropped(
    #[case] refused: HoldLimits,
    #[case] held: HoldLimits,
    #[case] without_the_change: HoldLimits,
) {
    let world = hotel(10).await;
    let booking = paid(&world, vec![line(0, 1, 10_000, 30)]).await;
    if refused.share.is_some() {
        book(&world, HoldLimits::default()).await.expect("unlimited");
    }
    let over = run(&world.store, booking.id, dearer(&booking, refused.clone())).await;
    let is_refused = match refused.share {
        None => matches!(over, Err(ReservationError::Unpaid(UnpaidLimit { held: 0, wanted: 3, limit: 2, .. }))),
        Some(_) => matches!(over, Err(ReservationError::UnpaidShare { held: 1, wanted: 1, limit: 1, .. })),
    };
    assert!(is_refused, "{over:?}");
    let held = run(&world.store, booking.id, dearer(&booking, held)).await.expect("within the limit").reservation;
    let revision = held.pending.expect("a pending change").revision;
    let booked = book(&world, without_the_change.clone()).await;
    assert!(matches!(booked, Err(ReservationError::Unpaid(_) | ReservationError::UnpaidShare { .. })), "{booked:?}");
    run(&world.store, booking.id, RevisionCommand::Drop { revision }).await.expect("dropped");
    book(&world, without_the_change).await.expect("what was dropped counts no more");
    let sources = "select count(*) from reservation_change where source is not null";
    assert_eq!(world.count(sources).await, 0);
    assert_clean(&world).await;
}

/// Six requests of one account at once, half of them bookings: never more than the limit is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bookings_against_changes_of_an_account_stay_within_its_limit() {
    let world = std::sync::Arc::new(hotel(10).await);
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let booking = paid(&world, vec![line(0, 1, 10_000, 30)]).await;
        let (of_change, of_booking) = (world.clone(), world.clone());
        tasks.push(tokio::spawn(async move {
            run(&of_change.store, booking.id, dearer(&booking, account(5))).await.map_or(0, |_| 3)
        }));
        tasks.push(tokio::spawn(async move { book(&of_booking, account(5)).await.map_or(0, |_| 2) }));
    }
    let mut held = 0;
    for task in tasks {
        held += task.await.expect("no panic");
    }
    assert!((4..=5).contains(&held), "{held} room nights");
    let counted = "select sum(room_nights)::bigint from unpaid_holds(array['ame'])";
    assert_eq!(world.count(counted).await, held);
    assert_clean(&world).await;
}
