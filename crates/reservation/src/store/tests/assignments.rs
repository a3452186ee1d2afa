//! Assignment of rooms: example 3 of the specification, races, moves, and rooms that are freed.

use staymesh_domain::{ChildRules, RoomId, RoomTypeId};
use staymesh_mesh::{Caller, auth::Role};
use staymesh_store::audit::{ActorRole, Gateway, Origin};

use super::*;
use crate::{
    clients::{MockHotelClient, MockRateClient, RoomInfo},
    room_step::RoomStep,
    service::{
        BookingService, RoomOrder, StepOrder, step_rooms,
        testing::{desk_service, hotel_info, room_type},
    },
    store::Assignment,
};

pub(super) fn room_id(id: i32) -> RoomId {
    RoomId::try_from(id).expect("an id")
}

/// An order of this room for all nights.
pub(super) fn whole_stay(order: &NewReservation, room: i32) -> RoomOrder {
    RoomOrder { of: (order.id, 1), room_id: room_id(room), upgrade: false, from: None }
}

/// Rooms 9, 10 and 204 of the booked type, 301 of another, and 401 of a type for one person.
fn rooms() -> Vec<RoomInfo> {
    let room = |(id, number, room_type): (i32, &str, i32)| RoomInfo {
        room_id: room_id(id),
        room_type_id: RoomTypeId::try_from(room_type).expect("an id"),
        room_number: number.to_owned(),
    };
    [(2, "10", 3), (1, "9", 3), (3, "204", 3), (4, "301", 5), (5, "401", 6)].map(room).into()
}

impl World {
    /// The rules, at a hotel whose zone is UTC.
    pub(super) fn desk(&self) -> BookingService {
        let mut hotels = MockHotelClient::new();
        hotels
            .expect_hotel_time()
            .returning(|_| Ok(staymesh_domain::HotelTime::parse("Etc/UTC", "15:00", "00:00").expect("a time")));
        hotels.expect_hotel().returning(|_| Ok(hotel_info("Etc/UTC", ChildRules::default())));
        hotels.expect_room_type().returning(|_, id| Ok(room_type(id.get(), if id.get() == 6 { 1 } else { 4 })));
        hotels.expect_rooms().returning(|_| Ok(rooms()));
        hotels
            .expect_room()
            .returning(|_, id| Ok(rooms().into_iter().find(|room| room.room_id == id).expect("a room")));
        desk_service(self.store.clone(), hotels, MockRateClient::new())
    }

    pub(super) fn staff(&self) -> Caller {
        Caller {
            subject: "staff".into(),
            role: Role::Staff,
            hotel_ids: [self.hotel].into(),
            email_verified: true,
            session: "s".into(),
        }
    }

    /// Noon of a day, UTC.
    pub(super) fn noon(&self, day: i32) -> Timestamp {
        calendar::midnight_utc(self.day(day)).expect("a time") + SignedDuration::from_hours(12)
    }

    /// The rooms of a reservation: number, first night and date after the last, in days.
    pub(super) async fn assigned(&self, id: ReservationId) -> Vec<(String, i32, i32)> {
        let days = |date: Date| (date - self.first).get_days();
        let rows = self.store.assignments(id).await.expect("a list");
        rows.into_iter().map(|row| (row.room_number, days(row.from), days(row.until))).collect()
    }
}

