//! What staff put on sale, and the daily job.

use staymesh_mesh::Problem;
use tonic_types::StatusExt;

use super::*;

#[tokio::test]
async fn inventory_below_reserved_and_retiring_a_reserved_hotel_are_refused() {
    let world = World::with_rooms(10).await;
    let booking = world.book(&world.order(3, 4, 5)).await.expect("booked");
    let other = world.book(&world.order(6, 7, 6)).await.expect("booked");
    let refused = Problem::from(world.set_inventory(0, 10, 4, 10).await.expect_err("refused"));
    let status = tonic::Status::from(refused);
    let info = status.get_error_details().error_info().cloned().expect("a reason");
    let metadata = |key: &str| info.metadata.get(key).cloned().unwrap_or_default();
    let first = world.nights(3, 4).check_in().to_string();
    assert_eq!(["stay_date", "reserved", "asked"].map(metadata), [first.as_str(), "5", "4"], "the first of two nights");
    assert_eq!(info.reason, "INVENTORY_BELOW_RESERVED");
    let today = calendar::today(Timestamp::now());
    let retire = || world.store.retire(world.hotel, None, today);
    assert!(matches!(retire().await, Err(ReservationError::HasFutureReservations)));
    assert_eq!(world.set_inventory(0, 6, 5, 0).await.expect("as many as are reserved"), 6);
    world.apply(booking.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world.apply(other.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    retire().await.expect("nothing is reserved");
    assert!(matches!(world.book(&world.order(3, 4, 1)).await, Err(ReservationError::SoldOut { .. })));
}

#[tokio::test]
async fn absent_overbooking_leaves_nights_and_plan_and_new_nights_get_that_of_the_plan() {
    let world = World::with_rooms(10).await;
    let set = async |from: i32, until: i32, percent: Option<i16>, for_future_nights: bool| {
        let stay = world.nights(from, until);
        let change = InventoryChange {
            room_type_id: world.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: 10,
            overbooking_percent: percent,
            for_future_nights,
            etag: String::new(),
        };
        world.store.set_inventory(world.hotel, &[change]).await.expect("inventory");
    };
    let percents = async || -> Vec<i16> {
        sqlx::query_scalar("select overbooking_percent from room_type_inventory order by stay_date")
            .fetch_all(world.pool())
            .await
            .expect("reads")
    };
    set(10, 11, None, false).await;
    assert_eq!(percents().await, [10; 11], "without a plan, ten percent");
    set(0, 11, Some(0), true).await;
    set(0, 14, None, true).await;
    assert_eq!(percents().await, [0; 14]);
    assert_eq!(world.count("select overbooking_percent::bigint from inventory_plan").await, 0);
    world.book(&world.order(0, 1, 10)).await.expect("all of them");
    assert!(matches!(world.book(&world.order(0, 1, 1)).await, Err(ReservationError::SoldOut { .. })));
}

#[tokio::test]
async fn set_inventory_with_an_old_etag_is_refused_and_bookings_keep_the_etag() {
    let world = World::with_rooms(10).await;
    let stay = world.nights(0, 10);
    let set = async |rooms: i32, for_future_nights: bool, etag: &str| {
        let change = InventoryChange {
            room_type_id: world.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: Some(10),
            for_future_nights,
            etag: etag.to_owned(),
        };
        let mut set = world.store.set_inventory(world.hotel, &[change]).await?;
        set.etags.pop().map(|(_, etag)| etag).ok_or(ReservationError::NotFound)
    };
    let read = world.store.inventory_etag(world.hotel, world.room_type).await.expect("reads");
    world.book(&world.order(3, 4, 5)).await.expect("booked");
    // The same values again, and the booking, keep the etag.
    assert_eq!(set(10, false, &read).await.expect("set"), read);
    let first = set(9, false, &read).await.expect("set");
    assert_ne!(first, read);
    // The second editor started from the same version.
    assert!(matches!(set(8, false, &read).await, Err(ReservationError::EtagMismatch)));
    assert_eq!(world.count("select min(total_inventory)::bigint from room_type_inventory").await, 9);
    let planned = set(9, true, &first).await.expect("set");
    assert_ne!(planned, first, "the plan is part of it");
    assert_eq!(set(9, true, "").await.expect("an empty etag accepts any version"), planned);
}

#[tokio::test]
async fn extend_fills_two_years_once_and_never_shrinks() {
    let world = World::with_rooms(10).await;
    let stay = world.nights(0, 2);
    let change = InventoryChange {
        room_type_id: world.room_type,
        nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
        total_inventory: 10,
        overbooking_percent: Some(10),
        for_future_nights: true,
        etag: String::new(),
    };
    world.store.set_inventory(world.hotel, &[change]).await.expect("inventory");
    let now = Timestamp::now();
    let run = || extend::run(&world.store, now, |_, _| {});
    let (first, second) = tokio::join!(run(), run());
    let new = first.expect("runs").nights + second.expect("runs").nights;
    let all = world.count("select count(*) from room_type_inventory").await;
    assert_eq!(i64::try_from(new), Ok(all - 10), "two runs at once fill each night once");
    assert_eq!(extend::run(&world.store, now, |_, _| {}).await.expect("runs").nights, 0);
    let earlier = now - SignedDuration::from_hours(24 * 10);
    extend::run(&world.store, earlier, |_, _| {}).await.expect("runs");
    assert_eq!(world.count("select count(*) from room_type_inventory").await, all);
}

#[tokio::test]
async fn bulk_inventory_changes_and_bookings_do_not_deadlock() {
    let world = Arc::new(World::with_rooms(1000).await);
    let change = |from, until| {
        let stay = world.nights(from, until);
        InventoryChange {
            room_type_id: world.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: 1000,
            overbooking_percent: Some(10),
            for_future_nights: true,
            etag: String::new(),
        }
    };
    let changes = [change(6, 10), change(0, 3)];
    let bulk = join_all((0..20).map(|_| world.store.set_inventory(world.hotel, &changes)));
    let bookings = join_all((0..60).map(|_| {
        let order = world.order(0, 9, 1);
        let world = world.clone();
        async move { world.book(&order).await }
    }));
    let (bulk, bookings) = tokio::join!(bulk, bookings);
    assert!(bulk.iter().all(Result::is_ok), "{bulk:?}");
    assert!(bookings.iter().all(Result::is_ok), "{bookings:?}");
}
