//! Changes that race with bookings, cancellations and their own expiry; and changes that are undone.

use std::sync::Arc;

use futures::future::join_all;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::*;

/// What one guest does with a reservation.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Moves room 1 to this first night, for so many nights.
    Move(i32, i32),
    /// As above, at a higher price, and pays for it.
    MoveAndPay(i32, i32),
    /// As above, and never pays: the change is given up.
    MoveInVain(i32, i32),
    CancelRoom(i32),
    Cancel,
    Book(i32, i32),
}

fn act() -> impl Strategy<Value = Act> {
    let nights = || (0..6i32, 1..4i32);
    prop_oneof![
        4 => nights().prop_map(|(from, nights)| Act::Move(from, nights)),
        3 => nights().prop_map(|(from, nights)| Act::MoveAndPay(from, nights)),
        2 => nights().prop_map(|(from, nights)| Act::MoveInVain(from, nights)),
        1 => (1..=2i32).prop_map(Act::CancelRoom),
        1 => Just(Act::Cancel),
        3 => nights().prop_map(|(from, nights)| Act::Book(from, nights)),
    ]
}

/// The refusals that a race may cause; anything else, a deadlock or a lock timeout among them, fails.
fn allowed<T>(result: Result<T, ReservationError>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(
            ReservationError::SoldOut { .. }
            | ReservationError::RevisionMismatch { .. }
            | ReservationError::ChangePending
            | ReservationError::NotChangeable(_)
            | ReservationError::StayHasBegun,
        ) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Carries out one act on the reservation, which others change meanwhile.
async fn carry_out(world: &World, id: ReservationId, act: Act) {
    let booking = world.store.get(id).await.expect("reads").expect("a reservation");
    let pay = |revision, minor| RevisionCommand::Confirm { revision, payment: Some((PaymentId::new(), euros(minor))) };
    match act {
        Act::Book(from, nights) => {
            let order = order(vec![line(from, nights, 10_000, 30), line(0, nights, 10_000, 30)]);
            allowed(book_each(&world.store, &[order]).await.expect("decided").pop().expect("an outcome"));
        }
        Act::Cancel => {
            allowed(apply(&world.store, id, &Command::Cancel, Timestamp::now()).await);
        }
        Act::CancelRoom(position) => {
            let cancel = RevisionCommand::CancelRooms {
                positions: [position].into(),
                content_hash: [4; 32],
                expected_refund: None,
            };
            allowed(run(&world.store, id, cancel).await);
        }
        Act::Move(from, nights) | Act::MoveAndPay(from, nights) | Act::MoveInVain(from, nights) => {
            let Some(room) = booking.placed().into_iter().next() else { return };
            let dearer = if matches!(act, Act::Move(..)) { 0 } else { 5_000 };
            let moved = line(from, nights, room.line.quote.total.minor() + dearer, 30);
            let kept = booking.positions.iter().copied().skip(1).collect();
            let rooms = vec![placed(room.position, moved)];
            let change = RoomsChange::new(&booking.placed(), kept, rooms, euros(0)).expect("a change");
            let apply = RevisionCommand::Apply {
                change,
                base: booking.revision,
                request_id: Uuid::new_v4(),
                content_hash: [1; 32],
                expire_time: Timestamp::now() + SignedDuration::from_mins(15),
                limits: Box::default(),
            };
            let Some(revised) = allowed(run(&world.store, id, apply).await) else { return };
            let Some(pending) = revised.reservation.pending else { return };
            let end = match act {
                Act::MoveAndPay(..) => pay(pending.revision, 5_000),
                _ => RevisionCommand::Drop { revision: pending.revision },
            };
            allowed(run(&world.store, id, end).await);
        }
    }
}

/// Guests change, pay, cancel and book over the same nights in all orders: exact, and no deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_against_bookings_against_cancellations_are_exact() {
    let world = Arc::new(hotel(4).await);
    let mut ids = Vec::new();
    for from in 0..3 {
        ids.push(paid(&world, vec![line(from, 2, 10_000, 30), line(from + 1, 2, 10_000, 30)]).await.id);
    }
    let mut runner = TestRunner::deterministic();
    let acts = prop::collection::vec((0..ids.len(), act()), 25);
    let guests = (0..6).map(|_| {
        let acts = acts.new_tree(&mut runner).expect("acts").current();
        let (world, ids) = (world.clone(), ids.clone());
        tokio::spawn(async move {
            for (of, act) in acts {
                carry_out(&world, ids[of], act).await;
            }
        })
    });
    let guests: Vec<_> = guests.collect();
    for guest in join_all(guests).await {
        guest.expect("no panic");
    }
    assert_clean(&world).await;
    let most = reserved(&world, 0, 10).await.into_iter().max();
    assert!(most <= Some(4), "10 % of 4 rooms is no room: {most:?}");
}