/// PARTNER-SPEC 10, example 3: 204 assigned 12-15, another guest 14-16 is refused, 15-17 works.
#[tokio::test]
async fn room_is_assigned_to_one_guest_in_a_night_and_ranges_are_half_open() {
    let world = World::with_rooms(50).await;
    let (desk, staff) = (world.desk(), world.staff());
    let (first, overlapping, after) = (world.sold(2, 5, 1).await, world.sold(4, 6, 1).await, world.sold(5, 7, 1).await);
    let assign = async |order: &NewReservation, room: i32, upgrade| {
        let order = RoomOrder { upgrade, ..whole_stay(order, room) };
        desk.assign_room(&staff, &order, world.noon(0)).await
    };
    assign(&first, 3, false).await.expect("free");
    assign(&first, 3, false).await.expect("a repeat");
    let refused = assign(&overlapping, 3, false).await.expect_err("taken on the 14th");
    assert!(matches!(refused, ReservationError::RoomAssigned { .. }), "{refused:?}");
    assign(&after, 3, false).await.expect("free from the 15th on");
    let other_type = assign(&overlapping, 4, false).await.expect_err("another type");
    assert!(matches!(other_type, ReservationError::RoomOfOtherType { .. }), "{other_type:?}");
    assign(&overlapping, 4, true).await.expect("an upgrade");
    assert_eq!(world.assigned(first.id).await, [("204".to_owned(), 2, 5)]);
    let inventory = world.reserved().await;
    assert_eq!(inventory[..7], [0, 0, 1, 1, 2, 2, 1], "assignments change no inventory");

    desk.unassign_room(&staff, (first.id, 1), world.noon(0)).await.expect("freed");
    desk.unassign_room(&staff, (first.id, 1), world.noon(0)).await.expect("a repeat");
    assert_eq!(world.assigned(first.id).await, []);
    let held = world.order(2, 3, 1);
    world.book(&held).await.expect("booked");
    let unpaid = assign(&held, 3, false).await.expect_err("not paid");
    assert!(matches!(unpaid, ReservationError::IllegalTransition { .. }), "{unpaid:?}");
}

#[tokio::test]
async fn concurrent_assignments_of_one_room_apply_exactly_one() {
    let world = Arc::new(World::with_rooms(50).await);
    let mut orders = Vec::new();
    for n in 0..10 {
        orders.push(world.sold(n % 3, n % 3 + 3, 1).await);
    }
    let races = orders.iter().map(|order| {
        // The constraint alone: without the lock that the rules take.
        let (world, id, from) = (world.clone(), order.id, order.stay.check_in());
        let assignment = Assignment {
            reservation_id: id,
            position: 1,
            room_id: room_id(3),
            room_number: "204".into(),
            room_type_id: world.room_type,
            from,
            until: order.stay.check_out(),
        };
        tokio::spawn(async move {
            let mut transaction = world.store.begin().await?;
            transaction.assign_rooms(&[assignment]).await?;
            transaction.commit().await
        })
    });
    let outcomes: Vec<_> = join_all(races).await.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|o| matches!(o, Ok(()) | Err(ReservationError::RoomAssigned { .. }))), "{outcomes:?}");
}

