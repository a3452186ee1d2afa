//! Changes against the database: swaps, partial cancellations, pending changes, repeats and races.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use rstest::rstest;
use staymesh_domain::{DateRange, StayDates};

use super::*;
use crate::{
    calendar::today,
    check,
    error::NotChangeable,
    expiry::drop_expired,
    lifecycle::Command,
    model::{NewReservation, Status},
    quote::tests::{euros, quote_for},
    room_line::RoomLine,
    store::{StopSellChange, Store},
    testing::{World, hotel_id, order_of, room_type},
    writer::{Created, apply, book_each},
};

mod arrivals;
mod limits;
mod plans;
mod races;

const HOTEL: i32 = 7;

fn first() -> Date {
    today(Timestamp::now()).saturating_add(60.days())
}

fn stay(from: i32, nights: i32) -> StayDates {
    let check_in = first().saturating_add(from.days());
    StayDates::new(check_in, check_in.saturating_add(nights.days())).expect("a stay")
}

/// A room for these nights at this price, of which so many per cent are kept when it is cancelled within two days before
/// arrival.
fn line(from: i32, nights: i32, minor: i64, late: i32) -> RoomLine {
    let stay = stay(from, nights);
    RoomLine {
        room_type_id: room_type(),
        stay,
        party: "1".parse().expect("a party"),
        quote: quote_for(stay, minor, late),
        status: crate::room_status::RoomStatus::Live,
    }
}

fn placed(position: i32, line: RoomLine) -> PlacedRoom {
    PlacedRoom { position, line }
}

/// A hotel whose nights 0 to 19 have so many rooms.
async fn hotel(rooms: i32) -> World {
    let world = World::new().await;
    world.sell(HOTEL, first(), 20, rooms).await.expect("inventory");
    world
}

/// A paid reservation of these rooms.
async fn paid(world: &World, lines: Vec<RoomLine>) -> Reservation {
    let order = order(lines);
    let booked =
        book_each(&world.store, std::slice::from_ref(&order)).await.expect("booked").pop().expect("an outcome");
    let (Created::New(booking) | Created::Repeat(booking)) = booked.expect("rooms");
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: booking.first_total };
    apply(&world.store, booking.id, &pay, Timestamp::now()).await.expect("paid").reservation
}

fn order(lines: Vec<RoomLine>) -> NewReservation {
    let now = Timestamp::now();
    let id = ReservationId::generate(hotel_id(HOTEL), now);
    NewReservation { id, ..order_of(lines, now) }
}

fn command(id: ReservationId, command: RevisionCommand, now: Timestamp) -> RevisionOrder {
    RevisionOrder { id, command, now, actor: "me".to_owned(), trace_parent: None, origin: None }
}

/// The command to replace all rooms of a reservation by these, quoted for its revision.
fn replace(booking: &Reservation, rooms: Vec<PlacedRoom>, penalty: i64) -> RevisionCommand {
    let change = RoomsChange::new(&booking.placed(), vec![], rooms, euros(penalty)).expect("a change");
    RevisionCommand::Apply {
        change,
        base: booking.revision,
        request_id: Uuid::new_v4(),
        content_hash: [1; 32],
        expire_time: Timestamp::now() + SignedDuration::from_mins(15),
        limits: Box::default(),
    }
}

async fn run(store: &Store, id: ReservationId, order: RevisionCommand) -> Result<Revised, ReservationError> {
    revise(store, &command(id, order, Timestamp::now())).await
}

/// Rooms reserved in the nights from `from` on.
async fn reserved(world: &World, from: i32, nights: i32) -> Vec<i32> {
    let stay = stay(from, nights);
    let nights = world.store.nights_left(hotel_id(HOTEL), stay, &[room_type()]).await.expect("nights");
    nights.iter().map(|night| night.total_reserved).collect()
}

async fn assert_clean(world: &World) {
    let report = check::run(world.pool(), &check::Options::default(), |_| {}).await.expect("checked");
    assert!(report.is_clean(), "{report:?}");
}

async fn events(world: &World, kind: &str) -> Vec<serde_json::Value> {
    sqlx::query_scalar("select payload from outbox where kind = $1 order by event_id")
        .bind(kind)
        .fetch_all(world.pool())
        .await
        .expect("events")
}

