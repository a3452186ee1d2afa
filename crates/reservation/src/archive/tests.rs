//! Archiving months during bookings, with interruptions at every step.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::civil::date;
use sqlx::{Acquire, Executor};
use staymesh_domain::{PaymentId, ReservationId};
use staymesh_store::ResultExt;

use super::*;
use crate::{
    check,
    error::ReservationError,
    lifecycle::Command,
    model::{PaymentMode::GuestPays, Status},
    testing::{World, pay},
};

const JANUARY: Date = date(2020, 1, 1);
const FEBRUARY: Date = date(2020, 2, 1);
const MARCH: Date = date(2020, 3, 1);
const MAY: Date = date(2020, 5, 1);

/// The morning of 2020-05-05: January to March ended more than 30 days ago, April did not.
fn now() -> Timestamp {
    "2020-05-05T06:00:00Z".parse().expect("a time")
}

/// January to June 2020 on sale, and a reservation of two nights across the end of each month.
async fn world() -> (World, Vec<ReservationId>) {
    let world = World::new().await;
    world.sell(7, JANUARY, 182, 1000).await.expect("inventory");
    let mut bookings = Vec::new();
    for month in 1..=5 {
        let from = date(2020, month, 1).last_of_month();
        bookings.push(world.book(7, from, 2, GuestPays).await.expect("booked").id);
    }
    (world, bookings)
}

/// Sets the lock timeout of every connection of the pool: a booking that waits for a lock fails, however slow the machine
/// is. The job sets its own timeout.
async fn limit_lock_waits(world: &World, limit: &'static str) {
    let most = world.pool().options().get_max_connections();
    let mut connections = Vec::new();
    for _ in 0..most {
        connections.push(world.pool().acquire().await.expect("a connection"));
    }
    for connection in &mut connections {
        connection.execute(limit).await.expect("set");
    }
    drop(connections);
    let limited = "select count(*) from pg_settings where name = 'lock_timeout' and setting <> '0'";
    assert_eq!(world.count(limited).await, 1);
}

fn impatient() -> Options {
    Options { patience: Duration::from_millis(1), ..Options::default() }
}

async fn archive_all(world: &World, options: &Options) -> Result<Vec<Done>, ArchiveError> {
    run(world.pool(), options, now(), |_| {}).await
}

async fn archive_until(world: &World, now: &str) {
    let now = now.parse().expect("a time");
    run(world.pool(), &Options::default(), now, |_| {}).await.expect("archived");
}

fn archived(done: &[Done]) -> Vec<(i8, u64)> {
    done.iter()
        .filter_map(|done| match done {
            Done::Archived { month, nights } => Some((month.month(), *nights)),
            Done::Dropped { .. } => None,
        })
        .collect()
}

async fn assert_clean(world: &World) {
    let report = check::run(world.pool(), &check::Options::default(), |_| {}).await.expect("checked");
    assert!(report.is_clean(), "{:?}", report.listed);
}

/// Whether a detach of January was begun and not finished.
async fn january_is_detaching(world: &World) -> bool {
    let mut connection = world.pool().acquire().await.expect("a connection");
    store::place(&mut connection, JANUARY).await.expect("a place") == Place::Detaching
}

#[tokio::test]
async fn past_months_are_archived_and_their_reservations_stay() {
    let (world, bookings) = world().await;
    let done = archive_all(&world, &Options::default()).await.expect("archived");
    assert_eq!(archived(&done), [(1, 31), (2, 29), (3, 31)]);
    assert_eq!(archive_all(&world, &Options::default()).await.expect("again"), []);

    assert_eq!(world.count("select count(*) from room_type_inventory").await, 182 - 31 - 29 - 31);
    assert_eq!(world.count("select count(*) from archive.room_type_inventory_202001").await, 31);
    assert_eq!(world.count("select sum(rooms_sold)::bigint from inventory_archive").await, 5);
    assert_clean(&world).await;

    // All nights archived, some of them, none.
    for id in &bookings[1..4] {
        let known = world.store.get(*id).await.expect("read").expect("is there");
        assert_eq!(known.status, Status::PendingPayment);
        let cancelled = world.apply(*id, &Command::Cancel).await.expect("cancelled");
        assert_eq!(cancelled.status, Status::Cancelled);
        assert_clean(&world).await;
    }
    // A stay that has begun cannot be cancelled; one whose cancellation was requested before can.
    let paid = world.apply(bookings[4], &pay(PaymentId::new())).await.expect("paid").id;
    archive_until(&world, "2020-08-05T06:00:00Z").await;
    assert!(matches!(world.apply(paid, &Command::Cancel).await, Err(ReservationError::StayHasBegun)));
    assert_clean(&world).await;
    let cancelled = world.apply_at(paid, &Command::Cancel, now()).await.expect("cancelled");
    assert_eq!(cancelled.status, Status::Cancelled);
    assert_clean(&world).await;
    // Its hold expired; rooms of archived nights cannot be retaken, so the payment is refunded.
    world.apply(bookings[0], &Command::Expire).await.expect("expired");
    let late = world.apply(bookings[0], &pay(PaymentId::new())).await.expect("decided");
    assert_eq!(late.status, Status::Cancelled);
    assert_clean(&world).await;
}

