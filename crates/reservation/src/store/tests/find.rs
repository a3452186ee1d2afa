//! Reservations are found by guest, e-mail address and id, in their own hotel alone; notes are kept until they are erased.

use sqlx::{Executor, Row};
use uuid::Uuid;

use super::*;
use crate::{room_guest::RoomGuest, store::FindFilter};

impl World {
    async fn guest(&self, name: &str, email: &str, paid: bool) -> NewReservation {
        let mut order = self.order(0, 1, 1);
        order.guest.full_name = name.into();
        order.guest.email = email.into();
        self.book(&order).await.expect("booked");
        if paid {
            let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
            self.apply(order.id, pay, Timestamp::now()).await.expect("paid");
        }
        order
    }

    async fn find(&self, text: &str) -> Vec<ReservationId> {
        let rows = self.store.find_reservations(self.hotel, &FindFilter::Guest(text.into()), None, 10).await;
        rows.expect("a list").into_iter().map(|row| row.id).collect()
    }
}

#[tokio::test]
async fn guest_is_found_by_beginnings_of_words_without_case_and_accents() {
    let world = World::with_rooms(50).await;
    let guest = world.guest("Zoë Łukasz-Große Ærø", "zoe.o'n\\eil@example.com", true).await;
    world.guest("Unpaid Łukasz", "unpaid@example.com", false).await;
    world.guest("Somebody Else", "else@example.com", true).await;
    for text in ["zoe", "ZOË", "luka", "gross", "GROßE", "aero", "zoe luk", "luk zo", "łukasz, zoë", "zoe.o'n\\e@"]
    {
        let text = text.replace("\\e@", "\\eil@");
        assert_eq!(world.find(&text).await, [guest.id], "{text}");
    }
    assert_eq!(world.find("zoe.o'n\\eil@EXAMPLE").await, [guest.id], "an address by its beginning");
    for text in ["ukasz", "zoe else", "example.com", "zoe@", "&", "!", "':*", "zoe & else", "\\", "%", "unpaid"] {
        assert_eq!(world.find(text).await, [], "{text}");
    }
    let (elsewhere, zoe) = (HotelId::try_from(77).expect("an id"), FindFilter::Guest("zoe".into()));
    let other = world.store.find_reservations(elsewhere, &zoe, None, 10);
    assert_eq!(other.await.expect("a list").len(), 0, "another hotel");
    let rest = Uuid::from_bytes([0xff; 16]);
    let by_id = FindFilter::Ids(guest.id.as_uuid(), rest);
    let found = world.store.find_reservations(world.hotel, &by_id, None, 10).await.expect("a list");
    assert!(found.iter().any(|row| row.id == guest.id));
}

#[tokio::test]
async fn longest_names_and_ligatures_that_expand_can_be_booked_and_paid() {
    let world = World::with_rooms(50).await;
    let guest = world.guest(&"\u{fdfa}".repeat(200), &format!("{}@example.com", "a".repeat(64)), true).await;
    assert_eq!(world.find("صلى").await, [guest.id]);
}

#[tokio::test]
async fn reservation_is_found_by_the_guests_of_its_rooms_and_by_its_reference() {
    let world = World::with_rooms(50).await;
    let mut order = world.order(0, 1, 2);
    let guest = RoomGuest { given_name: "Ágnes".into(), family_name: "Example-Other".into(), ..RoomGuest::default() };
    (order.room_guests, order.client_reference) = (vec![None, Some(guest)], Some("Web-18/a".into()));
    world.book(&order).await.expect("booked");
    assert_eq!(world.find("agnes").await, [], "not paid");
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: total() };
    world.apply(order.id, pay, Timestamp::now()).await.expect("paid");
    for text in ["agnes", "other ag", "EXAMPLE", "web-18", "WEB-18/A", "we"] {
        assert_eq!(world.find(text).await, [order.id], "{text}");
    }
    for text in ["agnes guest", "18/a", "web-19", "smoking"] {
        assert_eq!(world.find(text).await, [], "{text}");
    }
}

/// Three thousand paid reservations of the hotel, each with a guest of its room, without what triggers write.
const MANY: &str = "begin;
    set local session_replication_role = replica;
    insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name,
        guest_email, payment_mode, status, currency, total_minor, price, content_hash, payment_id, paid_at)
    select 7, (lpad(to_hex(n), 8, '0') || '-0000-8000-8000-000000000007')::uuid, 'me', 3, '2030-01-01', '2030-01-02', 1, 1,
        'Guest ' || md5(n::text), 'guest' || n || '@example.com', 'guest_pays', 'paid', 'EUR', 100, 'null', sha256('x'),
        gen_random_uuid(), now()
    from generate_series(1, 3000) n;
    insert into reservation_room (hotel_id, reservation_id, room_position, room_type_id, rate_plan, check_in, check_out,
        adults, child_ages, total_minor, price, status, revision, guest)
    select 7, reservation_id, 1, 3, 'STANDARD', check_in, check_out, 1, '{}', 100, '{}', 'live', 1,
        jsonb_build_object('family_name', guest_name)
    from reservation;
    commit;
    analyze reservation, reservation_room";

