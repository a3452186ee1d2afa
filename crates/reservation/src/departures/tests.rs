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
    let rooms = async |now| once(&world.store, now).await.expect("a run").rooms;
    assert_eq!((rooms(early).await, rooms(day_after).await, rooms(day_after).await), (0, 1, 0));
    let read = world.store.get(booking.id).await.expect("read").expect("is there");
    assert_eq!((read.status, read.lines[0].status), (crate::Status::Paid, RoomStatus::Completed));
    let by_system = "select count(*) from room_status_change where actor = 'system' and status = 'completed'";
    assert_eq!(world.count(by_system).await, 1);
}

#[tokio::test]
async fn reservation_that_cannot_be_read_is_skipped_and_the_others_complete() {
    let world = World::new().await;
    let first = today(Timestamp::now());
    world.sell(7, first, 5, 10).await.expect("inventory");
    let mut bookings = Vec::new();
    for _ in 0..3 {
        let booking = world.book(7, first, 2, PaymentMode::GuestPays).await.expect("booked");
        world.apply(booking.id, &pay(PaymentId::new())).await.expect("paid");
        step_rooms(&world.store, booking.id, StepOrder::all(RoomStep::CheckIn), first, "staff").await.expect("in");
        bookings.push(booking.id);
    }
    let damage = format!("update reservation_room set price = '{{}}' where reservation_id = '{}'", bookings[1]);
    world.tamper(&damage).await;
    let done = once(&world.store, begins(first.saturating_add(3.days())).expect("a time")).await.expect("a run");
    assert_eq!((done.rooms, done.stuck), (2, [bookings[1].as_uuid()].into()));
}