#[tokio::test]
async fn no_show_releases_only_nights_outside_the_archive() {
    let (world, bookings) = world().await;
    // A night in February, which is archived, and one in March, which is not yet.
    let paid = world.apply(bookings[1], &pay(PaymentId::new())).await.expect("paid");
    let options = Options { keep_days: 0, ..Options::default() };
    run(world.pool(), &options, "2020-03-02T06:00:00Z".parse().expect("a time"), |_| {}).await.expect("archived");
    let missed = world.apply_at(paid.id, &Command::MarkNoShow, "2020-03-02T06:00:00Z".parse().expect("a time")).await;
    assert_eq!(missed.expect("no-show").status, Status::Cancelled);
    let night = "select total_reserved::bigint from room_type_inventory where stay_date = '2020-03-01'";
    assert_eq!(world.count(night).await, 0);
    assert_clean(&world).await;
}

#[tokio::test]
async fn bookings_continue_while_months_are_archived() {
    let (world, bookings) = world().await;
    // No booking would have timed out.
    limit_lock_waits(&world, "set lock_timeout = '3s'").await;
    let world = Arc::new(world);
    let stop = Arc::new(AtomicBool::new(false));
    let guests: Vec<_> = (0..4)
        .map(|n| {
            let (world, stop) = (world.clone(), stop.clone());
            tokio::spawn(async move {
                let mut made = 0;
                while !stop.load(Ordering::Relaxed) {
                    let booking = world.book(7, MAY.saturating_add(n.days()), 3, GuestPays).await.expect("booked");
                    world.apply(booking.id, &Command::Cancel).await.expect("cancelled");
                    made += 1;
                }
                made
            })
        })
        .collect();
    let checks = {
        let (world, stop) = (world.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert_clean(&world).await;
            }
        })
    };
    // Bookings in the months being archived, throughout.
    let old = {
        let world = world.clone();
        tokio::spawn(async move {
            for id in bookings {
                world.apply(id, &Command::Cancel).await.expect("cancelled");
                sleep(Duration::from_millis(50)).await;
            }
        })
    };
    let done = archive_all(&world, &Options::default()).await.expect("archived");
    assert_eq!(archived(&done).len(), 3);
    old.await.expect("no panic");
    stop.store(true, Ordering::Relaxed);
    checks.await.expect("never a false alarm");
    for guest in guests {
        assert!(guest.await.expect("no booking failed") > 0);
    }
    assert_clean(&world).await;
}

#[tokio::test]
async fn long_transaction_delays_a_month_without_blocking_bookings_and_the_next_run_finishes() {
    let (world, _) = world().await;
    limit_lock_waits(&world, "set lock_timeout = '1s'").await;
    let mut reader = world.pool().acquire().await.expect("a connection");
    let mut long = reader.begin().await.expect("begun");
    long.execute("select count(*) from room_type_inventory").await.expect("read");

    let busy = archive_all(&world, &impatient()).await;
    assert!(matches!(busy, Err(ArchiveError::Busy { month: JANUARY, .. })), "{busy:?}");
    assert!(january_is_detaching(&world).await);
    assert_clean(&world).await;
    // A second run times out as well; meanwhile bookings, a new month and cancellations succeed.
    let waiting = Options { patience: Duration::from_secs(4), ..Options::default() };
    let (again, ()) = tokio::join!(archive_all(&world, &waiting), async {
        for _ in 0..20 {
            sleep(Duration::from_millis(100)).await;
            let booking = world.book(7, MAY, 1, GuestPays).await.expect("booked");
            world.apply(booking.id, &Command::Cancel).await.expect("cancelled");
        }
        world.sell(7, date(2020, 12, 1), 10, 5).await.expect("a new month");
    });
    assert!(matches!(again, Err(ArchiveError::Busy { month: JANUARY, .. })), "{again:?}");
    assert_clean(&world).await;

    long.commit().await.expect("ended");
    let done = archive_all(&world, &Options::default()).await.expect("archived");
    assert_eq!(archived(&done), [(1, 31), (2, 29), (3, 31)]);
    assert_clean(&world).await;
}

