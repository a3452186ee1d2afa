//! Stuck holds among others: skipped, counted and retried.

use jiff::{Timestamp, ToSpan};
use staymesh_domain::PaymentId;

use super::*;
use crate::{
    calendar,
    model::{PaymentMode, Reservation},
    quote::tests::{euros, quote_for},
    room_line::RoomLine,
    rooms_change::{PlacedRoom, RoomsChange},
    testing::{World, pay},
    writer::{RevisionCommand, RevisionOrder, revise},
};

/// A database with expired holds; the first expired first.
async fn expired_holds(holds: i32) -> (World, Vec<Reservation>) {
    let world = World::new().await;
    let first = calendar::today(Timestamp::now()).saturating_add(30.days());
    world.sell(7, first, holds, 10).await.expect("inventory");
    let mut booked = Vec::new();
    for night in 0..holds {
        let from = first.saturating_add(night.days());
        booked.push(world.book(7, from, 1, PaymentMode::GuestPays).await.expect("booked"));
    }
    world.tamper("update reservation set hold_expire_time = now() - interval '1 hour' + (check_in - current_date) * interval '1 second'").await;
    (world, booked)
}

async fn release(world: &World, from: HoldCursor, limit: i64, aside: &BTreeSet<Uuid>) -> HoldBatch {
    release_expired(&world.store, Timestamp::now(), from, limit, aside).await.expect("ends")
}

const CANCELLED: &str = "select count(*) from reservation where status = 'cancelled'";
const RESERVED: &str = "select sum(total_reserved) from room_type_inventory";

/// A paid reservation with a pending change that has expired.
async fn expired_change(world: &World) -> Reservation {
    let from = calendar::today(Timestamp::now()).saturating_add(30.days());
    let booking = world.book(7, from, 1, PaymentMode::GuestPays).await.expect("booked");
    let booking = world.apply(booking.id, &pay(PaymentId::new())).await.expect("paid");
    let dearer = quote_for(booking.stay, booking.quote.total.minor() + 1, 30);
    let rooms = vec![PlacedRoom { position: 1, line: RoomLine { quote: dearer, ..booking.lines[0].clone() } }];
    let now = Timestamp::now();
    let command = RevisionCommand::Apply {
        change: RoomsChange::new(&booking.placed(), vec![], rooms, euros(0)).expect("a change"),
        base: 1,
        request_id: Uuid::new_v4(),
        content_hash: [1; 32],
        expire_time: now,
        limits: Box::default(),
    };
    let order = RevisionOrder { id: booking.id, command, now, actor: "me".into(), trace_parent: None, origin: None };
    revise(&world.store, &order).await.expect("held").reservation
}

#[tokio::test]
async fn expired_changes_are_dropped_although_holds_cannot_be_released() {
    let (world, _) = expired_holds(2).await;
    let pending = expired_change(&world).await;
    assert_eq!(pending.pending.map(|change| change.revision), Some(2));
    let slow = "create function slow() returns trigger language plpgsql
            as 'begin raise query_canceled; end';
        create trigger slow before update on reservation
            for each row when (new.status = 'cancelled') execute function slow()";
    world.tamper(slow).await;
    let mut sweeper = Sweeper::new(world.store.clone(), Wake::default());
    sweeper.sweep(&CancellationToken::new()).await.expect_err("holds stay");
    let after = world.store.get(pending.id).await.expect("reads").expect("is there");
    assert_eq!((after.revision, after.pending, world.count(CANCELLED).await), (2, None, 0));
}

/// Damage that makes a hold stuck, and what the error says.
const WRONG: [(&str, &str); 5] = [
    ("update reservation_room set price = '{}' where reservation_id = 'ID'", "column \"lines\" does not decode"),
    (
        "update reservation_room set price = jsonb_set(price::jsonb, '{currency}', '\"XXQ\"') where reservation_id = 'ID'",
        "currency",
    ),
    // A wrong count: releasing the room would make it negative.
    (
        "update room_type_inventory set total_reserved = 0 where stay_date = (select check_in from reservation where reservation_id = 'ID')",
        "room_type_inventory_not_overbooked",
    ),
    ("update reservation_room set check_out = check_in where reservation_id = 'ID'", "check_in"),
    ("delete from reservation_room where reservation_id = 'ID'", "at least one room"),
];

