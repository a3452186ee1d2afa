//! Against a real database: what it lets nobody do, and what happens when many want the same.

mod batches;
mod no_shows;
mod partner_sales;

use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use sqlx::PgPool;
use staymesh_domain::{
    DateRange, GuestCount, HotelId, Money, PaymentId, ReservationId, RoomCount, RoomTypeId, StayDates,
};
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    MIGRATOR,
    error::ReservationError,
    extend,
    lifecycle::Command,
    model::{Guest, NewReservation, PaymentMode, Reservation, Status},
    quote::{Night, Quote},
};

const TOTAL: i64 = 30_000;

struct World {
    store: Store,
    database: TestDatabase,
    hotel: HotelId,
    room_type: RoomTypeId,
    first: Date,
}

impl World {
    /// Ten nights with so many rooms, overbooked by ten per cent.
    async fn with_rooms(rooms: i32) -> Self {
        let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
        let first = extend::today(Timestamp::now()).saturating_add(30.days());
        let world = Self {
            store: Store::new(database.pool().clone()),
            database,
            hotel: HotelId::try_from(7).expect("an id"),
            room_type: RoomTypeId::try_from(3).expect("an id"),
            first,
        };
        world.set_inventory(0, 10, rooms, 10).await.expect("inventory");
        world
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    fn nights(&self, from: i32, until: i32) -> StayDates {
        StayDates::new(self.first.saturating_add(from.days()), self.first.saturating_add(until.days())).expect("a stay")
    }

    async fn set_inventory(&self, from: i32, until: i32, rooms: i32, percent: i16) -> Result<u64, ReservationError> {
        let stay = self.nights(from, until);
        let change = InventoryChange {
            room_type_id: self.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: percent,
            for_future_nights: false,
        };
        self.store.set_inventory(self.hotel, &[change]).await
    }

    fn order(&self, from: i32, until: i32, rooms: i32) -> NewReservation {
        let stay = self.nights(from, until);
        NewReservation {
            id: ReservationId::generate(self.hotel, Timestamp::now()),
            owner: "me".into(),
            room_type_id: self.room_type,
            stay,
            rooms: RoomCount::try_from(rooms).expect("rooms"),
            guests: GuestCount::ONE,
            guest: Guest { full_name: "A guest".into(), email: "guest@example.com".into() },
            payment_mode: PaymentMode::GuestPays,
            quote: quote(),
            content_hash: [7; 32],
            hold_expire_time: Some(Timestamp::now() + SignedDuration::from_mins(15)),
            trace_parent: None,
        }
    }

    async fn book(&self, order: &NewReservation) -> Result<Reservation, ReservationError> {
        match self.store.admit(std::slice::from_ref(order)).await?.pop().expect("an outcome")? {
            Created::New(booking) | Created::Repeat(booking) => Ok(booking),
        }
    }

    async fn apply(&self, id: ReservationId, command: Command, now: Timestamp) -> Result<Applied, ReservationError> {
        self.store.apply(id, &command, now).await
    }

    /// Rooms reserved in each of the ten nights.
    async fn reserved(&self) -> Vec<i32> {
        sqlx::query_scalar("select total_reserved from room_type_inventory order by stay_date")
            .fetch_all(self.pool())
            .await
            .expect("rows")
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.expect("a count")
    }
}

fn quote() -> Quote {
    Quote {
        currency: "EUR".into(),
        nights: vec![Night { date: "2030-01-01".into(), minor: TOTAL }],
        subtotal_minor: TOTAL,
        taxes: vec![],
        total_minor: TOTAL,
        free_until_hours_before: 0,
        late_penalty_percent: 0,
    }
}

fn total() -> Money {
    Money::from_minor(TOTAL, "EUR".parse().expect("a currency")).expect("an amount")
}

#[tokio::test]
async fn of_a_hundred_rooms_the_hundred_and_tenth_is_sold_and_the_next_is_not() {
    let world = World::with_rooms(100).await;
    for _ in 0..2 {
        world.book(&world.order(0, 1, 50)).await.expect("rooms");
    }
    world.book(&world.order(0, 1, 9)).await.expect("rooms");
    world.book(&world.order(0, 1, 1)).await.expect("the 110th");
    assert!(matches!(world.book(&world.order(0, 1, 1)).await, Err(ReservationError::SoldOut { .. })));
    assert_eq!(world.reserved().await[..2], [110, 0]);
    // Whatever the application does.
    let raw = sqlx::query("update room_type_inventory set total_reserved = 111 where total_reserved = 110")
        .execute(world.pool())
        .await
        .expect_err("the CHECK refuses");
    let constraint = raw.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("room_type_inventory_not_overbooked"));
}

