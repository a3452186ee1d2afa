//! Guests of rooms, with a real database.

use jiff::SignedDuration;
use staymesh_domain::PaymentId;
use staymesh_mesh::{Reason, auth::Role};

use super::*;
use crate::{
    clients::MockRateClient,
    lifecycle::Command,
    model::{NewReservation, Status},
    quote::tests::quote_for,
    service::testing::{hotel_in, id, service, staff},
    testing::{hotel_id, lines, order_of},
    writer::{apply, book_each},
};

fn caller(subject: &str) -> Caller {
    Caller { subject: subject.into(), role: Role::Guest, hotel_ids: vec![], email_verified: true, session: "s".into() }
}

fn guest(family_name: &str) -> RoomGuest {
    RoomGuest { family_name: family_name.into(), ..RoomGuest::default() }
}

fn update(guests: &[Option<RoomGuest>], etag: &str) -> RoomGuestsUpdate {
    RoomGuestsUpdate { guests: guests.to_vec(), etag: etag.to_owned() }
}

fn reason<T: std::fmt::Debug>(refused: Result<T, ReservationError>) -> Reason {
    Problem::from(refused.expect_err("refused")).reason()
}

#[tokio::test]
async fn guests_change_free_until_the_day_of_arrival_ends_and_an_old_etag_is_refused() {
    let (service, request, _database) = service(hotel_in("Etc/UTC"), MockRateClient::new()).await;
    let now = Timestamp::now();
    let order = NewReservation {
        id: ReservationId::generate(hotel_id(7), now),
        room_guests: vec![Some(guest("First")), None],
        ..order_of(lines(id(1), request.stay, 2, &quote_for(request.stay, 10_000, 30)), now)
    };
    let made = book_each(&service.store, std::slice::from_ref(&order)).await.expect("decided").pop();
    made.expect("an outcome").expect("booked");
    let read = async || service.store.get(order.id).await.expect("read").expect("is there");
    let booked = read().await;
    assert_eq!(booked.room_guests, order.room_guests);
    let me = caller("me");
    let change = async |guests: &[Option<RoomGuest>], etag: &str, now: Timestamp| {
        service.update_room_guests(&me, order.id, update(guests, etag), now).await
    };

    let old = etag(&booked).expect("an etag");
    let both = [guest("First"), guest("Second")].map(Some);
    let changed = change(&both, &old, now).await.expect("changed");
    assert_eq!((changed.room_guests.as_slice(), changed.revision, changed.version), (&both[..], 1, 1));
    assert_eq!(read().await.room_guests, both);
    assert_ne!(etag(&changed).expect("an etag"), old);
    change(&both, &old, now).await.expect("a repeat, also with the old etag");
    assert_eq!(reason(change(&[None, None], &old, now).await), Reason::EtagMismatch);
    assert_eq!(reason(change(&both[..1], "", now).await), Reason::InvalidField);
    let foreign = service.update_room_guests(&caller("you"), order.id, update(&both, ""), now).await;
    assert_eq!(reason(foreign), Reason::ReservationNotFound);

    let erased = change(&[None, None], "", now).await.expect("erased");
    assert_ne!(etag(&erased).expect("an etag"), etag(&changed).expect("an etag"));
    let last = booked.quote.terms.cancel_before;
    assert_eq!(reason(change(&both, "", last).await), Reason::IllegalTransition);
    change(&both, "", last - SignedDuration::from_nanos(1)).await.expect("the day of arrival has not ended");
    apply(&service.store, order.id, &Command::Release, now).await.expect("released");
    assert_eq!(reason(change(&[None, None], "", now).await), Reason::IllegalTransition);
    assert_eq!(read().await.room_guests, both);
}

/// PARTNER-SPEC 10, edge case: check-in on a later day that was announced is no no-show.
#[tokio::test]
async fn announced_late_arrival_is_a_night_of_the_room_and_blocks_the_no_show_until_that_day_ends() {
    let (service, request, _database) = service(hotel_in("Etc/UTC"), MockRateClient::new()).await;
    let (now, stay) = (Timestamp::now(), request.stay);
    let mut rooms = lines(id(1), stay, 1, &quote_for(stay, 10_000, 30));
    let noon = stay.check_in().at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp();
    rooms[0].quote.terms.no_show_from = noon;
    let order = NewReservation { id: ReservationId::generate(hotel_id(7), now), ..order_of(rooms, now) };
    let made = book_each(&service.store, std::slice::from_ref(&order)).await.expect("decided").pop();
    made.expect("an outcome").expect("booked");
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: order.quote.total };
    apply(&service.store, order.id, &pay, now).await.expect("paid");
    let me = caller("me");
    let announce = async |date| {
        let late = RoomGuest { late_arrival_until: Some(date), ..RoomGuest::default() };
        service.update_room_guests(&me, order.id, update(&[Some(late)], ""), now).await
    };
    let [before, after] = [stay.check_in().yesterday().expect("a date"), stay.check_out()];
    assert_eq!(reason(announce(before).await), Reason::InvalidField);
    assert_eq!(reason(announce(after).await), Reason::InvalidField);
    announce(stay.check_in()).await.expect("announced");
    let ends = noon + SignedDuration::from_hours(12);
    let report = async |now| service.mark_no_show(&staff(7), order.id, now).await;
    match report(ends - SignedDuration::from_micros(1)).await {
        Err(ReservationError::NoShowOutOfTime { from, .. }) => assert_eq!(from, ends),
        other => panic!("{other:?}"),
    }
    assert_eq!(report(ends).await.expect("reported").status, Status::Cancelled);
    report(noon).await.expect("a repeat");
}

#[tokio::test]
async fn concurrent_changes_with_one_etag_have_one_winner() {
    let (service, request, _database) = service(hotel_in("Etc/UTC"), MockRateClient::new()).await;
    let now = Timestamp::now();
    let order = NewReservation {
        id: ReservationId::generate(hotel_id(7), now),
        ..order_of(lines(id(1), request.stay, 1, &quote_for(request.stay, 10_000, 30)), now)
    };
    let made = book_each(&service.store, std::slice::from_ref(&order)).await.expect("decided").pop();
    made.expect("an outcome").expect("booked");
    let me = caller("me");
    let read = etag(&service.get(&me, order.id).await.expect("read")).expect("an etag");
    let changes = (0..8).map(|n| {
        let guests = [Some(guest(&format!("Guest {n}")))];
        service.update_room_guests(&me, order.id, update(&guests, &read), now)
    });
    let outcomes = futures::future::join_all(changes).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(reason(refused), Reason::EtagMismatch);
    }
}
