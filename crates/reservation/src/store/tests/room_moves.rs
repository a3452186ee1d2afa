//! Rooms follow what becomes of their guests: moves, changes, departures, blocks of rooms, and races with all of them.

use staymesh_store::audit::{ActorRole, Gateway, Origin};
use uuid::Uuid;

use super::{
    assignments::{room_id, whole_stay},
    *,
};
use crate::{
    quote::tests::euros,
    room_line::RoomLine,
    room_step::RoomStep,
    rooms_change::{PlacedRoom, RoomsChange},
    service::{RoomOrder, StepOrder, step_rooms},
    store::Assignment,
    writer::{RevisionCommand, RevisionOrder, revise},
};

impl World {
    async fn assign(
        &self,
        order: &NewReservation,
        room: i32,
        from: Option<i32>,
        today: i32,
    ) -> Result<Assignment, ReservationError> {
        let order = RoomOrder { from: from.map(|day| self.day(day)), ..whole_stay(order, room) };
        self.desk().assign_room(&self.staff(), &order, self.noon(today)).await
    }

    /// Gives the only room of a reservation other dates.
    async fn change_dates(&self, id: ReservationId, from: i32, until: i32) {
        let booking = self.store.get(id).await.expect("read").expect("is there");
        let stay = self.nights(from, until);
        let line = RoomLine { stay, quote: quote_for(stay, TOTAL, 0), ..booking.lines[0].clone() };
        let change = RoomsChange::new(&booking.placed(), vec![], vec![PlacedRoom { position: 1, line }], euros(0));
        let command = RevisionCommand::Apply {
            change: change.expect("a change"),
            base: booking.revision,
            request_id: Uuid::new_v4(),
            content_hash: [1; 32],
            expire_time: Timestamp::now() + SignedDuration::from_mins(15),
            limits: Box::default(),
        };
        let (now, actor) = (Timestamp::now(), "staff".into());
        let order = RevisionOrder { id, command, now, actor, trace_parent: None, origin: None };
        revise(&self.store, &order).await.expect("changed");
    }

    async fn step_at_desk(&self, id: ReservationId, step: RoomStep, day: i32) {
        step_rooms(&self.store, id, StepOrder::all(step), self.day(day), "staff").await.expect("a step");
    }
}

fn rooms(shown: &[(&str, i32, i32)]) -> Vec<(String, i32, i32)> {
    shown.iter().map(|(number, from, until)| ((*number).to_owned(), *from, *until)).collect()
}

/// PARTNER-SPEC 10, edge case: segments cover all nights without overlap.
#[tokio::test]
async fn stay_of_ninety_nights_moves_every_month_and_has_one_room_in_every_night() {
    let world = World::with_rooms(50).await;
    world.set_inventory(0, 90, 50, 10).await.expect("inventory");
    let guest = world.sold(0, 90, 1).await;
    let reserved = world.reserved().await;
    world.assign(&guest, 1, None, 0).await.expect("free");
    world.assign(&guest, 2, Some(30), 0).await.expect("a move");
    world.assign(&guest, 3, Some(60), 0).await.expect("a move");
    let months = rooms(&[("9", 0, 30), ("10", 30, 60), ("204", 60, 90)]);
    assert_eq!(world.assigned(guest.id).await, months);
    world.assign(&guest, 3, Some(60), 0).await.expect("a repeat");
    assert_eq!(world.assigned(guest.id).await, months);
    world.assign(&guest, 3, Some(45), 0).await.expect("earlier");
    assert_eq!(world.assigned(guest.id).await, rooms(&[("9", 0, 30), ("10", 30, 45), ("204", 45, 90)]));
    world.assign(&guest, 2, Some(45), 0).await.expect("they stay");
    assert_eq!(world.assigned(guest.id).await, rooms(&[("9", 0, 30), ("10", 30, 90)]), "no second part of one room");
    assert_eq!(world.reserved().await, reserved, "moves change no inventory");

    for (from, today) in [(90, 0), (-1, 0), (3, 4)] {
        let refused = world.assign(&guest, 3, Some(from), today).await.expect_err("no night that is left");
        assert!(matches!(refused, ReservationError::Field(_)), "{refused:?}");
    }
    world.desk().unassign_room(&world.staff(), (guest.id, 1), world.noon(0)).await.expect("freed");
    let refused = world.assign(&guest, 1, Some(5), 0).await.expect_err("nights before have no room");
    assert!(matches!(refused, ReservationError::Field(_)), "{refused:?}");
    assert_eq!(world.assigned(guest.id).await, []);
    world.is_clean().await;
}

