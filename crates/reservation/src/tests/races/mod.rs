//! Races through gRPC against the real database: bookings of several rooms over overlapping nights, their payments, changes,
//! partial cancellations, stop-sell and rooms out of order, all at once. The counts are exact, no transaction deadlocks, and
//! no reader sees half a booking.
//!
//! Every booking has a room of type 1 and one of type 2 for the same nights, which always change together: in every
//! consistent view as many rooms of both are left in every night. Some have a room of type 3 besides, which has other nights,
//! is cancelled alone, and whose rooms are out of order.
//!
//! `STAYMESH_RACE_ACTS` is the number of acts of each guest; the default is for every run of the tests.

mod guest;
mod mesh;
mod reader;

use std::{collections::BTreeMap, sync::LazyLock};

use futures::future::join_all;
use jiff::{Timestamp, ToSpan, civil::Date};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use staymesh_api::reservation::v1 as proto;
use tokio_util::sync::CancellationToken;

use self::{
    guest::{Guest, act},
    mesh::{HOTEL, Mesh, NIGHTS, ROOMS, Users},
};
use crate::{calendar::today, check};

/// Guests, each with bookings of its own.
const GUESTS: usize = 6;

/// The acts of each guest.
fn acts() -> usize {
    let given = std::env::var("STAYMESH_RACE_ACTS").ok();
    given.map_or(12, |acts| acts.parse().expect("STAYMESH_RACE_ACTS is a number"))
}

/// The first night, the same for the whole run.
static FIRST: LazyLock<Date> = LazyLock::new(|| today(Timestamp::now()).saturating_add(60.days()));

fn date(night: usize) -> Date {
    FIRST.saturating_add(i64::try_from(night).expect("few").days())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bookings_changes_stop_sell_and_out_of_order_race_and_every_count_is_exact() {
    let mesh = Mesh::start().await;
    let deadlocks = mesh.deadlocks().await;
    let (mut runner, stop) = (TestRunner::deterministic(), CancellationToken::new());
    let readers: Vec<_> = (0..2).map(|_| tokio::spawn(reader::watch(mesh.users(), stop.clone()))).collect();
    let sequences = proptest::collection::vec(act(), acts());
    let guests = (0..GUESTS).map(|number| {
        let acts = sequences.new_tree(&mut runner).expect("acts").current();
        let mut guest = Guest::new(number, mesh.users());
        tokio::spawn(async move {
            for act in acts {
                guest.carry_out(act).await;
            }
            guest.booked
        })
    });
    let guests: Vec<_> = guests.collect();
    let mut booked = 0;
    for guest in join_all(guests).await {
        booked += guest.expect("no guest fails");
    }
    stop.cancel();
    let mut views = 0;
    for reader in join_all(readers).await {
        views += reader.expect("no reader fails");
    }
    println!("{booked} bookings, {views} consistent views");
    assert!(booked > GUESTS, "{booked} bookings");
    assert!(views > 0, "the readers read");

    require_exact(&mesh.users()).await;
    let report = check::run(mesh.pool(), &check::Options::default(), |_| {}).await.expect("checked");
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(mesh.stop().await.deadlocks().await, deadlocks);
}

/// Rooms reserved in each night are those of the reservations that hold rooms, with what their pending changes add, and at
/// most what there is.
async fn require_exact(users: &Users) {
    let mut expected: BTreeMap<(i32, String), i32> = BTreeMap::new();
    for booking in users.reservations().await {
        let live =
            [proto::ReservationStatus::PendingPayment, proto::ReservationStatus::Paid].contains(&booking.status());
        assert!(booking.pending_change.is_none(), "every change was paid or given up: {booking:?}");
        for room in booking.rooms.iter().filter(|room| live && reader::is_live(room)) {
            for night in reader::nights(room) {
                *expected.entry((room.room_type_id, night)).or_default() += 1;
            }
        }
    }
    let mut reserved = BTreeMap::new();
    for room_type_id in [1, 2, 3] {
        let request = proto::ListInventoryRequest {
            hotel_id: HOTEL,
            room_type_id,
            from_date: date(0).to_string(),
            until_date: date(NIGHTS).to_string(),
            ..Default::default()
        };
        let nights = users.inventory.clone().list_inventory(request).await.expect("inventory").into_inner().nights;
        for night in nights {
            assert!(night.total_reserved <= ROOMS, "{night:?}");
            reserved.insert((room_type_id, night.stay_date), night.total_reserved);
        }
    }
    reserved.retain(|_, rooms| *rooms != 0);
    assert_eq!(reserved, expected);
}
