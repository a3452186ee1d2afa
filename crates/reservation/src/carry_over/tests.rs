//! A database of the release before is carried over: nothing is lost, and the check is clean.

mod release_before;
mod upgrade;

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use jiff_sqlx::ToSqlx;
use staymesh_domain::{PaymentId, RoomCount, StayDates};
use staymesh_store::StoreError;

use super::{run, run_in_batches};
use crate::{
    calendar::today,
    check::{self, Kind, Options, Report},
    error::ReservationError,
    expiry::release_expired,
    lifecycle::Command,
    model::{PaymentMode, Status},
    quote::{
        Quote, TaxLine,
        tests::{euros, quote_before},
    },
    room_line::RoomLine,
    store::HoldCursor,
    testing::{World, hotel_id, lines, order_of, room_type},
    writer::book_each,
};

const HOTEL: i32 = 7;

fn first() -> Date {
    today(Timestamp::now()).saturating_add(30.days())
}

/// The price of three rooms for two nights, not divisible by three in any part.
fn price() -> Quote {
    let tax = |name: &str, minor| TaxLine { name: name.into(), amount: euros(minor) };
    Quote {
        subtotal: euros(53_701),
        taxes: vec![tax("City tax", 1_000), tax("Spa", 2)],
        total: euros(54_703),
        ..quote_before(StayDates::new(first(), first().saturating_add(2.days())).expect("a stay"), 54_703)
    }
}

/// A hold, a paid, a cancelled, a no-show and an expired reservation of three rooms and five guests, as a release wrote
/// them that knew no lines.
async fn release_before() -> World {
    let world = World::new().await;
    world.sell(HOTEL, first(), 5, 100).await.expect("inventory");
    let stay = StayDates::new(first(), first().saturating_add(2.days())).expect("a stay");
    let id = PaymentId::new();
    let pay = Command::ConfirmPayment { payment_id: id, amount: euros(54_703) };
    let late = Timestamp::now() + SignedDuration::from_mins(16);
    let begun = crate::calendar::begins(first()).expect("in range");
    let ways: [&[(Command, Timestamp)]; 5] = [
        &[],
        &[(pay.clone(), late)],
        &[(pay.clone(), late), (Command::Cancel, late)],
        &[(pay, late), (Command::MarkNoShow, begun)],
        &[(Command::Expire, late)],
    ];
    for way in ways {
        let now = Timestamp::now();
        let order = order_of(lines(room_type(), stay, 3, &price()), now);
        book_each(&world.store, std::slice::from_ref(&order))
            .await
            .expect("decided")
            .pop()
            .expect("one")
            .expect("booked");
        for (command, now) in way {
            world.apply_at(order.id, command, *now).await.expect("a legal way");
        }
    }
    world
        .tamper(
            "delete from reservation_room; delete from reservation_revision; update reservation set revision = null, guests = 5",
        )
        .await;
    world
}

async fn check(world: &World) -> Report {
    check::run(world.pool(), &Options::default(), |_| {}).await.expect("checked")
}

#[tokio::test]
async fn carried_over_reservations_have_lines_that_add_up_and_the_check_is_clean() {
    let world = release_before().await;
    let before = check(&world).await;
    assert_eq!(before.counts.get(&Kind::RoomsDiffer), Some(&5), "{:?}", before.listed);
    assert_eq!(before.counts.get(&Kind::IllegalRevision), Some(&5), "{:?}", before.listed);

    let mut seen = Vec::new();
    assert_eq!(run(world.pool(), |all| seen.push(all)).await.expect("carried over"), 5);
    assert_eq!(seen, [5]);
    assert_eq!(run(world.pool(), |_| {}).await.expect("nothing left"), 0);
    let after = check(&world).await;
    assert!(after.is_clean(), "{:?}", after.listed);

    let shares = price().split(RoomCount::try_from(3).expect("rooms")).expect("in range");
    let filter = crate::store::ListFilter { hotel_id: Some(hotel_id(HOTEL)), ..Default::default() };
    for booking in world.store.list(&filter, None, 10).await.expect("listed") {
        let adults: Vec<_> = booking.lines.iter().map(|line| line.party.adults()).collect();
        assert_eq!(adults, [2, 2, 1]);
        let quotes: Vec<_> = booking.lines.iter().map(|line| line.quote.clone()).collect();
        assert_eq!((quotes, booking.quote), (shares.clone(), price()), "the database splits as this service does");
    }
    let by_status = "select string_agg(status || count, ' ' order by status)
        from (select status, count(*) from reservation_room group by 1) s";
    let statuses: String = sqlx::query_scalar(by_status).fetch_one(world.pool()).await.expect("a text");
    assert_eq!(statuses, "cancelled6 live6 no_show3");
}