#[tokio::test]
async fn find_reads_indexes_also_with_a_plan_for_any_values() {
    let world = World::with_rooms(1).await;
    let mut connection = world.pool().acquire().await.expect("a connection");
    connection.execute(sqlx::raw_sql(MANY)).await.expect("many");
    let (by_guest, by_id) = (super::super::find::BY_GUEST, super::super::find::BY_ID);
    let prepared =
        format!("set plan_cache_mode = force_generic_plan; prepare by_guest as {by_guest}; prepare by_id as {by_id}");
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(prepared))).await.expect("prepared");
    let mut plan = async |execute: &'static str| -> String {
        let rows = sqlx::raw_sql(execute).fetch_all(&mut *connection).await.expect("a plan");
        let plan = rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n");
        assert!(!plan.contains("Seq Scan on reservation ") && !plan.contains("Seq Scan on reservation_room"), "{plan}");
        plan
    };
    let by_guest = plan("explain execute by_guest(7, 'ada', null, null, 10, 5000)").await;
    for index in ["on reservation_search_idx", "on reservation_room_guest_search_idx", "using reservation_pkey"] {
        assert!(by_guest.contains(index), "{index}: {by_guest}");
    }
    let by_id = plan(
        "explain execute by_id(7, '00000000-0000-0000-0000-000000000000', null, null, 10, 5000, \
         '00000000-0000-0000-0000-000000000001')",
    )
    .await;
    assert!(by_id.contains("reservation_pkey"), "{by_id}");
    drop(connection);
    // Each fits by its guest and by the guest of its room.
    let refused = world.store.find_reservations(world.hotel, &FindFilter::Guest("guest".into()), None, 10).await;
    assert!(matches!(refused, Err(ReservationError::Field(_))), "{refused:?}");
}

#[tokio::test]
async fn note_is_added_once_never_changed_and_erased_with_its_guest() {
    let world = World::with_rooms(50).await;
    let guest = world.guest("A guest", "guest@example.com", true).await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let add = async |id, text: &str| world.store.add_note(guest.id, id, text, "staff").await;
    let note = add(first, "Arrives late").await.expect("added");
    assert!(add(first, "Arrives late").await.expect("a repeat") == note);
    let reused = add(first, "Something else").await.err().expect("refused");
    assert!(matches!(reused, ReservationError::RequestIdReused), "{reused:?}");
    add(second, "Likes the sea").await.expect("added");
    let notes = world.store.notes(guest.id, None, 10).await.expect("a list");
    assert_eq!(notes.iter().map(|note| note.content.as_str()).collect::<Vec<_>>(), ["Likes the sea", "Arrives late"]);
    let next = world.store.notes(guest.id, Some(notes[0].position()), 10).await.expect("a page");
    assert!(next == notes[1..]);
    let changed =
        sqlx::query("update reservation_note set content = 'x'").execute(world.pool()).await.expect_err("refused");
    let constraint = changed.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    assert_eq!(constraint, Some("reservation_note_is_append_only"));

    world.store.insert_forgotten("me").await.expect("recorded");
    let over = guest.stay.check_out().saturating_add(1.days());
    world.store.erase_guests("me", over).await.expect("erased");
    let notes = world.store.notes(guest.id, None, 10).await.expect("a list");
    assert!(notes.iter().all(|note| note.content == "-"));
    let late = add(Uuid::new_v4(), "Was here").await.err().expect("refused");
    assert!(matches!(late, ReservationError::Field(_)), "{late:?}");
    assert_eq!(world.find("guest@").await, [], "the address is not found any more");
}

#[tokio::test]
async fn note_that_races_its_erasure_is_erased_or_refused() {
    let world = World::with_rooms(50).await;
    for _ in 0..10 {
        let guest = world.guest("A guest", "guest@example.com", true).await;
        world.store.insert_forgotten("me").await.expect("recorded");
        let over = guest.stay.check_out().saturating_add(1.days());
        let (added, erased) = tokio::join!(
            world.store.add_note(guest.id, Uuid::new_v4(), "Likes the sea", "staff"),
            world.store.erase_guests("me", over)
        );
        erased.expect("erased");
        assert!(matches!(added, Ok(_) | Err(ReservationError::Field(_))));
        let notes = world.store.notes(guest.id, None, 10).await.expect("a list");
        assert!(notes.iter().all(|note| note.content == "-"));
    }
}