#[tokio::test]
async fn racers_for_the_last_rooms_win_exactly_as_often_as_there_are_rooms() {
    let world = Arc::new(World::with_rooms(10).await);
    let racers = (0..60).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.book(&world.order(2, 5, 1)).await.is_ok() })
    });
    let won = join_all(racers).await.into_iter().filter(|won| *won.as_ref().expect("no panic")).count();
    assert_eq!(won, 11);
    assert_eq!(world.reserved().await, [0, 0, 11, 11, 11, 0, 0, 0, 0, 0]);
    assert_eq!(world.count("select count(*) from reservation").await, 11);
}

#[tokio::test]
async fn a_stay_with_one_night_short_books_nothing() {
    let world = World::with_rooms(10).await;
    world.set_inventory(4, 5, 1, 0).await.expect("inventory");
    world.book(&world.order(4, 5, 1)).await.expect("the one room");
    assert!(matches!(world.book(&world.order(2, 7, 1)).await, Err(ReservationError::SoldOut { .. })));
    assert!(matches!(world.book(&world.order(8, 12, 1)).await, Err(ReservationError::NotOnSale)));
    assert_eq!(world.reserved().await, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(world.count("select count(*) from reservation").await, 1);
}

#[tokio::test]
async fn stays_that_overlap_in_both_orders_never_wait_in_a_circle() {
    let world = Arc::new(World::with_rooms(1000).await);
    let guests = (0..80).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let (from, until) = if n % 2 == 0 { (0, 7) } else { (3, 10) };
            let booking = world.book(&world.order(from, until, 1)).await?;
            world.apply(booking.id, Command::Cancel, Timestamp::now()).await
        })
    });
    for outcome in join_all(guests).await {
        outcome.expect("no panic").expect("no deadlock, no time-out");
    }
    assert_eq!(world.reserved().await, [0; 10]);
}

#[tokio::test]
async fn a_hundred_repeats_at_once_make_one_booking() {
    let world = Arc::new(World::with_rooms(10).await);
    let order = world.order(0, 2, 1);
    let repeats = (0..100).map(|_| {
        let (world, order) = (world.clone(), order.clone());
        tokio::spawn(async move { world.book(&order).await })
    });
    for outcome in join_all(repeats).await {
        assert_eq!(outcome.expect("no panic").expect("the same answer").id, order.id);
    }
    assert_eq!(world.reserved().await[..3], [1, 1, 0]);
    let other = NewReservation { content_hash: [8; 32], ..order.clone() };
    assert!(matches!(world.book(&other).await, Err(ReservationError::IdReused)));
    let somebody_else = NewReservation { owner: "you".into(), ..order };
    assert!(matches!(world.book(&somebody_else).await, Err(ReservationError::IdReused)));
}

#[tokio::test]
async fn cancelling_gives_the_rooms_back_once_however_often_it_is_asked() {
    let world = Arc::new(World::with_rooms(10).await);
    let booking = world.book(&world.order(0, 2, 3)).await.expect("booked");
    let cancels = (0..20).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.apply(booking.id, Command::Cancel, Timestamp::now()).await })
    });
    for outcome in join_all(cancels).await {
        assert_eq!(outcome.expect("no panic").expect("cancelled").reservation.status, Status::Cancelled);
    }
    assert_eq!(world.reserved().await, [0; 10]);
    assert_eq!(world.count("select count(*) from outbox").await, 1);
    assert_eq!(world.count("select count(*) from reservation_transition").await, 2);
}

#[tokio::test]
async fn late_money_takes_the_rooms_again_or_is_sent_back() {
    let world = World::with_rooms(1).await;
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let confirm = |payment_id| Command::ConfirmPayment { payment_id, amount: total() };

    let first = world.book(&world.order(0, 2, 1)).await.expect("booked");
    let expired = world.apply(first.id, Command::Expire, later).await.expect("expires").reservation;
    assert_eq!(expired.status, Status::Cancelled);
    assert_eq!(world.reserved().await[..2], [0, 0]);
    let paid = world.apply(first.id, confirm(PaymentId::new()), later).await.expect("retaken");
    assert_eq!((paid.reservation.status, paid.send_money_back), (Status::Paid, false));
    assert_eq!(world.reserved().await[..2], [1, 1]);

    world.set_inventory(0, 2, 2, 0).await.expect("inventory");
    let second = world.book(&world.order(0, 2, 1)).await.expect("booked");
    world.apply(second.id, Command::Expire, later).await.expect("expires");
    world.book(&world.order(1, 2, 1)).await.expect("somebody else takes a night");
    let payment_id = PaymentId::new();
    for _ in 0..2 {
        let late = world.apply(second.id, confirm(payment_id), later).await.expect("decided");
        assert_eq!((late.reservation.status, late.send_money_back), (Status::Cancelled, true));
    }
    assert_eq!(world.reserved().await[..2], [1, 2]);
    let refund = Command::ConfirmRefund { payment_id, amount: total() };
    let refunded = world.apply(second.id, refund, later).await.expect("refunded").reservation;
    assert_eq!(refunded.status, Status::Refunded);
}

