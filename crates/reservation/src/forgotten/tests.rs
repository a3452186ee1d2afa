//! What is erased of the reservations of a deleted account, and when.

use jiff::{ToSpan, civil::Date};
use staymesh_domain::PaymentId;

use super::*;
use crate::{
    calendar,
    lifecycle::Command,
    model::{PaymentMode, Reservation},
    testing::{World, pay},
};

async fn guest_of(world: &World, booking: &Reservation) -> (String, String) {
    let guest = world.store.get(booking.id).await.expect("read").expect("is there").guest;
    (guest.full_name, guest.email)
}

fn erased(name: &str) -> (String, String) {
    (name.to_owned(), "erased@deleted.invalid".to_owned())
}

#[tokio::test]
async fn reservations_of_a_deleted_account_are_erased_when_they_are_over() {
    let world = World::new().await;
    let today: Date = calendar::today(Timestamp::now());
    let from = today.saturating_add(3.days());
    world.sell(7, from, 5, 10).await.expect("on sale");
    let paid = world.book(7, from, 2, PaymentMode::GuestPays).await.expect("booked");
    world.apply_at(paid.id, &pay(PaymentId::new()), Timestamp::now()).await.expect("paid");
    let cancelled = world.book(7, from, 2, PaymentMode::GuestPays).await.expect("booked");
    world.apply_at(cancelled.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    let held = world.book(7, from, 2, PaymentMode::GuestPays).await.expect("booked");
    let before = guest_of(&world, &paid).await;

    for _ in 0..2 {
        world.store.insert_forgotten("me").await.expect("recorded");
    }
    assert_eq!(once(&world.store, Timestamp::now()).await.expect("erased"), 1);
    assert_eq!(guest_of(&world, &cancelled).await, erased("-"));
    assert_eq!(guest_of(&world, &paid).await, before, "the hotel expects the guest");
    assert_eq!(guest_of(&world, &held).await, before, "it may still be paid");
    assert_eq!(world.store.pending_forgotten(10).await.expect("read"), ["me"]);

    let after_stay = calendar::begins(from.saturating_add(3.days())).expect("in range");
    assert_eq!(once(&world.store, after_stay).await.expect("erased"), 2);
    assert_eq!(guest_of(&world, &paid).await, erased(&before.0), "the name of a paid stay is kept for the accounts");
    assert_eq!(guest_of(&world, &held).await, erased("-"));
    assert_eq!(once(&world.store, after_stay).await.expect("idle"), 0);
    assert!(world.store.pending_forgotten(10).await.expect("read").is_empty());
}

#[tokio::test]
async fn guests_of_rooms_and_the_client_reference_are_erased_with_the_reservation() {
    let world = World::new().await;
    let from = calendar::today(Timestamp::now()).saturating_add(3.days());
    world.sell(7, from, 5, 10).await.expect("on sale");
    let [ended, held] =
        [world.book(7, from, 2, PaymentMode::GuestPays), world.book(7, from, 2, PaymentMode::GuestPays)];
    let (ended, held) = (ended.await.expect("booked"), held.await.expect("booked"));
    world.tamper(r#"update reservation_room set guest = '{"family_name":"Guest"}'"#).await;
    world.tamper("update reservation set client_reference = reservation_id::text").await;
    world.apply_at(ended.id, &Command::Cancel, Timestamp::now()).await.expect("cancelled");
    world
        .tamper(
            "insert into cancellation_waiver (hotel_id, reservation_id, kept_minor, policy_minor, currency, reason)
             select hotel_id, reservation_id, 0, 1, 'EUR', 'illness of a guest' from reservation",
        )
        .await;
    world
        .tamper(
            "insert into departure_waiver (hotel_id, reservation_id, request_id, kept_minor, policy_minor, currency, reason)
             select hotel_id, reservation_id, gen_random_uuid(), 0, 1, 'EUR', 'illness of a guest' from reservation",
        )
        .await;
    world
        .tamper(
            "insert into hotel_cancellation (hotel_id, reservation_id, reason)
             select hotel_id, reservation_id, 'the room of a guest' from reservation",
        )
        .await;
    world.store.insert_forgotten("me").await.expect("recorded");
    assert_eq!(once(&world.store, Timestamp::now()).await.expect("erased"), 1);
    let reasons = "select count(*) from (
             select hotel_id, reservation_id, reason from cancellation_waiver
             union all select hotel_id, reservation_id, reason from departure_waiver
             union all select hotel_id, reservation_id, reason from hotel_cancellation) text
         join reservation using (hotel_id, reservation_id) where (reason = '-') = (status = 'cancelled')";
    assert_eq!(world.count(reasons).await, 6, "those of the one that is erased");
    let said = async |booking: &Reservation| {
        let now = world.store.get(booking.id).await.expect("read").expect("is there");
        (now.room_guests[0].is_some(), now.client_reference.is_some())
    };
    assert_eq!((said(&ended).await, said(&held).await), ((false, false), (true, true)));
}

#[tokio::test]
async fn reservations_of_other_owners_are_not_erased() {
    let world = World::new().await;
    let from = calendar::today(Timestamp::now()).saturating_add(3.days());
    world.sell(7, from, 5, 10).await.expect("on sale");
    let other = world.book(7, from, 2, PaymentMode::GuestPays).await.expect("booked");
    let before = guest_of(&world, &other).await;
    world.store.insert_forgotten("another-owner").await.expect("recorded");
    let after_stay = calendar::begins(from.saturating_add(9.days())).expect("in range");
    assert_eq!(once(&world.store, after_stay).await.expect("idle"), 0);
    assert_eq!(guest_of(&world, &other).await, before);
}