#[tokio::test]
async fn interrupted_run_is_continued_from_every_step() {
    let (world, _) = world().await;
    let mut connection = world.pool().acquire().await.expect("a connection");
    // January is interrupted after it was recorded, February after the detach, March after the move.
    for month in [JANUARY, FEBRUARY, MARCH] {
        store::note(&mut connection, month).await.expect("noted");
        assert_clean(&world).await;
    }
    for month in [FEBRUARY, MARCH] {
        store::detach(&mut connection, month).await.expect("detached");
        assert_clean(&world).await;
    }
    store::move_to_archive(&mut connection, MARCH).await.expect("moved");
    assert_clean(&world).await;
    drop(connection);
    let done = archive_all(&world, &Options::default()).await.expect("archived");
    assert_eq!(archived(&done), [(1, 31), (2, 29), (3, 31)]);
}

#[tokio::test]
async fn concurrent_run_is_refused() {
    let (world, _) = world().await;
    let first = Session::begin(world.pool()).await.expect("connected").expect("the only run");
    assert!(matches!(archive_all(&world, &Options::default()).await, Err(ArchiveError::AnotherRun)));
    first.end().await;
    assert_eq!(archive_all(&world, &Options::default()).await.expect("archived").len(), 3);
}

#[tokio::test]
async fn month_is_dropped_after_its_export() {
    let (world, _) = world().await;
    let folder = std::env::temp_dir().join(format!("staymesh-archive-{}", uuid::Uuid::new_v4()));
    let options = Options { drop_into: Some(folder.clone()), ..Options::default() };
    let done = archive_all(&world, &options).await.expect("archived");
    assert_eq!(done.len(), 6);
    assert_eq!(world.count("select count(*) from pg_tables where schemaname = 'archive'").await, 0);
    assert_eq!(world.count("select count(*) from inventory_archive where dropped_at is not null").await, 3);
    let file = std::fs::read_to_string(folder.join("room_type_inventory_202002.csv")).expect("a file");
    let lines: Vec<_> = file.lines().collect();
    assert_eq!(lines.len(), 30);
    let columns = "hotel_id,room_type_id,stay_date,total_inventory,total_reserved,overbooking_percent,version";
    assert_eq!(lines[0], format!("{columns},stop_sell,out_of_order"));
    assert_eq!((lines[1], lines[29]), ("7,3,2020-02-01,1000,1,10,1,f,0", "7,3,2020-02-29,1000,1,10,1,f,0"));
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 3, "nothing unfinished");
    assert_eq!(archive_all(&world, &options).await.expect("again"), []);
    assert_clean(&world).await;
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn failed_export_keeps_the_table() {
    let (world, _) = world().await;
    let options = Options { drop_into: Some("/dev/null/nowhere".into()), ..Options::default() };
    let failed = archive_all(&world, &options).await;
    assert!(matches!(failed, Err(ArchiveError::File { .. })), "{failed:?}");
    assert_eq!(world.count("select count(*) from archive.room_type_inventory_202001").await, 31);
}

#[tokio::test]
async fn archived_month_is_not_recreated() {
    let (world, _) = world().await;
    archive_all(&world, &Options::default()).await.expect("archived");
    let refused = sqlx::query("select ensure_inventory_partitions('2020-03-31', '2020-04-01')")
        .execute(world.pool())
        .await
        .on_constraint("room_type_inventory_not_archived", |_| ReservationError::NotOnSale);
    assert!(matches!(refused, Err(ReservationError::NotOnSale)), "{refused:?}");
    world.sell(7, date(2020, 4, 1), 10, 5).await.expect("April is there");
}

#[tokio::test]
async fn creating_a_month_neither_blocks_bookings_nor_waits_for_them() {
    let (world, _) = world().await;
    let quick = "set local lock_timeout = '1s'";
    let mut booking = world.pool().begin().await.expect("begun");
    booking.execute("update room_type_inventory set total_reserved = total_reserved + 1").await.expect("taken");
    let mut month = world.pool().begin().await.expect("begun");
    month.execute(quick).await.expect("set");
    month.execute("select ensure_inventory_partitions('2031-01-01', '2031-03-01')").await.expect("no wait");
    // Neither is committed.
    let mut other = world.pool().begin().await.expect("begun");
    other.execute(quick).await.expect("set");
    other.execute("select count(*) from room_type_inventory").await.expect("no wait");
    other.execute("insert into room_type_inventory values (8, 1, '2020-05-05', 1, 0, 10, 0)").await.expect("no wait");
    booking.rollback().await.expect("ended");
    month.commit().await.expect("made");
    other.commit().await.expect("made");
    assert_eq!(world.count("select count(*) from pg_inherits where inhrelid::regclass::text like '%2031%'").await, 6);
}