#[tokio::test]
async fn the_database_refuses_every_illegal_transition_by_itself() {
    let world = World::with_rooms(100).await;
    let legal = |from: Status, to: Status| {
        from == to
            || matches!(
                (from, to),
                (Status::PendingPayment, Status::Paid | Status::Rejected | Status::Cancelled)
                    | (Status::Paid, Status::Cancelled)
                    | (Status::Cancelled, Status::Refunded)
            )
    };
    for from in Status::ALL {
        for to in Status::ALL {
            let booking = world.book(&world.order(0, 1, 1)).await.expect("booked");
            reach(&world, &booking, from).await;
            // Everything that the other constraints ask for is given, so that only the transition can be refused.
            let outcome = sqlx::query(
                "update reservation set status = $2, payment_id = gen_random_uuid(), paid_at = now(),
                     refunded_minor = 1, hold_expire_time = now(),
                     cancellation_reason = case when $2 in ('cancelled', 'refunded') then 'requested' end
                 where reservation_id = $1",
            )
            .bind(booking.id.as_uuid())
            .bind(to.as_str())
            .execute(world.pool())
            .await;
            let refused = outcome.err().and_then(|error| {
                let error = error.as_database_error()?;
                error.constraint().map(str::to_owned)
            });
            let expected = (!legal(from, to)).then(|| "reservation_legal_transition".to_owned());
            assert_eq!(refused, expected, "{from:?} -> {to:?}");
        }
    }
}

async fn reach(world: &World, booking: &Reservation, status: Status) {
    let payment_id = PaymentId::new();
    let pay = Command::ConfirmPayment { payment_id, amount: total() };
    let refund = Command::ConfirmRefund { payment_id, amount: total() };
    let way: Vec<Command> = match status {
        Status::PendingPayment => vec![],
        Status::Paid => vec![pay],
        Status::Cancelled => vec![Command::Cancel],
        Status::Rejected => vec![Command::RejectPayment],
        Status::Refunded => vec![pay, Command::Cancel, refund],
    };
    let mut now = booking.status;
    for command in way {
        now = world.apply(booking.id, command, Timestamp::now()).await.expect("a legal way").reservation.status;
    }
    assert_eq!(now, status);
}