#[tokio::test]
async fn stuck_hold_does_not_keep_others_from_expiring() {
    for (wrong, message) in WRONG {
        for bad in 0..3 {
            let (world, holds) = expired_holds(3).await;
            let id = holds[bad].id.as_uuid();
            world.tamper("alter table reservation_room drop constraint reservation_room_has_nights").await;
            world.tamper(&wrong.replace("ID", &id.to_string())).await;
            let done = release(&world, HoldCursor::START, 500, &BTreeSet::new()).await;
            assert_eq!(done.expired, 2, "{wrong}: {done:?}");
            let [(stuck, Some(error))] = done.stuck.as_slice() else { panic!("{wrong}: {done:?}") };
            assert_eq!(*stuck, id);
            assert!(cause(error).contains(message), "{message} is not in {}", cause(error));
            assert_eq!(world.count(CANCELLED).await, 2);
            assert_eq!(world.count("select count(*) from outbox").await, 2);
        }
    }
}

#[tokio::test]
async fn release_continues_behind_any_number_of_stuck_holds() {
    let (world, holds) = expired_holds(8).await;
    let six: Vec<_> = holds[..6].iter().map(|hold| format!("'{}'", hold.id)).collect();
    world
        .tamper(&format!("update reservation_room set price = '{{}}' where reservation_id in ({})", six.join(", ")))
        .await;
    let (mut place, mut ended, mut stuck) = (Some(HoldCursor::START), 0, BTreeSet::new());
    for _ in 0..5 {
        let Some(from) = place else { break };
        let done = release(&world, from, 2, &BTreeSet::new()).await;
        ended += done.expired;
        stuck.extend(done.stuck.into_iter().map(|(id, _)| id));
        place = done.next;
    }
    assert_eq!((place, ended, stuck.len()), (None, 2, 6));
    // Known stuck holds are skipped without an attempt, and still counted.
    let done = release(&world, HoldCursor::START, 500, &stuck).await;
    assert_eq!((done.expired, done.stuck.len(), done.next), (0, 6, None));
    assert!(done.stuck.iter().all(|(_, error)| error.is_none()));
}

#[tokio::test]
async fn sweep_skips_stuck_holds_and_retries_them_later() {
    let (world, holds) = expired_holds(4).await;
    let price = format!("update reservation_room set price = '{{}}' where reservation_id = '{}'", holds[0].id);
    world.tamper(&price).await;
    let stop = CancellationToken::new();
    let mut sweeper = Sweeper::new(world.store.clone(), Wake::default());
    sweeper.sweep(&stop).await.expect("sweeps");
    assert_eq!((world.count(CANCELLED).await, world.count(RESERVED).await), (3, 1));
    assert_eq!(sweeper.stuck.skipped, BTreeSet::from([holds[0].id.as_uuid()]));
    // The damage is repaired: the hold expires with the next retry, and not before.
    let right = holds[1].id;
    world.tamper(&format!("update reservation_room set price = (select price from reservation_room where reservation_id = '{right}') where reservation_id = '{}'", holds[0].id)).await;
    sweeper.sweep(&stop).await.expect("sweeps");
    assert_eq!(world.count(CANCELLED).await, 3);
    sweeper.stuck.since = Instant::now().checked_sub(RETRY_STUCK_AFTER).expect("the machine runs for longer");
    // A statement that the database does not finish in time is left to the next sweep.
    for _ in 0..5 {
        sweeper.sweep(&stop).await.expect("sweeps");
        if world.count(CANCELLED).await == 4 {
            break;
        }
    }
    assert_eq!((world.count(CANCELLED).await, world.count(RESERVED).await), (4, 0));
    assert!(sweeper.stuck.skipped.is_empty());
}