#[tokio::test]
async fn change_of_dates_keeps_the_room_for_nights_that_stay_and_frees_the_others_at_once() {
    let world = World::with_rooms(50).await;
    let guest = world.sold(0, 4, 1).await;
    world.assign(&guest, 1, None, 0).await.expect("free");
    world.change_dates(guest.id, 2, 6).await;
    assert_eq!(world.assigned(guest.id).await, rooms(&[("9", 2, 4)]));
    let other = world.sold(0, 2, 1).await;
    world.assign(&other, 1, None, 0).await.expect("the nights that were given up");
    let done = world.desk().auto_assign(world.hotel, world.day(2)).await.expect("assigned");
    assert_eq!((done.assigned.len(), done.without.len()), (1, 0));
    assert_eq!(world.assigned(guest.id).await, rooms(&[("9", 2, 4), ("9", 4, 6)]), "the same room in the new nights");
    world.is_clean().await;
    world.change_dates(guest.id, 7, 9).await;
    assert_eq!(world.assigned(guest.id).await, []);
    world.is_clean().await;
}

#[tokio::test]
async fn another_type_frees_the_room_unless_it_is_of_that_type() {
    let world = World::with_rooms(50).await;
    let (moved, upgraded) = (world.sold(0, 2, 1).await, world.sold(0, 2, 1).await);
    world.assign(&moved, 1, None, 0).await.expect("free");
    let upgrade = RoomOrder { upgrade: true, ..whole_stay(&upgraded, 4) };
    world.desk().assign_room(&world.staff(), &upgrade, world.noon(0)).await.expect("an upgrade");
    let change = "update reservation_room set room_type_id = 5, revision = revision + 1";
    sqlx::query(change).execute(world.pool()).await.expect("another type");
    assert_eq!(world.assigned(moved.id).await, []);
    assert_eq!(world.assigned(upgraded.id).await, rooms(&[("301", 0, 2)]), "what they pay for now");
}

#[tokio::test]
async fn guests_who_leave_early_free_their_room_for_the_nights_that_are_left() {
    let world = World::with_rooms(50).await;
    let (leaving, next) = (world.sold(0, 4, 1).await, world.sold(2, 4, 1).await);
    world.assign(&leaving, 1, None, 0).await.expect("free");
    world.step_at_desk(leaving.id, RoomStep::CheckIn, 0).await;
    let refused = world.assign(&next, 1, None, 0).await.expect_err("taken");
    assert!(matches!(refused, ReservationError::RoomAssigned { .. }), "{refused:?}");
    world.step_at_desk(leaving.id, RoomStep::CheckOut, 2).await;
    assert_eq!(world.assigned(leaving.id).await, rooms(&[("9", 0, 2)]));
    world.assign(&next, 1, None, 2).await.expect("they left");
    let gone = world.assign(&leaving, 2, None, 2).await.expect_err("they left");
    assert!(matches!(gone, ReservationError::IllegalRoomTransition { .. }), "{gone:?}");
    world.is_clean().await;
}

