//! Which rooms complete by themselves.

use jiff::{SignedDuration, Timestamp, ToSpan};
use staymesh_domain::PaymentId;

use super::*;
use crate::{
    calendar::begins,
    model::PaymentMode,
    room_step::RoomStep,
    service::{StepOrder, step_rooms},
    testing::{World, pay},
};

async fn run_at(world: &World, now: Timestamp) -> Departures {
    let mut done = Departures::default();
    once(&world.store, now, &mut done).await.expect("a run");
    done
}

#[tokio::test]
async fn rooms_complete_on_the_day_after_check_out_at_every_hotel() {
    let world = World::new().await;
    let first = today(Timestamp::now());
    world.sell(7, first, 5, 10).await.expect("inventory");
    let booking = world.book(7, first, 2, PaymentMode::GuestPays).await.expect("booked");
    world.apply(booking.id, &pay(PaymentId::new())).await.expect("paid");
    assert_eq!(
        step_rooms(&world.store, booking.id, StepOrder::all(RoomStep::CheckIn), first, "staff").await.expect("in"),
        1
    );

    let day_after = begins(first.saturating_add(3.days())).expect("a time");
    let early = day_after - SignedDuration::from_nanos(1);
    let rooms = async |now| run_at(&world, now).await.rooms;
    assert_eq!((rooms(early).await, rooms(day_after).await, rooms(day_after).await), (0, 1, 0));
    let read = world.store.get(booking.id).await.expect("read").expect("is there");
    assert_eq!((read.status, read.lines[0].status), (crate::Status::Paid, RoomStatus::Completed));
    let by_system = "select count(*) from room_status_change where actor = 'system' and status = 'completed'";
    assert_eq!(world.count(by_system).await, 1);
}

#[tokio::test]
async fn reservations_that_cannot_be_read_or_written_are_skipped_and_the_others_complete() {
    let world = World::new().await;
    let first = today(Timestamp::now());
    world.sell(7, first, 5, 10).await.expect("inventory");
    let mut bookings = Vec::new();
    for _ in 0..4 {
        let booking = world.book(7, first, 2, PaymentMode::GuestPays).await.expect("booked");
        world.apply(booking.id, &pay(PaymentId::new())).await.expect("paid");
        step_rooms(&world.store, booking.id, StepOrder::all(RoomStep::CheckIn), first, "staff").await.expect("in");
        bookings.push(booking.id);
    }
    let [_, unreadable, unwritable, _] = bookings[..] else { panic!("four") };
    world
        .tamper(&format!(
            "update reservation_room set price = '{{}}' where reservation_id = '{unreadable}';
             alter table room_status_change
                 add constraint not_this check (status <> 'completed' or reservation_id <> '{unwritable}')"
        ))
        .await;
    let done = run_at(&world, begins(first.saturating_add(3.days())).expect("a time")).await;
    assert_eq!((done.rooms, done.stuck), (2, [unreadable.as_uuid(), unwritable.as_uuid()].into()));
}
