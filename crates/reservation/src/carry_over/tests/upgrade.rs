//! A database of the release before is migrated while that release serves: nothing is lost, and the check is clean.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::join_all;
use jiff::{Timestamp, ToSpan, civil::Date};
use sqlx::{AssertSqlSafe, migrate::Migrator};
use staymesh_domain::{PaymentId, ReservationId};
use staymesh_store::{StoreConfig, connect, migrate};
use staymesh_testkit::TestDatabase;
use uuid::Uuid;

use super::{
    super::run,
    check, first,
    release_before::{CANCELLED, PAID, ReleaseBefore},
};
use crate::{
    MIGRATOR,
    lifecycle::Command,
    model::Status,
    store::Store,
    testing::{World, hotel_id},
};

/// The last migration of the release before.
const LAST_OF_RELEASE_BEFORE: i64 = 22;
const HOTEL: i32 = 7;
const CONNECTIONS: u32 = 4;
/// Timeout that only detects a hang.
const PATIENCE: Duration = Duration::from_mins(1);

fn id() -> ReservationId {
    ReservationId::generate(hotel_id(HOTEL), Timestamp::now())
}

/// The reservations of the release before when the migration begins.
struct Before {
    hold: ReservationId,
    /// Its page is open, and it is paid after the migration.
    open_payment: ReservationId,
    overdue: ReservationId,
    paid: ReservationId,
    refunded: ReservationId,
    /// Its nights are in the archive.
    archived: ReservationId,
}

/// The first of the month before the last one.
fn archived_month() -> Date {
    first().first_of_month().saturating_sub(4.months())
}

async fn execute(release: &ReleaseBefore, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&release.pool).await.expect("executed");
}

/// Puts rooms on sale, in the past as well.
async fn sell(release: &ReleaseBefore) {
    for from in [first(), archived_month()] {
        let nights = format!(
            "select ensure_inventory_partitions('{from}', '{from}'::date + 20);
             insert into room_type_inventory (hotel_id, room_type_id, stay_date, total_inventory)
             select {HOTEL}, 3, '{from}'::date + n, 1000 from generate_series(0, 19) n"
        );
        execute(release, nights).await;
    }
}

/// Moves the nights of a month to the archive, as its job does.
async fn archive(release: &ReleaseBefore) {
    let (month, part) = (archived_month(), archived_month().strftime("room_type_inventory_%Y%m").to_string());
    let steps = [
        format!("insert into inventory_archive (month) values ('{month}')"),
        format!("alter table room_type_inventory detach partition {part} concurrently"),
        format!("alter table {part} set schema archive"),
        format!(
            "update inventory_archive set archived_at = now(), (nights, rooms_sold) = (
                 select count(*), sum(total_reserved) from archive.{part})"
        ),
    ];
    for step in steps {
        execute(release, step).await;
    }
}

async fn fill(release: &ReleaseBefore) -> Before {
    sell(release).await;
    let book = async |from: Date| {
        let id = id();
        release.answer(async || release.book(id, from, 3, 2).await).await;
        id
    };
    let paid = async |from: Date| {
        let id = book(from).await;
        release.answer(async || release.change(id, PAID(Uuid::now_v7())).await).await;
        id
    };
    let before = Before {
        hold: book(first()).await,
        open_payment: book(first()).await,
        overdue: book(first()).await,
        paid: paid(first()).await,
        refunded: paid(first()).await,
        archived: paid(archived_month()).await,
    };
    release.answer(async || release.change(before.refunded, CANCELLED).await).await;
    // Refunded by the payment service, and expired by the clock.
    let (refunded, overdue) = (before.refunded.as_uuid(), before.overdue.as_uuid());
    let later = format!(
        "update reservation set status = 'refunded', refunded_minor = 60000 where reservation_id = '{refunded}';
         update reservation set hold_expire_time = now() + interval '1 s' where reservation_id = '{overdue}'"
    );
    execute(release, later).await;
    archive(release).await;
    before
}

