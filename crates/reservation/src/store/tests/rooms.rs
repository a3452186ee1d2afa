//! Bookings of several rooms: all of them or none, in any order and at the same time.

use std::collections::BTreeSet;

use super::*;
use crate::{
    check::{self, Options},
    night::day_of,
    quote::ForReleaseBefore,
    room_line::ShortRoom,
};

fn suite() -> RoomTypeId {
    RoomTypeId::try_from(2).expect("an id")
}

impl World {
    /// [`World::with_rooms`], and as many rooms of a second type.
    async fn with_two_types(rooms: i32) -> Self {
        let world = Self::with_rooms(rooms).await;
        let stay = world.nights(0, 10);
        let change = InventoryChange {
            room_type_id: suite(),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: Some(0),
            for_future_nights: false,
            etag: String::new(),
        };
        world.store.set_inventory(world.hotel, &[change]).await.expect("inventory");
        world
    }

    /// A room of each type with its own nights, as lines of one booking.
    fn rooms(&self, rooms: &[(RoomTypeId, i32, i32)]) -> NewReservation {
        let line = |(room_type, from, until): &(RoomTypeId, i32, i32)| {
            lines(*room_type, self.nights(*from, *until), 1, &quote_of(self.nights(*from, *until)))
                .pop()
                .expect("a line")
        };
        order_of(rooms.iter().map(line).collect(), Timestamp::now())
    }

    /// Rooms reserved of a type, by night.
    async fn reserved_of(&self, room_type: RoomTypeId) -> Vec<i32> {
        sqlx::query_scalar("select total_reserved from room_type_inventory where room_type_id = $1 order by stay_date")
            .bind(room_type.get())
            .fetch_all(self.pool())
            .await
            .expect("rows")
    }

    pub(super) async fn is_clean(&self) {
        let report = check::run(self.pool(), &Options::default(), |_| {}).await.expect("checked");
        assert!(report.is_clean(), "{:?}", report.listed);
    }
}

