//! Reservations that changed: the checker finds what is planted in their changes, and nothing else.

use std::collections::BTreeSet;

use staymesh_domain::ReservationId;
use uuid::Uuid;

use super::*;
use crate::{
    model::Reservation,
    quote::tests::{euros, quote_for},
    room_line::RoomLine,
    rooms_change::{PlacedRoom, RoomsChange},
    testing::{hotel_id, order_of, room_type},
    writer::{Created, RevisionCommand, RevisionOrder, apply, book_each, revise},
};

/// A room for so many nights from the first on, of which half is kept late.
fn line(nights: i32, minor: i64) -> RoomLine {
    let stay = staymesh_domain::StayDates::new(first(), first().saturating_add(nights.days())).expect("a stay");
    let party = "1".parse().expect("a party");
    RoomLine {
        room_type_id: room_type(),
        stay,
        party,
        quote: quote_for(stay, minor, 50),
        status: crate::room_status::RoomStatus::Live,
    }
}

async fn change(world: &World, id: ReservationId, command: RevisionCommand, now: Timestamp) -> Reservation {
    let order = RevisionOrder { id, command, now, actor: "me".into(), trace_parent: None, origin: None };
    revise(&world.store, &order).await.expect("revised").reservation
}

/// One reservation of three rooms, of which the third was cancelled late, and a night more for the second waits for its
/// payment.
async fn changed() -> World {
    let world = World::new().await;
    world.sell(HOTEL, first(), 10, 20).await.expect("inventory");
    let now = Timestamp::now();
    let lines = vec![line(2, 33_000), line(2, 33_000), line(2, 49_500)];
    let id = ReservationId::generate(hotel_id(HOTEL), now);
    let order = crate::model::NewReservation { id, ..order_of(lines, now) };
    let booked = book_each(&world.store, &[order]).await.expect("booked").pop().expect("an outcome").expect("rooms");
    let (Created::New(booking) | Created::Repeat(booking)) = booked;
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: booking.first_total };
    let booking = apply(&world.store, id, &pay, now).await.expect("paid").reservation;
    let late = booking.quote.terms.cancel_before - jiff::SignedDuration::from_hours(1);
    let cancel =
        RevisionCommand::CancelRooms { positions: BTreeSet::from([3]), content_hash: [1; 32], expected_refund: None };
    let booking = change(&world, id, cancel, late).await;
    let longer = vec![PlacedRoom { position: 2, line: line(3, 49_500) }];
    let longer = RoomsChange::new(&booking.placed(), vec![1], longer, euros(0)).expect("a change");
    let (request_id, expire_time) = (Uuid::new_v4(), now + jiff::SignedDuration::from_mins(15));
    let (content_hash, limits) = ([2; 32], Box::default());
    let apply = RevisionCommand::Apply { change: longer, base: 2, request_id, content_hash, expire_time, limits };
    assert!(change(&world, id, apply, now).await.pending.is_some());
    world
}

#[rstest]
#[case::held_night_released(
    "update room_type_inventory set total_reserved = 0 where stay_date = FIRST + 2",
    &[(Kind::ReservedDiffers, 1)],
    "0 reserved, but"
)]
#[case::hold_of_change_lost(
    "update reservation_change set held = '[]' where status = 'pending'",
    &[(Kind::ReservedDiffers, 1)],
    "1 reserved, but"
)]
#[case::dropped_room_lives(
    "update reservation_room set status = 'live' where room_position = 3",
    &[(Kind::ReservedDiffers, 2), (Kind::RoomsDiffer, 1)],
    "2 reserved, but"
)]
#[case::dropped_room_comes_back(
    "update reservation_room set dropped_revision = null where room_position = 3",
    &[(Kind::RoomsDiffer, 1)],
    "3 rooms, but 2 were agreed"
)]
#[case::room_that_stays_lost(
    "delete from reservation_room where room_position = 2",
    &[(Kind::ReservedDiffers, 2), (Kind::RoomsDiffer, 1)],
    "2 reserved, but"
)]
#[case::dropped_room_lost(
    "delete from reservation_room where room_position = 3",
    &[(Kind::RoomsDiffer, 1)],
    "room 3 is lost"
)]
#[case::kept_money_altered(
    "update reservation set retained_minor = 1",
    &[(Kind::IllegalRevision, 1)],
    "keeps 1, but its changes keep 24750"
)]
#[case::penalty_altered(
    "update reservation_change set penalty_minor = 5 where revision = 2",
    &[(Kind::IllegalRevision, 1)],
    "keeps 24750, but"
)]
#[case::kept_money_of_revision_altered(
    "update reservation_revision set retained_minor = 24751 where revision = 2",
    &[(Kind::IllegalRevision, 1), (Kind::RoomsDiffer, 1)],
    "rooms cost 66000 EUR, but the booking 65999 EUR"
)]
#[case::pending_change_forgotten(
    "update reservation set pending_revision = null",
    &[(Kind::IllegalRevision, 1)],
    "waits for change none, but pending is 3"
)]
#[case::pending_change_ended_by_hand(
    "update reservation_change set status = 'dropped' where revision = 3",
    &[(Kind::ReservedDiffers, 1), (Kind::IllegalRevision, 1)],
    "1 reserved, but"
)]
#[case::pending_change_lost(
    "delete from reservation_change where revision = 3",
    &[(Kind::ReservedDiffers, 1), (Kind::IllegalRevision, 1)],
    "1 reserved, but"
)]
#[case::change_lost(
    "delete from reservation_change where revision = 2",
    &[(Kind::IllegalRevision, 1)],
    "has 0 changes after 2 revisions"
)]
#[case::first_total_altered(
    "update reservation_revision set total_minor = 1 where revision = 1",
    &[(Kind::IllegalRevision, 1)],
    "was agreed for 1 EUR"
)]
#[case::latest_total_altered(
    "update reservation_revision set total_minor = 1 where revision = 2",
    &[(Kind::RoomsDiffer, 1)],
    "rooms cost 66000 EUR"
)]
#[case::pending_change_overdue(
    "update reservation_change set expire_time = now() - interval '61 s' where status = 'pending'",
    &[(Kind::HoldOverdue, 1)],
    "the change 3 should have ended at"
)]
#[tokio::test]
async fn damage_of_a_changed_reservation_is_found_exactly(
    #[case] sql: &str,
    #[case] kinds: &[(Kind, u64)],
    #[case] detail: &str,
) {
    let world = changed().await;
    assert!(check(&world).await.is_clean());
    // Constraints hold against most damage; restored backups and repairs by hand do not ask them.
    let constraints = "alter table reservation_revision drop constraint reservation_revision_retained_in_bounds;
        alter table reservation_room drop constraint reservation_room_dropped_is_cancelled;";
    world.tamper(&format!("{constraints} {}", sql.replace("FIRST", &format!("date '{}'", first())))).await;
    let report = check(&world).await;
    assert_eq!(report.counts, kinds.iter().copied().collect(), "{:?}", report.listed);
    assert!(report.listed[0].detail.starts_with(detail), "{}", report.listed[0]);
}