/// Guests book, pay, cancel and read until `stop`, in one month; returns what they have, with its status.
async fn serve(release: &ReleaseBefore, stop: &AtomicBool) -> BTreeMap<Uuid, &'static str> {
    let mut made = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let (id, n) = (id(), made.len());
        release.answer(async || release.book(id, first(), [1, 2, 3][n % 3], 1).await).await;
        let status = ["pending_payment", "paid", "cancelled"][n % 3];
        if status != "pending_payment" {
            release.answer(async || release.change(id, PAID(Uuid::now_v7())).await).await;
        }
        if status == "cancelled" {
            release.answer(async || release.change(id, CANCELLED).await).await;
        }
        let read = release.answer(async || release.get(id).await).await.expect("it exists");
        assert_eq!((read.status.as_str(), read.price["total_minor"].is_number()), (status, true));
        assert!(!release.answer(async || release.list(HOTEL).await).await.is_empty());
        release.answer(async || release.expire(Timestamp::now()).await).await;
        made.insert(id.as_uuid(), status);
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn release_before_serves_while_its_database_is_migrated_and_nothing_is_lost() {
    let upto = MIGRATOR.iter().filter(|migration| migration.version <= LAST_OF_RELEASE_BEFORE);
    let old = Migrator::with_migrations(upto.cloned().collect());
    let database = TestDatabase::new("reservation", &old).await.expect("a database");
    let config = StoreConfig { database_max_connections: CONNECTIONS, ..StoreConfig::new(database.url()) };
    let release = ReleaseBefore::new(connect(&config).expect("a pool"));
    let before = fill(&release).await;
    let archived = format!(
        "select string_agg(n::text, ' ') from archive.{} n",
        archived_month().strftime("room_type_inventory_%Y%m")
    );
    let read_archive = async || -> String {
        sqlx::query_scalar(AssertSqlSafe(archived.clone())).fetch_one(database.pool()).await.expect("the archive")
    };
    let kept = read_archive().await;

    let stop = AtomicBool::new(false);
    let upgrade = async {
        migrate::run(&config, &MIGRATOR, PATIENCE).await.expect("migrated");
        run(database.pool(), |_| {}).await.expect("carried over");
        stop.store(true, Ordering::Relaxed);
    };
    let guests = join_all((0..CONNECTIONS).map(|_| serve(&release, &stop)));
    let (made, ()) = tokio::join!(guests, upgrade);
    let expected: BTreeMap<Uuid, &str> = made.into_iter().flatten().collect();
    let failures = [&release.unavailable, &release.outdated].map(|count| count.load(Ordering::Relaxed));
    println!("{} bookings meanwhile; unavailable, outdated: {failures:?}", expected.len());

    // The sessions that had prepared statements of the old columns are closed: now it serves without a failure.
    let after = id();
    for _ in 0..2 * CONNECTIONS {
        release.book(after, first(), 1, 1).await.expect("booked");
        release.get(before.paid).await.expect("read");
        release.list(HOTEL).await.expect("listed");
        release.expire(Timestamp::now()).await.expect("expired");
        release.change(before.open_payment, PAID(Uuid::from_u128(1))).await.expect("paid");
    }
    release.change(after, CANCELLED).await.expect("cancelled");
    assert_eq!(read_archive().await, kept);
    let world = World { store: Store::new(database.pool().clone()), database };
    assert!(check(&world).await.is_clean(), "{:?}", check(&world).await.listed);

    for (id, status) in expected {
        let id = ReservationId::try_from(id).expect("an id");
        let read = world.store.get(id).await.expect("read").expect("it exists");
        assert_eq!((read.status.as_str(), read.lines.len(), read.revision), (status, 1, 1));
    }
    assert_new_release_goes_on(&world, &before).await;
}

/// The new release ends what the release before began.
async fn assert_new_release_goes_on(world: &World, before: &Before) {
    let now = Timestamp::now();
    let status = async |id: ReservationId| {
        let read = world.store.get(id).await.expect("read").expect("it exists");
        assert_eq!((read.lines.len(), read.quote.total.minor()), (2, 60_000), "{id}");
        read.status
    };
    assert_eq!(status(before.open_payment).await, Status::Paid);
    assert_eq!(status(before.refunded).await, Status::Refunded);
    assert_eq!(status(before.archived).await, Status::Paid);
    assert_eq!(status(before.hold).await, Status::PendingPayment);
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: crate::quote::tests::euros(60_000) };
    world.apply_at(before.hold, &pay, now).await.expect("paid");
    world.apply_at(before.paid, &Command::Cancel, now).await.expect("cancelled");
    assert_eq!((status(before.hold).await, status(before.paid).await), (Status::Paid, Status::Cancelled));
    let left = [Status::PendingPayment, Status::Cancelled];
    assert!(left.contains(&status(before.overdue).await), "it ends by the clock of either release");
    assert!(check(world).await.is_clean(), "{:?}", check(world).await.listed);
}
