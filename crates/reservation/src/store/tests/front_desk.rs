//! The front desk on a real database: its lists, and arrivals against cancellations and no-shows.

use super::*;
use crate::{
    model::CancellationReason,
    room_status::RoomStatus,
    room_step::RoomStep,
    service::{StepOrder, etag, step_rooms},
    store::{DeskList, StayFilter},
};

impl World {
    /// A paid reservation of rooms that can be cancelled for nothing.
    pub(super) async fn sold(&self, from: i32, until: i32, rooms: i32) -> NewReservation {
        let order = self.order(from, until, rooms);
        self.book(&order).await.expect("booked");
        let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
        self.apply(order.id, pay, Timestamp::now()).await.expect("paid");
        order
    }

    pub(super) fn day(&self, day: i32) -> Date {
        self.first.saturating_add(day.days())
    }

    async fn step(&self, id: ReservationId, step: RoomStep, day: i32) -> Result<usize, ReservationError> {
        step_rooms(&self.store, id, StepOrder::all(step), self.day(day), "staff").await
    }

    /// The ids in a list of a date, read two rooms at a time.
    async fn listed(&self, list: DeskList, day: i32) -> Vec<(ReservationId, i32)> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.desk_rooms(list, self.hotel, self.day(day), after, 2).await.expect("a page");
            let Some(end) = page.last() else { return found };
            after = Some(DeskPosition::of(end));
            found.extend(page.iter().map(|room| (room.reservation_id, room.position)));
        }
    }
}

fn sorted(mut rooms: Vec<(ReservationId, i32)>) -> Vec<(ReservationId, i32)> {
    rooms.sort();
    rooms
}

