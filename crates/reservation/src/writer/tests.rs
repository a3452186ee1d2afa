//! The writer on a real database: full queues, disconnected callers, two replicas.

use futures::future::join_all;
use jiff::{Timestamp, ToSpan};
use staymesh_domain::{DateRange, HotelId, PaymentId, ReservationId, RoomTypeId, StayDates};
use staymesh_mesh::{Problem, Reason, context::RequestContext};
use staymesh_store::StoreConfig;
use staymesh_testkit::TestDatabase;
use tokio::time::Instant;

use super::{queue::QUEUE, *};
use crate::{
    MIGRATOR, calendar,
    error::ReservationError,
    lifecycle::Command,
    model::NewReservation,
    quote::tests::quote,
    store::{InventoryChange, Store},
    testing::{lines, order_of, room_type},
};

struct World {
    database: TestDatabase,
    stay: StayDates,
}

impl World {
    async fn with_rooms(rooms: i32) -> Self {
        let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
        let check_in = calendar::today(Timestamp::now()).saturating_add(30.days());
        let stay = StayDates::new(check_in, check_in.saturating_add(3.days())).expect("a stay");
        let change = InventoryChange {
            room_type_id: RoomTypeId::try_from(3).expect("an id"),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            total_inventory: rooms,
            overbooking_percent: Some(10),
            for_future_nights: false,
            etag: String::new(),
        };
        let world = Self { database, stay };
        for hotel in [hotel(7), hotel(8)] {
            world.store().set_inventory(hotel, std::slice::from_ref(&change)).await.expect("inventory");
        }
        world
    }

    fn store(&self) -> Store {
        Store::new(self.database.pool().clone())
    }

    /// The database as the lanes reach it.
    fn lanes(&self, lanes: usize) -> Store {
        let config = Writer::connections(&StoreConfig::new(self.database.url()), lanes);
        Store::new(staymesh_store::connect(&config).expect("a pool"))
    }

    /// A writer as one replica has it.
    fn writer(&self) -> Writer {
        let (writer, lanes) = Writer::new(&self.lanes(2), 2);
        for lane in lanes {
            tokio::spawn(lane);
        }
        writer
    }

    fn order(&self) -> NewReservation {
        self.order_in(hotel(7))
    }

    fn order_in(&self, hotel: HotelId) -> NewReservation {
        let now = Timestamp::now();
        NewReservation {
            id: ReservationId::generate(hotel, now),
            ..order_of(lines(room_type(), self.stay, 1, &quote(100)), now)
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.database.pool()).await.expect("a count")
    }
}

fn hotel(id: i32) -> HotelId {
    HotelId::try_from(id).expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_never_oversell_and_recognize_each_others_repeats() {
    let world = World::with_rooms(100).await;
    let replicas = [world.writer(), world.writer()];
    let orders: Vec<_> = (0..300).map(|_| world.order()).collect();
    // Every booking is requested from both concurrently.
    let asked = orders.iter().flat_map(|order| replicas.iter().map(|writer| writer.book(order.clone())));
    let outcomes = join_all(asked).await;
    let sold_out = |outcome: &Result<_, _>| matches!(outcome, Err(ReservationError::SoldOut { .. }));
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || sold_out(outcome)), "{outcomes:?}");
    let new = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Created::New(_)))).count();
    assert_eq!(new, 110);
    assert_eq!(world.count("select count(*) from reservation").await, 110);
    assert_eq!(world.count("select max(total_reserved)::bigint from room_type_inventory").await, 110);
}

#[tokio::test]
async fn full_lane_refuses_with_overloaded_and_books_the_rest() {
    let world = World::with_rooms(10_000).await;
    let (writer, lanes) = Writer::new(&world.lanes(1), 1);
    // The lane's task is not running yet, so its queue fills.
    let waiting = join_all((0..QUEUE + 10).map(|_| writer.book(world.order())));
    let work = async {
        tokio::task::yield_now().await;
        join_all(lanes).await
    };
    let outcomes = tokio::select! {
        outcomes = waiting => outcomes,
        _ = work => panic!("a lane has ended"),
    };
    let booked = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(booked, QUEUE);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(Problem::from(refused).reason(), Reason::Overloaded);
    }
}