/// PARTNER-SPEC 10, edge case: the assignment is removed and listed, not refused, when forced.
#[tokio::test]
async fn assigned_room_goes_out_of_order_only_by_force_which_lists_who_lost_it() {
    let world = World::with_rooms(50).await;
    let (expected, staying) = (world.sold(0, 3, 1).await, world.sold(0, 4, 1).await);
    world.assign(&expected, 1, None, 0).await.expect("free");
    world.assign(&staying, 2, None, 0).await.expect("free");
    world.step_at_desk(staying.id, RoomStep::CheckIn, 0).await;
    let create =
        async |block: &NewOutOfOrder| world.store.create_out_of_order(world.hotel, block, world.room_type).await;
    let block = |id: u128, room: i32, from: i32| world.block(id, room, from, from + 1);
    let refused = create(&block(1, 1, 1)).await.expect_err("has guests");
    assert!(matches!(refused, ReservationError::RoomAssigned { .. }), "{refused:?}");
    assert_eq!(world.assigned(expected.id).await, rooms(&[("9", 0, 3)]));

    let lost = |block: &OutOfOrder| -> Vec<(ReservationId, Date, Date)> {
        block.removed.iter().map(|lost| (lost.reservation_id, lost.from, lost.until)).collect()
    };
    let forced = NewOutOfOrder { force: true, ..block(1, 1, 1) };
    let created = create(&forced).await.expect("forced");
    assert_eq!(lost(&created), [(expected.id, world.day(0), world.day(3))]);
    assert_eq!(create(&forced).await.expect("a repeat"), created);
    assert!(!created.is_from(world.hotel, &block(1, 1, 1)), "a repeat without force is another request");
    assert_eq!(world.assigned(expected.id).await, [], "they are expected: all nights need another room");
    let in_house = create(&NewOutOfOrder { force: true, ..block(2, 2, 2) }).await.expect("forced");
    assert_eq!(lost(&in_house), [(staying.id, world.day(2), world.day(4))]);
    assert_eq!(world.assigned(staying.id).await, rooms(&[("10", 0, 2)]), "where they have slept");
    assert_eq!(create(&block(3, 3, 1)).await.expect("the room has no assignment").removed, []);

    let blocked = world.assign(&expected, 1, None, 0).await.expect_err("blocked");
    assert!(matches!(blocked, ReservationError::RoomOutOfOrder { .. }), "{blocked:?}");
    world.is_clean().await;
}

#[tokio::test]
async fn block_and_assignment_of_one_room_that_race_apply_exactly_one() {
    let world = Arc::new(World::with_rooms(50).await);
    let mut races = Vec::new();
    for night in 0..10 {
        let order = world.sold(night, night + 1, 1).await;
        let (assigning, blocking) = (world.clone(), world.clone());
        let assign = tokio::spawn(async move { assigning.assign(&order, 1, None, 0).await });
        let block = tokio::spawn(async move {
            let block = blocking.block(u128::try_from(night).expect("few") + 1, 1, night, night + 1);
            blocking.store.create_out_of_order(blocking.hotel, &block, blocking.room_type).await
        });
        races.push((assign, block));
    }
    for (assign, block) in races {
        match (assign.await.expect("no panic"), block.await.expect("no panic")) {
            (Ok(_), Err(ReservationError::RoomAssigned { .. }))
            | (Err(ReservationError::RoomOutOfOrder { .. }), Ok(_)) => {}
            other => panic!("exactly one wins: {other:?}"),
        }
    }
    world.is_clean().await;
}