/// PARTNER-SPEC 7, example 3: the hotel is full on 12 and 13, one room is free on 14: 12 to 14 becomes 13 to 15.
#[tokio::test]
async fn swap_keeps_a_sold_out_night_that_the_guest_has_and_releases_the_other() {
    let world = hotel(1).await;
    let booking = paid(&world, vec![line(12, 2, 20_000, 30)]).await;
    let revised = run(&world.store, booking.id, replace(&booking, vec![placed(1, line(13, 2, 20_000, 30))], 0)).await;
    let after = revised.expect("swapped").reservation;
    assert_eq!((after.revision, after.stay, after.pending), (2, stay(13, 2), None));
    assert_ne!(after.update_time, booking.update_time);
    assert_eq!(reserved(&world, 12, 3).await, [0, 1, 1]);
    let applied = events(&world, CHANGE_APPLIED).await;
    assert_eq!(applied.len(), 1);
    assert_eq!((&applied[0]["revision"], &applied[0]["refund_amount"]), (&2.into(), &"0.00".into()));
    assert_clean(&world).await;
}

/// PARTNER-SPEC 7, example 3: 11 is full, so 12 to 14 stays what it was.
#[tokio::test]
async fn refused_swap_names_the_night_and_leaves_the_reservation_as_it_was() {
    let world = hotel(1).await;
    let booking = paid(&world, vec![line(12, 2, 20_000, 30)]).await;
    paid(&world, vec![line(11, 1, 10_000, 30)]).await;
    let refused = run(&world.store, booking.id, replace(&booking, vec![placed(1, line(11, 3, 20_000, 30))], 0)).await;
    let Err(ReservationError::SoldOut { stay_date, rooms_left, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((stay_date, rooms_left), (Some(stay(11, 1).check_in()), Some(0)));
    let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
    assert_eq!((after.revision, after.version, after.stay), (1, booking.version, booking.stay));
    assert_eq!(reserved(&world, 11, 3).await, [1, 1, 1]);
    assert_clean(&world).await;
}

/// PARTNER-SPEC 3, edge case: a closed night that the guest has is kept; one that a change adds refuses it.
#[tokio::test]
async fn stop_sell_refuses_a_change_by_the_nights_that_it_adds_and_not_by_those_that_it_keeps() {
    let world = hotel(5).await;
    let booking = paid(&world, vec![line(12, 2, 20_000, 30)]).await;
    let close = async |from| {
        let stay = stay(from, 1);
        let change = StopSellChange {
            room_types: BTreeSet::from([room_type()]),
            nights: DateRange::new(stay.check_in(), stay.check_out()).expect("a range"),
            stop_sell: true,
            etags: BTreeMap::new(),
        };
        world.store.set_stop_sell(hotel_id(HOTEL), &change).await.expect("closed");
    };
    close(13).await;
    let longer = run(&world.store, booking.id, replace(&booking, vec![placed(1, line(12, 3, 30_000, 30))], 0)).await;
    longer.expect("held until it is paid");
    let pay = RevisionCommand::Confirm { revision: 2, payment: Some((PaymentId::new(), euros(10_000))) };
    let longer = run(&world.store, booking.id, pay).await.expect("paid").reservation;
    assert_eq!((longer.revision, longer.stay), (2, stay(12, 3)));
    close(15).await;
    let refused = run(&world.store, booking.id, replace(&longer, vec![placed(1, line(12, 4, 30_000, 30))], 0)).await;
    let Err(ReservationError::StopSell { stay_date, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(stay_date, Some(stay(15, 1).check_in()));
    let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
    assert_eq!((after.revision, after.stay), (2, stay(12, 3)));
    assert_eq!(reserved(&world, 12, 4).await, [1, 1, 1, 0]);
    assert_clean(&world).await;
}

/// PARTNER-SPEC 7, example 2: 330.00, 330.00 and 495.00; the last is cancelled late at 50 %: 247.50 kept, 247.50 back.
#[tokio::test]
async fn cancelled_room_keeps_its_penalty_and_the_others_stand() {
    let world = hotel(3).await;
    let rooms = vec![line(0, 2, 33_000, 50), line(0, 2, 33_000, 50), line(0, 2, 49_500, 50)];
    let booking = paid(&world, rooms).await;
    let late = booking.quote.terms.cancel_before - SignedDuration::from_hours(1);
    let cancel = |positions: &[i32]| {
        let positions = positions.iter().copied().collect();
        command(
            booking.id,
            RevisionCommand::CancelRooms { positions, content_hash: [2; 32], expected_refund: None },
            late,
        )
    };
    let after = revise(&world.store, &cancel(&[3])).await.expect("cancelled").reservation;
    assert_eq!((after.status, after.revision, after.positions), (Status::Paid, 2, vec![1, 2]));
    assert_eq!((after.quote.total, after.retained), (euros(66_000), euros(24_750)));
    assert_eq!(events(&world, CHANGE_APPLIED).await[0]["refund_amount"], "247.50");
    assert_eq!(reserved(&world, 0, 2).await, [2, 2]);
    assert_clean(&world).await;

    let repeat = revise(&world.store, &cancel(&[3])).await.expect("a repeat");
    assert_eq!((repeat.outcome, repeat.reservation.revision), (RevisionOutcome::Nothing, 2));
    let all = revise(&world.store, &cancel(&[1, 2, 3])).await.expect("all");
    assert_eq!((all.outcome, all.reservation.revision), (RevisionOutcome::CancelsAll, 2));
    // The rest is cancelled by its own terms; what was kept stays kept.
    let ended = apply(&world.store, booking.id, &Command::Cancel, late).await.expect("cancelled").reservation;
    assert_eq!((ended.status, ended.retained), (Status::Cancelled, euros(24_750)));
    assert_eq!(events(&world, crate::events::CANCELLED).await[0]["refund_amount"], "330.00");
    assert_eq!(reserved(&world, 0, 2).await, [0, 0]);
    assert_clean(&world).await;
}

#[tokio::test]
async fn change_that_is_to_be_paid_holds_what_it_adds_until_its_payment_applies_it() {
    let world = hotel(1).await;
    let booking = paid(&world, vec![line(0, 3, 35_200, 30)]).await;
    let change = replace(&booking, vec![placed(1, line(1, 3, 51_700, 30))], 0);
    let held = run(&world.store, booking.id, change.clone()).await.expect("held").reservation;
    let pending = held.pending.clone().expect("a pending change");
    assert_eq!((held.revision, held.stay, pending.revision), (1, booking.stay, 2));
    assert_eq!(pending.change.balance, euros(16_500));
    assert_eq!(reserved(&world, 0, 4).await, [1, 1, 1, 1]);
    assert_clean(&world).await;
    let other = run(&world.store, booking.id, replace(&booking, vec![placed(1, line(5, 1, 1, 30))], 0)).await;
    assert!(matches!(other, Err(ReservationError::ChangePending)), "{other:?}");

    let payment = PaymentId::new();
    let confirm = |revision, minor| RevisionCommand::Confirm { revision, payment: Some((payment, euros(minor))) };
    let wrong = run(&world.store, booking.id, confirm(2, 16_499)).await;
    assert!(matches!(wrong, Err(ReservationError::AmountMismatch)), "{wrong:?}");
    let paid = run(&world.store, booking.id, confirm(2, 16_500)).await.expect("confirmed").reservation;
    assert_eq!((paid.revision, paid.stay, paid.pending), (2, stay(1, 3), None));
    assert_eq!(reserved(&world, 0, 4).await, [0, 1, 1, 1]);
    assert_eq!(events(&world, CHANGE_APPLIED).await.len(), 1);
    let repeat = run(&world.store, booking.id, confirm(2, 16_500)).await.expect("a repeat");
    assert_eq!(repeat.outcome, RevisionOutcome::Nothing);
    let second = RevisionCommand::Confirm { revision: 2, payment: Some((PaymentId::new(), euros(16_500))) };
    let second = run(&world.store, booking.id, second).await.expect("a second payment");
    assert_eq!(second.outcome, RevisionOutcome::RefundPayment);
    // The repeat of the first payment is for the first revision, whatever the reservation costs now.
    let first = Command::ConfirmPayment { payment_id: booking.payment_id.expect("paid"), amount: euros(35_200) };
    assert!(!apply(&world.store, booking.id, &first, Timestamp::now()).await.expect("a repeat").refund_required);
    assert_clean(&world).await;
}

#[derive(Clone, Copy, Debug)]
enum End {
    Expires,
    IsRejected,
    IsCancelled,
    LosesARoom,
}

#[rstest]
#[case(End::Expires, [1, 1, 0])]
#[case(End::IsRejected, [1, 1, 0])]
#[case(End::IsCancelled, [0, 0, 0])]
#[case(End::LosesARoom, [0, 1, 0])]
#[tokio::test]
async fn dropped_change_gives_back_what_it_held_and_uses_up_its_number(#[case] end: End, #[case] left: [i32; 3]) {
    let world = hotel(2).await;
    let booking = paid(&world, vec![line(0, 1, 10_000, 30), line(1, 1, 10_000, 30)]).await;
    let rooms = vec![placed(1, line(0, 1, 10_000, 30)), placed(2, line(1, 2, 20_000, 30))];
    let held = replace(&booking, rooms, 0);
    run(&world.store, booking.id, held.clone()).await.expect("held");
    assert_eq!(reserved(&world, 0, 3).await, [1, 1, 1]);
    let now = Timestamp::now();
    match end {
        End::Expires => {
            assert_eq!(drop_expired(&world.store, now, 10).await.expect("a sweep"), 0, "not yet");
            let later = now + SignedDuration::from_mins(16);
            assert_eq!(drop_expired(&world.store, later, 10).await.expect("a sweep"), 1);
        }
        End::IsRejected => {
            run(&world.store, booking.id, RevisionCommand::Drop { revision: 2 }).await.expect("dropped");
        }
        End::IsCancelled => {
            apply(&world.store, booking.id, &Command::Cancel, now).await.expect("cancelled");
        }
        End::LosesARoom => {
            let cancel =
                RevisionCommand::CancelRooms { positions: [1].into(), content_hash: [3; 32], expected_refund: None };
            run(&world.store, booking.id, cancel).await.expect("cancelled");
        }
    }
    let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
    let revisions = if matches!(end, End::LosesARoom) { 3 } else { 2 };
    assert_eq!((after.revision, after.pending), (revisions, None));
    assert_eq!(reserved(&world, 0, 3).await, left);
    let dropped = events(&world, CHANGE_DROPPED).await;
    assert_eq!((dropped.len(), &dropped[0]["revision"], &dropped[0]["dropped"]), (1, &2.into(), &true.into()));
    let late = RevisionCommand::Confirm { revision: 2, payment: Some((PaymentId::new(), euros(10_000))) };
    let late = run(&world.store, booking.id, late).await.expect("too late");
    assert_eq!(late.outcome, RevisionOutcome::RefundPayment);
    let repeat = run(&world.store, booking.id, held).await;
    assert!(matches!(repeat, Err(ReservationError::RevisionMismatch { base: 1, current }) if current == revisions));
    assert_clean(&world).await;
    let listed = world.store.revisions(booking.id, 0, 10).await.expect("revisions");
    assert_eq!(listed[1].reason, "change_dropped");
    assert_eq!(listed[1].lines, listed[0].lines);
}

/// PARTNER-SPEC 7, edge case: two change tokens for one booking, the first applied wins.
#[tokio::test]
async fn second_change_of_one_revision_is_refused_and_a_repeat_of_the_first_is_not() {
    let world = hotel(2).await;
    let booking = paid(&world, vec![line(0, 2, 20_000, 30)]).await;
    let first = replace(&booking, vec![placed(1, line(1, 2, 20_000, 30))], 0);
    let second = replace(&booking, vec![placed(1, line(2, 2, 20_000, 30))], 0);
    let (one, other) =
        tokio::join!(run(&world.store, booking.id, first.clone()), run(&world.store, booking.id, second.clone()));
    let (won, lost) = if one.is_ok() { (first, other) } else { (second, one) };
    assert!(matches!(lost, Err(ReservationError::RevisionMismatch { base: 1, current: 2 })), "{lost:?}");
    let repeat = run(&world.store, booking.id, won.clone()).await.expect("a repeat");
    assert_eq!((repeat.outcome, repeat.reservation.revision), (RevisionOutcome::Nothing, 2));
    let RevisionCommand::Apply { change, base, request_id, expire_time, limits, .. } = won else { panic!("a change") };
    let content_hash = [9; 32];
    let other = RevisionCommand::Apply { change, base, request_id, content_hash, expire_time, limits };
    let reused = run(&world.store, booking.id, other).await;
    assert!(matches!(reused, Err(ReservationError::RequestIdReused)), "{reused:?}");
    assert_clean(&world).await;
}

#[tokio::test]
async fn reservation_that_is_unpaid_or_ended_or_begun_is_not_changed() {
    let world = hotel(2).await;
    let order = order(vec![line(0, 2, 20_000, 30)]);
    let booked = book_each(&world.store, &[order]).await.expect("booked").pop().expect("an outcome").expect("rooms");
    let (Created::New(unpaid) | Created::Repeat(unpaid)) = booked;
    let move_it = replace(&unpaid, vec![placed(1, line(1, 2, 20_000, 30))], 0);
    let refused = |result: Result<Revised, ReservationError>| match result {
        Err(ReservationError::NotChangeable(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(run(&world.store, unpaid.id, move_it.clone()).await), NotChangeable::Unpaid);
    let hold = world.store.get(unpaid.id).await.expect("reads").expect("a reservation").hold_expire_time;
    assert_eq!(hold, unpaid.hold_expire_time, "the hold's end does not move");
    let paid = paid(&world, vec![line(0, 2, 20_000, 30)]).await;
    let begun = command(paid.id, move_it, paid.quote.terms.cancel_before);
    assert_eq!(refused(revise(&world.store, &begun).await), NotChangeable::StayHasBegun);
    apply(&world.store, paid.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    let ended = replace(&paid, vec![placed(1, line(1, 2, 20_000, 30))], 0);
    assert_eq!(refused(run(&world.store, paid.id, ended).await), NotChangeable::Ended);
}

/// It has a row only since the first change, see migration 0072.
#[tokio::test]
async fn first_revision_reads_the_same_before_and_after_the_first_change() {
    let world = hotel(5).await;
    let booking = paid(&world, vec![line(0, 2, 20_000, 30), line(1, 2, 10_000, 30), line(2, 3, 30_000, 30)]).await;
    let kept = "select count(*) from reservation_revision";
    assert_eq!(world.count(kept).await, 0);
    let before = world.store.revisions(booking.id, 0, 10).await.expect("revisions");
    let [first] = before.as_slice() else { panic!("{before:?}") };
    assert_eq!((&first.lines, first.total, first.retained), (&booking.lines, booking.first_total, euros(0)));
    let created = (first.revision, first.create_time, first.actor.as_str(), first.reason.as_str());
    assert_eq!(created, (1, booking.create_time, booking.owner.as_str(), "created"));

    // The second room moves, the third is dropped, and a fourth is added.
    let rooms = vec![placed(2, line(3, 2, 10_000, 30)), placed(4, line(0, 1, 5_000, 30))];
    let change = RoomsChange::new(&booking.placed(), vec![1], rooms, euros(0)).expect("a change");
    let expire_time = Timestamp::now() + SignedDuration::from_mins(15);
    let (request_id, content_hash) = (Uuid::new_v4(), [1; 32]);
    let limits = Box::default();
    let change = RevisionCommand::Apply { change, base: 1, request_id, content_hash, expire_time, limits };
    run(&world.store, booking.id, change).await.expect("changed");
    assert_eq!(world.count(kept).await, 2);
    let after = world.store.revisions(booking.id, 0, 10).await.expect("revisions");
    assert_eq!(after.iter().map(|revision| revision.lines.len()).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(format!("{:?}", after[0]), format!("{first:?}"));
    assert_eq!(world.store.revisions(booking.id, 1, 10).await.expect("revisions").len(), 1);
    assert_clean(&world).await;
}