#[tokio::test]
async fn ended_reservation_frees_its_room_at_once_and_guests_in_house_move() {
    let world = World::with_rooms(50).await;
    let (desk, staff) = (world.desk(), world.staff());
    let assign = async |order: &NewReservation, room: i32, day| {
        desk.assign_room(&staff, &whole_stay(order, room), world.noon(day)).await
    };
    let (cancelled, absent, staying) =
        (world.sold(0, 3, 1).await, world.sold(0, 3, 1).await, world.sold(0, 4, 1).await);
    assign(&cancelled, 1, 0).await.expect("free");
    assign(&absent, 2, 0).await.expect("free");
    world.apply(cancelled.id, Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world.apply(absent.id, Command::MarkNoShow, absent.quote.terms.no_show_from).await.expect("no-show");
    assert_eq!((world.assigned(cancelled.id).await, world.assigned(absent.id).await), (vec![], vec![]));

    assign(&staying, 1, 0).await.expect("free again");
    step_rooms(&world.store, staying.id, StepOrder::all(RoomStep::CheckIn), world.day(0), "staff").await.expect("in");
    assign(&staying, 2, 2).await.expect("a move");
    assert_eq!(world.assigned(staying.id).await, [("9".to_owned(), 0, 2), ("10".to_owned(), 2, 4)]);
    let next = world.sold(2, 4, 1).await;
    assign(&next, 1, 2).await.expect("the room that they left");
}

fn origin() -> Origin {
    Origin {
        role: ActorRole::Staff,
        actor: "staff".into(),
        method: "staymesh.reservation.v1.FrontDeskService/AutoAssignRooms".into(),
        request_id: "r".into(),
        gateway: Gateway::Internal,
    }
}

#[tokio::test]
async fn auto_assign_places_longest_stays_first_and_keeps_what_is_assigned() {
    let world = World::with_rooms(50).await;
    let (desk, staff) = (world.desk(), world.staff());
    let (short, long, kept, more) =
        (world.sold(0, 1, 1).await, world.sold(0, 5, 1).await, world.sold(0, 2, 1).await, world.sold(0, 1, 1).await);
    let elsewhere = world.sold(1, 2, 1).await;
    desk.assign_room(&staff, &whole_stay(&kept, 1), world.noon(0)).await.expect("free");
    let mut busy = world.pool().begin().await.expect("a transaction");
    sqlx::query("select from reservation where reservation_id = $1 for update")
        .bind(kept.id.as_uuid())
        .execute(&mut *busy)
        .await
        .expect("locked");
    let assign = desk.auto_assign(world.hotel, world.day(0));
    let done = Origin::scope(Some(origin()), assign).await.expect("those with a room are not locked");
    busy.commit().await.expect("unlocked");
    let recorded: Vec<(String, serde_json::Value)> = sqlx::query_as(
        "select object_id, after from audit_record where object_type = 'room_assignment' order by audit_id",
    )
    .fetch_all(world.pool())
    .await
    .expect("a list");
    let shown = |room: &Assignment| {
        let after = serde_json::json!({ "position": 1, "room_id": room.room_id.get(), "from_date": room.from });
        (room.reservation_id.to_string(), after)
    };
    assert_eq!(recorded, done.assigned.iter().map(shown).collect::<Vec<_>>());
    let numbers: Vec<_> = done.assigned.iter().map(|room| (room.reservation_id, room.room_number.as_str())).collect();
    let first_short = short.id.min(more.id);
    assert_eq!(numbers, [(long.id, "10"), (first_short, "204")], "9 is taken, and 301 is of another type");
    assert_eq!(done.without, [(short.id.max(more.id), 1)]);
    assert_eq!(world.assigned(kept.id).await, [("9".to_owned(), 0, 2)]);
    assert_eq!(world.assigned(elsewhere.id).await, [], "arrives on another date");
    let again = desk.auto_assign(world.hotel, world.day(0)).await.expect("a repeat");
    assert_eq!((again.assigned.len(), again.without.len()), (0, 1));
}

#[tokio::test]
async fn upgrade_needs_a_room_in_which_the_guests_have_place() {
    let world = World::with_rooms(50).await;
    let (desk, staff) = (world.desk(), world.staff());
    let mut order = world.order(0, 2, 1);
    order.lines[0].party = "2".parse().expect("a party");
    world.book(&order).await.expect("booked");
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    world.apply(order.id, pay, Timestamp::now()).await.expect("paid");
    let narrow = RoomOrder { upgrade: true, ..whole_stay(&order, 5) };
    let refused = desk.assign_room(&staff, &narrow, world.noon(0)).await.expect_err("a place for one");
    assert!(matches!(refused, ReservationError::Misfit(_)), "{refused:?}");
    let wide = RoomOrder { upgrade: true, ..whole_stay(&order, 4) };
    desk.assign_room(&staff, &wide, world.noon(0)).await.expect("place for four");
}

#[tokio::test]
async fn concurrent_requests_for_one_room_are_ordered_and_exactly_one_succeeds() {
    let world = Arc::new(World::with_rooms(50).await);
    let mut orders = Vec::new();
    for _ in 0..10 {
        orders.push(world.sold(0, 3, 1).await);
    }
    let races = orders.iter().map(|order| {
        let (world, order) = (world.clone(), whole_stay(order, 3));
        tokio::spawn(async move { world.desk().assign_room(&world.staff(), &order, world.noon(0)).await })
    });
    let outcomes: Vec<_> = join_all(races).await.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    let refused = outcomes.iter().filter(|o| matches!(o, Err(ReservationError::RoomAssigned { .. }))).count();
    assert_eq!((refused, outcomes.iter().filter(|o| o.is_ok()).count()), (9, 1), "{outcomes:?}");
}