#[tokio::test]
async fn cancellations_changes_blocks_and_assignments_that_race_leave_no_room_with_nobody() {
    let world = Arc::new(World::with_rooms(50).await);
    let mut races = Vec::new();
    for n in 0..12 {
        let order = world.sold(n % 5, n % 5 + 3, 1).await;
        let (assigning, leaving, id) = (world.clone(), world.clone(), order.id);
        races.push(tokio::spawn(async move {
            // Whether the room is free is decided elsewhere; here both outcomes are right.
            for room in 1..4 {
                match assigning.assign(&order, room, None, 0).await {
                    Ok(_)
                    | Err(
                        ReservationError::RoomAssigned { .. }
                        | ReservationError::IllegalTransition { .. }
                        | ReservationError::RoomOutOfOrder { .. },
                    ) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        }));
        races.push(tokio::spawn(async move {
            match n % 3 {
                0 => drop(leaving.apply(id, Command::Cancel, Timestamp::now()).await.expect("cancelled")),
                1 => leaving.change_dates(id, n % 5 + 1, n % 5 + 4).await,
                _ => {
                    let block = NewOutOfOrder {
                        force: true,
                        ..leaving.block(u128::try_from(n).expect("few"), n % 3 + 1, 2, 4)
                    };
                    leaving.store.create_out_of_order(leaving.hotel, &block, leaving.room_type).await.expect("blocked");
                }
            }
        }));
    }
    for race in races {
        race.await.expect("no panic");
    }
    world.is_clean().await;
    let by_auto = world.desk().auto_assign(world.hotel, world.day(4)).await.expect("assigned");
    assert!(by_auto.assigned.iter().all(|room| room.room_id < room_id(4)));
    world.is_clean().await;
}

/// PARTNER-SPEC 10, rule 6.
#[tokio::test]
async fn hotel_that_requires_a_room_checks_in_only_guests_who_have_one_for_the_night() {
    let world = World::with_rooms(50).await;
    let guest = world.sold(0, 2, 1).await;
    let check_in = async || {
        step_rooms(
            &world.store,
            guest.id,
            StepOrder { needs_room: true, ..StepOrder::all(RoomStep::CheckIn) },
            world.day(0),
            "staff",
        )
        .await
    };
    let refused = check_in().await.expect_err("no room");
    assert!(matches!(refused, ReservationError::RoomNotAssigned { position: 1 }), "{refused:?}");
    world.assign(&guest, 1, None, 0).await.expect("free");
    assert_eq!(check_in().await.expect("in"), 1);
    assert_eq!(check_in().await.expect("a repeat"), 0);
}

#[tokio::test]
async fn assignments_and_notes_are_audited_once_without_texts_and_move_the_reservation_among_the_changes() {
    let world = World::with_rooms(50).await;
    let (guest, other) = (world.sold(0, 2, 1).await, world.sold(0, 1, 1).await);
    let position = async || -> String {
        let sql = "select change_xid::text from reservation where reservation_id = $1";
        sqlx::query_scalar(sql).bind(guest.id.as_uuid()).fetch_one(world.pool()).await.expect("a position")
    };
    let origin = Origin {
        role: ActorRole::Staff,
        actor: "user:1".into(),
        method: "a/B".into(),
        request_id: "r".into(),
        gateway: Gateway::Internal,
    };
    let before = position().await;
    let changes = async {
        for _ in 0..2 {
            world.assign(&guest, 1, None, 0).await.expect("free");
            world.desk().auto_assign(world.hotel, world.day(0)).await.expect("assigned");
            world.store.add_note(guest.id, Uuid::from_u128(1), "Likes the sea", "staff").await.expect("added");
        }
        world.desk().unassign_room(&world.staff(), (guest.id, 1), world.noon(0)).await.expect("freed");
    };
    Origin::scope(Some(origin), changes).await;
    assert_ne!(position().await, before);
    let records: Vec<(String, String, serde_json::Value)> =
        sqlx::query_as("select object_type, object_id, after from audit_record order by audit_id")
            .fetch_all(world.pool())
            .await
            .expect("rows");
    let room =
        |room_id: Option<i32>| serde_json::json!({ "position": 1, "room_id": room_id, "from_date": world.day(0) });
    let note = serde_json::json!({ "note_id": Uuid::from_u128(1), "length": 13 });
    let expected = [
        ("room_assignment", guest.id, room(Some(1))),
        ("room_assignment", other.id, room(Some(2))),
        ("reservation_note", guest.id, note),
        ("room_assignment", guest.id, room(None)),
    ];
    let expected = expected.map(|(kind, id, after)| (kind.to_owned(), id.to_string(), after));
    assert_eq!(records, expected);
}