#[tokio::test]
async fn lists_of_a_date_have_arrivals_guests_in_house_and_departures() {
    let world = World::with_rooms(50).await;
    let today = world.sold(2, 4, 3).await;
    let late = world.sold(1, 4, 1).await;
    let over = world.sold(0, 2, 1).await;
    let held = world.order(2, 3, 1);
    world.book(&held).await.expect("booked");
    let ended = world.sold(2, 4, 1).await;
    world.apply(ended.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world.step(over.id, RoomStep::CheckIn, 0).await.expect("in");

    let rooms =
        |order: &NewReservation| (1..).zip(&order.lines).map(|(position, _)| (order.id, position)).collect::<Vec<_>>();
    let arrivals = sorted([rooms(&today), rooms(&late), rooms(&held)].concat());
    assert_eq!(world.listed(DeskList::Arrivals, 2).await, arrivals, "over pages of two");
    assert_eq!(world.listed(DeskList::InHouse, 2).await, []);
    assert_eq!(world.listed(DeskList::InHouse, 1).await, rooms(&over));
    assert_eq!(world.listed(DeskList::Departures, 2).await, rooms(&over));
    assert_eq!(world.listed(DeskList::Departures, 4).await, []);

    world.step(today.id, RoomStep::CheckIn, 2).await.expect("in");
    world.step(late.id, RoomStep::CheckIn, 2).await.expect("in");
    assert_eq!(world.listed(DeskList::Arrivals, 2).await, sorted([rooms(&today), rooms(&held)].concat()));
    assert_eq!(world.listed(DeskList::InHouse, 2).await, sorted([rooms(&today), rooms(&late)].concat()));
    assert_eq!(world.listed(DeskList::InHouse, 1).await, rooms(&over), "one came a day late");
    assert_eq!(world.listed(DeskList::Departures, 4).await, sorted([rooms(&today), rooms(&late)].concat()));
    world.step(late.id, RoomStep::CheckOut, 3).await.expect("left early");
    assert_eq!(world.listed(DeskList::InHouse, 3).await, rooms(&today));
    assert_eq!(world.listed(DeskList::InHouse, 2).await, sorted([rooms(&today), rooms(&late)].concat()), "was there");

    let due = world.store.desk_rooms(DeskList::Arrivals, world.hotel, world.day(2), None, 10).await.expect("a page");
    for room in due {
        let owed = if room.reservation_id == held.id { TOTAL } else { 0 };
        assert_eq!((room.balance_due.minor(), room.guest_name.as_str()), (owed, "A guest"));
    }
    assert_eq!(world.reserved().await[..5], [1, 2, 5, 4, 0], "arrivals and departures change no night");
}

#[tokio::test]
async fn list_by_dates_finds_each_status_in_the_order_of_creation() {
    let world = World::with_rooms(50).await;
    let (paid, held, ended) = (world.sold(2, 4, 1).await, world.order(3, 5, 1), world.sold(2, 3, 1).await);
    world.book(&held).await.expect("booked");
    world.apply(ended.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world.sold(0, 1, 1).await;
    let find = async |check_in: (i32, i32), check_out: (i32, i32), status: Option<Status>| {
        let range = |(from, until)| (world.day(from), world.day(until));
        let stays = Some(StayFilter { check_in: range(check_in), check_out: range(check_out) });
        let filter = ListFilter { hotel_id: Some(world.hotel), stays, status, ..Default::default() };
        let rows = world.store.list(&filter, None, 10).await.expect("a list");
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(find((2, 4), (0, 99), None).await, [held.id, ended.id, paid.id]);
    assert_eq!(find((2, 3), (0, 99), None).await, [ended.id, paid.id], "the end is not part of it");
    assert_eq!(find((-90, 9), (4, 5), None).await, [paid.id]);
    assert_eq!(find((2, 4), (0, 99), Some(Status::PendingPayment)).await, [held.id]);
    let created = world.store.get(held.id).await.expect("read").expect("is there").create_time;
    let filter = ListFilter { hotel_id: Some(world.hotel), created_until: Some(created), ..Default::default() };
    let before = world.store.list(&filter, None, 10).await.expect("a list");
    assert!(before.iter().any(|row| row.id == paid.id) && before.iter().all(|row| row.id != held.id));
}

#[tokio::test]
async fn room_goes_in_house_and_out_and_is_never_cancelled_after_arrival() {
    let world = World::with_rooms(10).await;
    let order = world.sold(0, 3, 2).await;
    assert_eq!(world.step(order.id, RoomStep::CheckIn, 0).await.expect("in"), 2);
    assert_eq!(world.step(order.id, RoomStep::CheckIn, 0).await.expect("a repeat"), 0);
    assert_eq!(world.step(order.id, RoomStep::UndoCheckIn, 0).await.expect("undone"), 2);
    assert_eq!(world.step(order.id, RoomStep::CheckIn, 1).await.expect("late"), 2);
    let closed = world.step(order.id, RoomStep::UndoCheckIn, 2).await;
    assert!(matches!(closed, Err(ReservationError::CheckInOutOfTime { .. })), "{closed:?}");
    for command in [Command::Cancel, Command::MarkNoShow] {
        let refused = world.apply(order.id, command, order.quote.terms.no_show_from).await;
        assert!(matches!(refused, Err(ReservationError::CheckedIn | ReservationError::StayHasBegun)), "{refused:?}");
    }
    // A release that does not know arrivals is refused by the database.
    let cancel =
        "update reservation set status = 'cancelled', cancellation_reason = 'requested' where reservation_id = $1";
    let refused = sqlx::query(cancel).bind(order.id.as_uuid()).execute(world.pool()).await.expect_err("refused");
    let constraint = refused.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("reservation_room_legal_transition"));
    assert_eq!(world.step(order.id, RoomStep::CheckOut, 3).await.expect("out"), 2);
    let read = world.store.get(order.id).await.expect("read").expect("is there");
    assert_eq!((read.status, read.lines[1].status), (Status::Paid, RoomStatus::Completed));
    let steps: Vec<String> =
        sqlx::query_scalar("select status from room_status_change where room_position = 1 order by change_id")
            .fetch_all(world.pool())
            .await
            .expect("rows");
    assert_eq!(steps, ["in_house", "live", "in_house", "completed"]);
    let kept = sqlx::query("delete from room_status_change").execute(world.pool()).await.expect_err("append-only");
    let constraint = kept.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("room_status_change_is_append_only"));
}

/// Races a check-in of each of many reservations against a command.
async fn race_check_in(command: Command, at: impl Fn(&NewReservation) -> Timestamp) {
    const BOOKINGS: usize = 20;
    let world = Arc::new(World::with_rooms(50).await);
    let mut races = Vec::new();
    for n in 0..BOOKINGS {
        let order = world.sold(0, 2, 1).await;
        let (arriving, leaving) = (world.clone(), world.clone());
        let (id, command, now) = (order.id, command.clone(), at(&order));
        let arrive = async move { arriving.step(id, RoomStep::CheckIn, 0).await };
        let leave = async move { leaving.apply(id, command, now).await };
        races.push(if n % 2 == 0 {
            let arrive = tokio::spawn(arrive);
            (id, arrive, tokio::spawn(leave))
        } else {
            let leave = tokio::spawn(leave);
            (id, tokio::spawn(arrive), leave)
        });
    }
    let mut arrived = 0;
    for (id, arrive, leave) in races {
        let (arrive, leave) = (arrive.await.expect("no panic"), leave.await.expect("no panic"));
        let read = world.store.get(id).await.expect("read").expect("is there");
        match (arrive, leave) {
            (Ok(1), Err(ReservationError::CheckedIn)) => {
                assert_eq!((read.status, read.lines[0].status), (Status::Paid, RoomStatus::InHouse));
                arrived += 1;
            }
            (Err(ReservationError::IllegalTransition { .. }), Ok(_)) => assert_eq!(read.status, Status::Cancelled),
            other => panic!("exactly one wins: {other:?}"),
        }
    }
    assert_eq!(world.reserved().await[..2], [arrived; 2]);
}

#[tokio::test]
async fn check_in_and_cancel_apply_exactly_one() {
    race_check_in(Command::Cancel, |_| Timestamp::now()).await;
}

#[tokio::test]
async fn check_in_and_no_show_apply_exactly_one() {
    race_check_in(Command::MarkNoShow, |order| order.quote.terms.no_show_from).await;
}

#[tokio::test]
async fn no_show_ends_rooms_as_before() {
    let world = World::with_rooms(10).await;
    let order = world.sold(0, 1, 1).await;
    let ended = world.apply(order.id, Command::MarkNoShow, order.quote.terms.no_show_from).await.expect("no-show");
    assert_eq!(ended.reservation.cancellation_reason, Some(CancellationReason::NoShow));
    let read = world.store.get(order.id).await.expect("read").expect("is there");
    assert_eq!(read.lines[0].status, RoomStatus::NoShow);
}

/// An answer was lost, and its request is repeated when the guests have come after all.
#[tokio::test]
async fn late_repeat_of_an_undo_does_not_undo_a_second_check_in() {
    let world = World::with_rooms(10).await;
    let order = world.sold(0, 3, 1).await;
    let read = async || etag(&world.store.get(order.id).await.expect("read").expect("is there")).expect("an etag");
    let step = async |step, etag: &str| {
        step_rooms(&world.store, order.id, StepOrder { etag, ..StepOrder::all(step) }, world.day(0), "staff").await
    };
    let before = read().await;
    assert_eq!(step(RoomStep::CheckIn, &before).await.expect("in"), 1);
    assert_eq!(step(RoomStep::CheckIn, &before).await.expect("a repeat"), 0);
    let first = read().await;
    assert_eq!(step(RoomStep::UndoCheckIn, &first).await.expect("undone"), 1);
    let again = step(RoomStep::CheckIn, &before).await;
    assert!(matches!(again, Err(ReservationError::ReservationChanged)), "{again:?}");
    assert_eq!(step(RoomStep::CheckIn, &read().await).await.expect("in after all"), 1);
    let late = step(RoomStep::UndoCheckIn, &first).await;
    assert!(matches!(late, Err(ReservationError::ReservationChanged)), "{late:?}");
    assert_eq!(world.listed(DeskList::InHouse, 0).await, [(order.id, 1)]);
}