#[tokio::test]
async fn terms_do_not_change_and_nothing_is_deleted() {
    let world = World::with_rooms(10).await;
    world.book(&world.order(0, 1, 1)).await.expect("booked");
    for sql in [
        "update reservation set rooms = 2",
        "update reservation set total_minor = 1",
        "update reservation set check_out = check_out + 1",
        "delete from reservation",
    ] {
        assert!(sqlx::query(sql).execute(world.pool()).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn inventory_cannot_go_below_what_is_reserved_and_a_reserved_hotel_cannot_be_retired() {
    let world = World::with_rooms(10).await;
    let booking = world.book(&world.order(3, 4, 5)).await.expect("booked");
    assert!(matches!(world.set_inventory(0, 10, 4, 10).await, Err(ReservationError::BelowReserved)));
    let today = extend::today(Timestamp::now());
    let retire = || world.store.retire(world.hotel, None, today);
    assert!(matches!(retire().await, Err(ReservationError::HasFutureReservations)));
    world.apply(booking.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    retire().await.expect("nothing is reserved");
    assert!(matches!(world.book(&world.order(3, 4, 1)).await, Err(ReservationError::SoldOut { .. })));
}

#[tokio::test]
async fn the_daily_job_fills_two_years_once_and_never_shrinks() {
    let world = World::with_rooms(10).await;
    let stay = world.nights(0, 2);
    let change = InventoryChange {
        room_type_id: world.room_type,
        nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
        total_inventory: 10,
        overbooking_percent: 10,
        for_future_nights: true,
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
async fn what_is_answered_is_what_is_kept() {
    let world = World::with_rooms(10).await;
    let order = world.order(0, 2, 1);
    let answered = world.book(&order).await.expect("booked");
    let kept = world.store.get(order.id).await.expect("read").expect("is there");
    assert_eq!(format!("{answered:?}"), format!("{kept:?}"));
    let partner =
        NewReservation { payment_mode: PaymentMode::PartnerCollects, hold_expire_time: None, ..world.order(0, 2, 1) };
    let answered = world.book(&partner).await.expect("booked");
    assert_eq!(answered.status, Status::Paid);
    let kept = world.store.get(partner.id).await.expect("read").expect("is there");
    assert_eq!(format!("{answered:?}"), format!("{kept:?}"));
}

#[tokio::test]
async fn sold_out_tells_when_the_earliest_unpaid_hold_on_the_night_ends() {
    let world = World::with_rooms(10).await;
    world.set_inventory(4, 5, 2, 0).await.expect("inventory");
    let held = |minutes| NewReservation {
        hold_expire_time: Some(Timestamp::now() + SignedDuration::from_mins(minutes)),
        ..world.order(4, 5, 1)
    };
    let (late, early) = (held(20), held(10));
    for order in [&late, &early, &world.order(0, 4, 1), &world.order(5, 9, 1)] {
        world.book(order).await.expect("booked");
    }
    let told = async || match world.book(&world.order(3, 6, 1)).await {
        Err(ReservationError::SoldOut { stay_date, hold_expire_time }) => (stay_date, hold_expire_time),
        other => panic!("{other:?}"),
    };
    let night = world.nights(4, 5).check_in();
    let in_micros = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    let (stay_date, end) = told().await;
    assert_eq!((stay_date, in_micros(end)), (Some(night), in_micros(early.hold_expire_time)));
    let pay = |id| {
        world.apply(id, Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() }, Timestamp::now())
    };
    pay(early.id).await.expect("paid");
    assert_eq!(in_micros(told().await.1), in_micros(late.hold_expire_time));
    pay(late.id).await.expect("paid");
    assert_eq!(told().await, (Some(night), None), "nobody has yet to pay: nobody is waited for in vain");
}

#[tokio::test]
async fn sold_out_does_not_read_all_the_holds_of_other_nights() {
    let world = World::with_rooms(2_000).await;
    world.set_inventory(4, 5, 1, 0).await.expect("inventory");
    world.book(&world.order(4, 5, 1)).await.expect("booked");
    let told = async || match world.book(&world.order(4, 5, 1)).await {
        Err(ReservationError::SoldOut { hold_expire_time, .. }) => hold_expire_time.is_some(),
        other => panic!("{other:?}"),
    };
    assert!(told().await);
    let sooner = |mut order: NewReservation| {
        order.hold_expire_time = Some(Timestamp::now() + SignedDuration::from_mins(5));
        order
    };
    let others: Vec<_> = (0..1_000).map(|_| sooner(world.order(0, 1, 1))).collect();
    assert!(world.store.admit(&others).await.expect("decided").iter().all(Result::is_ok));
    assert!(!told().await, "a thousand holds end sooner, and none of them frees this night");
}

#[tokio::test]
async fn many_holds_that_end_together_end_once_with_any_number_of_replicas() {
    let world = Arc::new(World::with_rooms(1000).await);
    let orders: Vec<_> = (0..600).map(|_| world.order(0, 3, 1)).collect();
    for outcome in world.store.admit(&orders).await.expect("decided") {
        outcome.expect("booked");
    }
    let paid = &orders[0];
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    world.apply(paid.id, pay, Timestamp::now()).await.expect("paid");
    let later = Timestamp::now() + SignedDuration::from_mins(16);
    let replicas = (0..4).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut ended = 0;
            loop {
                match world.store.end_holds(later, 100).await.expect("ends") {
                    0 => return ended,
                    some => ended += some,
                }
            }
        })
    });
    let ended: usize = join_all(replicas).await.into_iter().map(|ended| ended.expect("no panic")).sum();
    // A replica that finds the last ones locked by others goes home early; whoever locked them ends them.
    assert_eq!(ended, 599);
    assert_eq!(world.reserved().await[..4], [1, 1, 1, 0]);
    assert_eq!(world.count("select count(*) from outbox").await, 599);
    assert_eq!(world.count("select count(*) from reservation_transition where status = 'cancelled'").await, 599);
    assert_eq!(world.store.end_holds(later, 100).await.expect("none is left"), 0);
}

#[tokio::test]
async fn bulk_changes_in_any_order_and_bookings_never_wait_in_a_circle() {
    let world = Arc::new(World::with_rooms(1000).await);
    let change = |from, until| {
        let stay = world.nights(from, until);
        InventoryChange {
            room_type_id: world.room_type,
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: 1000,
            overbooking_percent: 10,
            for_future_nights: true,
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