/// What the release before executes on the migrated database.
const INSERT_OF_RELEASE_BEFORE: &str = "
    insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name,
        guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time)
    select hotel_id, $1, owner, room_type_id, check_in, check_out, rooms, 5, guest_name, guest_email, payment_mode,
        'pending_payment', currency, total_minor, price, content_hash, now() + interval '15 min'
    from reservation limit 1";

#[tokio::test]
async fn bookings_and_changes_of_the_release_before_keep_lines_and_nights_together() {
    let world = World::new().await;
    world.sell(HOTEL, first(), 5, 100).await.expect("inventory");
    let stay = StayDates::new(first(), first().saturating_add(2.days())).expect("a stay");
    let first_order = order_of(lines(room_type(), stay, 3, &price()), Timestamp::now());
    book_each(&world.store, std::slice::from_ref(&first_order)).await.expect("decided");

    let id = staymesh_domain::ReservationId::generate(hotel_id(HOTEL), Timestamp::now());
    sqlx::query(INSERT_OF_RELEASE_BEFORE).bind(id.as_uuid()).execute(world.pool()).await.expect("inserted");
    sqlx::query("update room_type_inventory set total_reserved = total_reserved + 3 where stay_date < $1")
        .bind(stay.check_out().to_sqlx())
        .execute(world.pool())
        .await
        .expect("taken");
    assert!(check(&world).await.is_clean(), "{:?}", check(&world).await.listed);
    let booking = world.store.get(id).await.expect("read").expect("it exists");
    assert_eq!((booking.lines.len(), booking.status), (3, Status::PendingPayment));
    assert_eq!(booking.lines.iter().map(|line| line.party.adults()).sum::<i32>(), 5);
    assert_eq!(RoomLine::sum(&booking.lines).expect("a sum").quote, price());

    // It also ends one that this release wrote.
    for id in [id, first_order.id] {
        sqlx::query(
            "update reservation set status = 'cancelled', cancellation_reason = 'requested' where reservation_id = $1",
        )
        .bind(id.as_uuid())
        .execute(world.pool())
        .await
        .expect("cancelled");
    }
    sqlx::query("update room_type_inventory set total_reserved = 0").execute(world.pool()).await.expect("released");
    assert!(check(&world).await.is_clean(), "{:?}", check(&world).await.listed);
    assert_eq!(world.count("select count(*) from reservation_room where status = 'cancelled'").await, 6);
}

#[tokio::test]
async fn unpaid_limits_count_holds_that_are_not_carried_over_yet() {
    let world = release_before().await;
    let held = "select sum(room_nights)::bigint from unpaid_holds(array['ame'])";
    let rooms = "select rooms from unpaid_rooms(array[7], array[3], (
        select array[min(stay_date) - date '1970-01-01'] from room_type_inventory))";
    assert_eq!((world.count(held).await, world.count(rooms).await), (6, 3));
    run(world.pool(), |_| {}).await.expect("carried over");
    assert_eq!((world.count(held).await, world.count(rooms).await), (6, 3));
    assert_eq!(world.book(HOTEL, first(), 1, PaymentMode::GuestPays).await.expect("booked").lines.len(), 1);
}