#[tokio::test]
async fn booking_of_different_rooms_takes_the_nights_of_each_and_is_read_back_as_it_was_made() {
    let world = World::with_two_types(10).await;
    let double = world.room_type;
    let mut order = world.rooms(&[(double, 0, 2), (suite(), 1, 3), (double, 1, 2)]);
    order.lines[0].party = "2-9,4".parse().expect("a party");
    let booked = world.book(&order).await.expect("booked");
    assert_eq!(world.reserved_of(double).await[..4], [1, 2, 0, 0]);
    assert_eq!(world.reserved_of(suite()).await[..4], [0, 1, 1, 0]);
    let read = world.store.get(order.id).await.expect("read").expect("it exists");
    assert_eq!((&read.lines, read.stay), (&order.lines, world.nights(0, 3)));
    assert_eq!((read.quote.total.minor(), booked.quote.total), (3 * TOTAL, read.quote.total));
    world.is_clean().await;

    world.apply(order.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    assert!([world.reserved_of(double).await, world.reserved_of(suite()).await].concat().iter().all(|n| *n == 0));
    assert_eq!(world.count("select count(*) from reservation_room where status = 'cancelled'").await, 3);
    world.is_clean().await;
}

/// PARTNER-SPEC 7, rule 7: one room that is short refuses all, and the refusal says which.
#[tokio::test]
async fn booking_with_one_short_room_takes_nothing_and_names_the_room_and_the_night() {
    let world = World::with_two_types(1).await;
    let double = world.room_type;
    world.book(&world.rooms(&[(suite(), 2, 3)])).await.expect("the last suite of the third night");
    let refused = world.book(&world.rooms(&[(double, 0, 4), (suite(), 0, 4)])).await.expect_err("refused");
    let ReservationError::SoldOut { room, stay_date, rooms_left, hold_expire_time } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(room, Some(ShortRoom { index: 1, room_type_id: suite() }));
    assert_eq!((stay_date, rooms_left), (Some(world.nights(2, 3).check_in()), Some(0)));
    assert!(hold_expire_time.is_some(), "the suite is held unpaid");
    // Of two equal rooms with one left it is the second.
    let two = world.book(&world.rooms(&[(double, 0, 1), (double, 0, 1)])).await.expect_err("refused");
    assert!(matches!(two, ReservationError::SoldOut { room: Some(ShortRoom { index: 1, .. }), .. }), "{two:?}");
    assert!(world.reserved_of(double).await.iter().all(|rooms| *rooms == 0));
    world.is_clean().await;
}

#[tokio::test]
async fn booking_with_two_short_types_names_the_lowest_type_and_its_first_short_night() {
    let world = World::with_two_types(1).await;
    let double = world.room_type;
    world.book(&world.rooms(&[(double, 0, 1), (suite(), 2, 4)])).await.expect("the last rooms of their nights");
    let refused = world.book(&world.rooms(&[(double, 0, 4), (suite(), 0, 4)])).await.expect_err("refused");
    let ReservationError::SoldOut { room, stay_date, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(room, Some(ShortRoom { index: 1, room_type_id: suite() }));
    assert_eq!(stay_date, Some(world.nights(2, 3).check_in()));
}

#[tokio::test]
async fn concurrent_bookings_of_different_rooms_in_any_order_never_oversell_or_deadlock() {
    let world = Arc::new(World::with_two_types(10).await);
    let double = world.room_type;
    let guests = (0..40).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut rooms = [(double, 0, 3), (suite(), 1, 4), (double, 2, 5)];
            rooms.rotate_left(n % 3);
            let order = world.rooms(&rooms[..=n % 2]);
            match world.book(&order).await {
                Ok(booked) if n % 5 == 0 => world.apply(booked.id, Command::Cancel, Timestamp::now()).await.map(|_| ()),
                Ok(_) | Err(ReservationError::SoldOut { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
    });
    for outcome in join_all(guests).await {
        outcome.expect("no panic").expect("booked, cancelled or sold out");
    }
    let most = world.reserved_of(suite()).await.into_iter().max();
    assert!(most <= Some(10), "{most:?}");
    world.is_clean().await;
}

/// A replica of the release before may end a reservation during an upgrade. It reads the number of
/// rooms, one type and one pair of dates, and would release two doubles for a double and a suite; without a price it fails.
#[tokio::test]
async fn booking_of_different_rooms_has_no_price_that_the_release_before_can_read() {
    let world = World::with_two_types(10).await;
    let double = world.room_type;
    let mixed = world.rooms(&[(double, 0, 2), (suite(), 0, 2)]);
    let other_dates = world.rooms(&[(double, 0, 2), (double, 0, 1)]);
    let equal = world.rooms(&[(double, 0, 2), (double, 0, 2)]);
    for (order, readable) in [(&mixed, false), (&other_dates, false), (&equal, true)] {
        world.book(order).await.expect("booked");
        let price: serde_json::Value = sqlx::query_scalar("select price from reservation where reservation_id = $1")
            .bind(order.id.as_uuid())
            .fetch_one(world.pool())
            .await
            .expect("a price");
        let written = serde_json::to_value(ForReleaseBefore(&order.quote)).expect("serializable");
        assert_eq!(price, if readable { written } else { serde_json::Value::Null });
        let read = world.store.get(order.id).await.expect("read").expect("it exists");
        assert_eq!((read.lines, read.quote), (order.lines.clone(), order.quote.clone()));
    }
    world.is_clean().await;
}

#[tokio::test]
async fn unpaid_rooms_and_earliest_holds_of_a_night_are_those_of_the_lines_over_it() {
    let world = World::with_two_types(10).await;
    let double = world.room_type;
    for rooms in [&[(double, 0, 2), (suite(), 1, 3)][..], &[(double, 1, 2), (double, 3, 6)], &[(suite(), 9, 10)]] {
        world.book(&world.rooms(rooms)).await.expect("booked");
    }
    // All that is reserved is held unpaid, whether nights are asked for one by one or together.
    let one_by_one = "select count(*) from room_type_inventory i
        cross join lateral unpaid_rooms(array[i.hotel_id], array[i.room_type_id], array[i.stay_date - date '1970-01-01']) u
        where u.rooms <> i.total_reserved";
    let together = "select sum(u.rooms)::bigint from (
            select array_agg(hotel_id) as hotels, array_agg(room_type_id) as types,
                array_agg(stay_date - date '1970-01-01') as days
            from room_type_inventory
        ) n, unpaid_rooms(n.hotels, n.types, n.days) u";
    assert_eq!((world.count(one_by_one).await, world.count(together).await), (0, 9));

    let first = day_of(world.nights(0, 1).check_in());
    let nights = |room_type: RoomTypeId, days: &[i32]| {
        days.iter().map(|day| (world.hotel.get(), room_type.get(), first + day)).collect::<BTreeSet<_>>()
    };
    let all: Vec<i32> = (0..10).collect();
    let wanted = &nights(double, &all) | &nights(suite(), &all);
    let held = &nights(double, &[0, 1, 3, 4, 5]) | &nights(suite(), &[1, 2, 9]);
    let found = world.store.earliest_holds(wanted).await.expect("read");
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), held);
}