/// Of the payment and the expiry of a change one wins: it is applied, or the payment is refunded, never both or neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn payment_against_expiry_of_a_change_has_one_winner() {
    let world = hotel(2).await;
    let mut applied = 0;
    for _ in 0..20 {
        let booking = paid(&world, vec![line(0, 1, 10_000, 30)]).await;
        run(&world.store, booking.id, replace(&booking, vec![placed(1, line(1, 1, 15_000, 30))], 0))
            .await
            .expect("held");
        let confirm = RevisionCommand::Confirm { revision: 2, payment: Some((PaymentId::new(), euros(5_000))) };
        let later = Timestamp::now() + SignedDuration::from_mins(16);
        let expire = drop_expired(&world.store, later, 10);
        let (paid, dropped) = tokio::join!(run(&world.store, booking.id, confirm), expire);
        let (paid, dropped) = (paid.expect("an outcome"), dropped.expect("a sweep"));
        let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
        let nights = reserved(&world, 0, 2).await;
        match paid.outcome {
            RevisionOutcome::Changed => assert_eq!((dropped, after.stay, nights), (0, stay(1, 1), vec![0, 1])),
            RevisionOutcome::RefundPayment => assert_eq!((dropped, after.stay, nights), (1, stay(0, 1), vec![1, 0])),
            other => panic!("{other:?}"),
        }
        assert_eq!((after.revision, after.pending), (2, None));
        applied += usize::from(paid.outcome == RevisionOutcome::Changed);
        apply(&world.store, booking.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    }
    println!("{applied} of 20 were applied");
    assert_clean(&world).await;
}

/// A change and its reverse restore the inventory, whatever the change is.
#[tokio::test]
async fn change_and_its_reverse_restore_the_inventory() {
    let world = hotel(3).await;
    let mut runner = TestRunner::deterministic();
    let rooms = prop::collection::vec((0..10i32, 1..6i32), 1..3);
    for _ in 0..15 {
        let mut rooms = || rooms.new_tree(&mut runner).expect("rooms").current();
        let booking =
            paid(&world, rooms().iter().map(|(from, nights)| line(*from, *nights, 10_000, 30)).collect()).await;
        let before = reserved(&world, 0, 20).await;
        let placed_at = |first: i32, rooms: &[(i32, i32)], total: i64| -> Vec<PlacedRoom> {
            let share = |at: i64| {
                total / i64::try_from(rooms.len()).expect("few")
                    + i64::from(at < total % i64::try_from(rooms.len()).expect("few"))
            };
            let rooms = rooms.iter().zip(0i64..);
            (first..)
                .zip(rooms)
                .map(|(at, ((from, nights), n))| placed(at, line(*from, *nights, share(n), 30)))
                .collect()
        };
        let total = booking.quote.total.minor();
        let next = i32::try_from(booking.positions.len()).expect("few") + 1;
        let there = replace(&booking, placed_at(next, &rooms(), total), 0);
        let changed = run(&world.store, booking.id, there).await.expect("changed").reservation;
        let last = changed.positions.last().copied().expect("a room") + 1;
        let original: Vec<_> = (last..).zip(booking.lines.iter().cloned()).map(|(at, line)| placed(at, line)).collect();
        let back = replace(&changed, original, 0);
        let restored = run(&world.store, booking.id, back).await.expect("changed back").reservation;
        assert_eq!((restored.lines, restored.revision), (booking.lines, 3));
        assert_eq!(reserved(&world, 0, 20).await, before);
        apply(&world.store, booking.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    }
    assert_eq!(reserved(&world, 0, 20).await, vec![0; 20]);
    assert_clean(&world).await;
}