#[tokio::test]
async fn reservations_are_read_listed_and_ended_before_they_are_carried_over() {
    let world = release_before().await;
    let filter = crate::store::ListFilter { hotel_id: Some(hotel_id(HOTEL)), ..Default::default() };
    let before = world.store.list(&filter, None, 10).await.expect("listed");
    assert_eq!(before.len(), 5);
    for booking in &before {
        let read = world.store.get(booking.id).await.expect("read").expect("it exists");
        assert_eq!((&read.lines, &read.quote, read.revision), (&booking.lines, &price(), 1));
    }

    let of = |status| before.iter().find(|booking| booking.status == status).expect("one in this status").id;
    let cancelled = world.apply_at(of(Status::Paid), &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    assert_eq!((cancelled.status, cancelled.lines.len()), (Status::Cancelled, 3));
    let late = Timestamp::now() + SignedDuration::from_mins(16);
    let released = release_expired(&world.store, late, HoldCursor::START, 10, &BTreeSet::new()).await;
    let released = released.expect("released");
    assert_eq!((released.expired, released.stuck.len()), (1, 0), "{:?}", released.stuck);
    let reserved = "select sum(total_reserved)::bigint from room_type_inventory";
    assert_eq!(world.count(reserved).await, 0, "all nights are released");
    assert_eq!(world.count("select count(*) from reservation_room").await, 0);

    let ended = world.store.list(&filter, None, 10).await.expect("listed");
    assert_eq!(run(world.pool(), |_| {}).await.expect("carried over"), 5);
    assert!(check(&world).await.is_clean(), "{:?}", check(&world).await.listed);
    for booking in &ended {
        let carried = world.store.get(booking.id).await.expect("read").expect("it exists");
        assert_eq!((carried.lines, carried.quote, carried.status), (booking.lines.clone(), price(), booking.status));
    }
}

/// The lock waits for the carry-over, whose lines its own snapshot does not have.
#[tokio::test]
async fn cancellation_that_waits_for_a_carry_over_succeeds() {
    let world = release_before().await;
    let id: uuid::Uuid = sqlx::query_scalar("select reservation_id from reservation where status = 'paid'")
        .fetch_one(world.pool())
        .await
        .expect("the paid one");
    let id = staymesh_domain::ReservationId::try_from(id).expect("an id");
    let mut carrying = world.pool().begin().await.expect("a transaction");
    sqlx::query("select carry_over_rooms(10)").execute(&mut *carrying).await.expect("carried over");
    let carried = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        carrying.commit().await.expect("committed");
    };
    let (cancelled, ()) = tokio::join!(world.apply_at(id, &Command::Cancel, Timestamp::now()), carried);
    let cancelled = cancelled.expect("cancelled");
    assert_eq!((cancelled.status, cancelled.lines.len()), (Status::Cancelled, 3));
    assert!(check(&world).await.is_clean(), "{:?}", check(&world).await.listed);
}

#[tokio::test]
async fn reservation_with_a_revision_and_without_lines_is_an_error() {
    let world = release_before().await;
    world.tamper("update reservation set revision = 1").await;
    let filter = crate::store::ListFilter { hotel_id: Some(hotel_id(HOTEL)), ..Default::default() };
    let read = world.store.list(&filter, None, 10).await;
    assert!(matches!(read, Err(ReservationError::Store(StoreError::Unexpected(_)))), "{read:?}");
}

#[tokio::test]
async fn concurrent_runs_end_when_no_reservation_remains() {
    let world = release_before().await;
    let remaining = "select count(*) from reservation where revision is null";
    let carried = join_all((0..3).map(async |_| {
        let carried = run_in_batches(world.pool(), 2, |_| {}).await.expect("carried over");
        assert_eq!(world.count(remaining).await, 0);
        carried
    }));
    assert_eq!(carried.await.into_iter().sum::<u64>(), 5);
    assert!(check(&world).await.is_clean(), "{:?}", check(&world).await.listed);
}