#[tokio::test]
async fn order_of_disconnected_or_late_caller_is_not_begun() {
    let world = World::with_rooms(10).await;
    let (writer, lanes) = Writer::new(&world.lanes(1), 1);
    let context = RequestContext { request_id: "r".into(), deadline: Instant::now() };
    let late = context.scope(writer.book(world.order()));
    let gone = writer.book(world.order());
    let there = writer.book(world.order());
    // All three are queued; the second caller disconnects before the lane's task runs.
    let (mut late, mut there) = (Box::pin(late), Box::pin(there));
    let mut gone = Box::pin(gone);
    for future in [&mut late as &mut (dyn Future<Output = _> + Unpin), &mut gone, &mut there] {
        assert!(futures::poll!(future).is_pending());
    }
    drop(gone);
    for lane in lanes {
        tokio::spawn(lane);
    }
    there.await.expect("booked");
    assert!(late.await.is_err());
    assert_eq!(world.count("select count(*) from reservation").await, 1);
}

#[tokio::test]
async fn locked_hotel_does_not_block_other_hotels_of_its_lane() {
    let world = World::with_rooms(10).await;
    let (writer, lanes) = Writer::new(&world.lanes(1), 1);
    let mut blocker = world.database.pool().begin().await.expect("a transaction");
    sqlx::query("select from room_type_inventory where hotel_id = 7 for update")
        .execute(&mut *blocker)
        .await
        .expect("locks");
    // All of them are in the queue before the lane begins, so they are one batch.
    let (locked, free) = (world.order_in(hotel(7)), world.order_in(hotel(8)));
    let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(writer.book(world.order_in(hotel(7))))).collect();
    waiting.push(Box::pin(writer.book(locked.clone())));
    let mut other = Box::pin(writer.book(free));
    for future in waiting.iter_mut().chain([&mut other]) {
        assert!(futures::poll!(future).is_pending());
    }
    for lane in lanes {
        tokio::spawn(lane);
    }
    other.await.expect("its own rows are free");
    for refused in join_all(waiting).await {
        let problem = Problem::from(refused.expect_err("its rows are locked"));
        assert_eq!(problem.reason(), Reason::Overloaded);
    }
    blocker.rollback().await.expect("ends");
    writer.book(locked).await.expect("the repeat is booked");
    assert_eq!(world.count("select count(*) from reservation").await, 2);
}

#[tokio::test]
async fn revision_that_waits_for_a_lock_delays_no_booking() {
    let world = World::with_rooms(10).await;
    let (writer, lanes) = Writer::new(&world.store(), 1);
    let order = world.order();
    book_each(&world.store(), std::slice::from_ref(&order)).await.expect("decided").remove(0).expect("booked");
    let mut blocker = world.database.pool().begin().await.expect("a transaction");
    sqlx::query("select from reservation for update").execute(&mut *blocker).await.expect("locks");
    let (command, now) = (RevisionCommand::Drop { revision: 2 }, Timestamp::now());
    let revision = RevisionOrder { id: order.id, command, now, actor: "me".into(), trace_parent: None, origin: None };
    let mut revised = Box::pin(writer.revise(revision));
    assert!(futures::poll!(&mut revised).is_pending());
    for lane in lanes {
        tokio::spawn(lane);
    }
    for hotel in [hotel(7), hotel(8)] {
        writer.book(world.order_in(hotel)).await.expect("its rows are free");
    }
    assert!(futures::poll!(&mut revised).is_pending());
    blocker.rollback().await.expect("ends");
    assert_eq!(revised.await.expect("nothing to drop").outcome, RevisionOutcome::Nothing);
}

#[tokio::test]
async fn changes_of_one_reservation_in_one_batch_apply_in_order() {
    let world = World::with_rooms(10).await;
    let (writer, lanes) = Writer::new(&world.lanes(1), 1);
    let order = world.order();
    book_each(&world.store(), std::slice::from_ref(&order)).await.expect("decided").remove(0).expect("booked");
    let total = order.quote.total;
    let now = Timestamp::now();
    let change = |command| ChangeOrder { id: order.id, command, now, trace_parent: None, origin: None, day_ends: None };
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total };
    // Decided on the same state, these would not be refused by the database, so no retry would correct them.
    let mut waiting: Vec<_> =
        [pay.clone(), pay, Command::Cancel].map(|command| Box::pin(writer.change(change(command)))).into();
    for future in &mut waiting {
        assert!(futures::poll!(future).is_pending());
    }
    for lane in lanes {
        tokio::spawn(lane);
    }
    let answers = join_all(waiting).await;
    let statuses: Vec<_> =
        answers.into_iter().map(|answer| answer.expect("applied").reservation.status.as_str()).collect();
    assert_eq!(statuses, ["paid", "paid", "cancelled"]);
    assert_eq!(world.count("select count(*) from reservation_transition").await, 3);
}
