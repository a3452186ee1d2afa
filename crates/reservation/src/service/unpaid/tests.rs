//! The limits through the service, with a real database and writer.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use staymesh_domain::{PaymentId, ReservationId, StayDates};
use staymesh_mesh::{Caller, Problem, Reason};
use staymesh_store::outbox::Wake;
use tonic_types::StatusExt;

use super::*;
use crate::{
    calendar,
    clients::{MockHotelClient, MockPaymentClient, MockRateClient},
    error::ReservationError,
    expiry::release_expired,
    model::{Guest, PaymentMode, Reservation},
    offer_token::{Offer, OfferSigner},
    quote::tests::quote,
    service::{BookingRequest, BookingService, Dependencies},
    store::HoldCursor,
    testing::{World, hotel_id, lines, pay, room_type},
    writer::Writer,
};

mod long_holds;

const HOLD: Duration = Duration::from_mins(15);
const HOTEL: i32 = 7;
const NONE: UnpaidLimits = UnpaidLimits::unlimited();

/// The reservation service as one replica has it, with a writer of two lanes.
fn replica(world: &World, unpaid: UnpaidLimits) -> BookingService {
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, lanes) = Writer::new(&world.store, 2);
    for lane in lanes {
        tokio::spawn(lane);
    }
    let mut payments = MockPaymentClient::new();
    payments.expect_record_partner_sale().returning(|_| Ok(()));
    BookingService::new(Dependencies {
        store: world.store.clone(),
        writer,
        hotels: Box::new(MockHotelClient::new()),
        rates: Box::new(MockRateClient::new()),
        payments: std::sync::Arc::new(payments),
        offers: OfferSigner::new(&keys),
        hold: HOLD,
        unpaid,
        long_holds: "acme=4".parse().expect("an agreement"),
        wake: Wake::default(),
    })
}

/// Two hotels, in different lanes, with 1,000 rooms in a hundred nights.
async fn world() -> World {
    let world = World::new().await;
    for hotel in [HOTEL, HOTEL + 1] {
        world.sell(hotel, first(), 100, 1_000).await.expect("inventory");
    }
    world
}

fn first() -> Date {
    calendar::today(Timestamp::now()).saturating_add(30.days())
}

fn caller(subject: &str, role: Role) -> Caller {
    Caller { subject: subject.into(), role, hotel_ids: vec![], email_verified: true, session: "s".into() }
}

fn ada() -> Caller {
    caller("ada", Role::Guest)
}

/// A wanted booking: hotel, rooms, nights, who pays, and from where.
#[derive(Clone, Copy)]
struct Want {
    hotel: i32,
    rooms: i32,
    nights: i32,
    mode: PaymentMode,
    source: Option<[u8; 4]>,
}

const ONE: Want = Want { hotel: HOTEL, rooms: 1, nights: 1, mode: PaymentMode::GuestPays, source: None };

fn rooms(rooms: i32) -> Want {
    Want { rooms, ..ONE }
}

/// A request with a valid offer token.
fn order(service: &BookingService, caller: &Caller, want: Want) -> BookingRequest {
    let (reservation_id, now) = (ReservationId::generate(hotel_id(want.hotel), Timestamp::now()), Timestamp::now());
    let stay = StayDates::new(first(), first().saturating_add(want.nights.days())).expect("a stay");
    let owner = caller.subject.clone();
    let offer = Offer::new(reservation_id, owner, lines(room_type(), stay, want.rooms, &quote(10_000)), now);
    BookingRequest {
        reservation_id,
        offer_token: service.offers.sign(&offer).expect("signed"),
        guest: Guest { full_name: "A guest".into(), email: "guest@example.com".into() },
        payment_mode: want.mode,
        client_reference: None,
        hold: None,
        room_guests: vec![],
        source: want.source.map(|address| Source::of(address.into())),
    }
}

async fn book(service: &BookingService, caller: &Caller, want: Want) -> Result<Reservation, ReservationError> {
    service.create(caller, order(service, caller, want), Timestamp::now()).await
}

fn reason<T: std::fmt::Debug>(refused: Result<T, ReservationError>) -> Reason {
    Problem::from(refused.expect_err("refused")).reason()
}

/// Books concurrently, every other request at the other replica and every third at the other hotel. Yields the number
/// booked; all others are refused for `reason`.
async fn race(services: &[BookingService], callers: &[Caller], times: usize, want: Want, expected: Reason) -> usize {
    let asked = (0..times).map(|at| {
        let hotel = HOTEL + i32::from(at % 3 == 0 && want.hotel != HOTEL);
        book(&services[at % services.len()], &callers[at % callers.len()], Want { hotel, ..want })
    });
    let outcomes = join_all(asked).await;
    let booked = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for refused in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(reason(refused), expected);
    }
    booked
}

#[tokio::test]
async fn guest_limit_counts_unpaid_room_nights_until_paid_cancelled_or_expired() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { guest: 5, ..NONE });
    let two = book(&service, &ada(), Want { nights: 2, ..ONE }).await.expect("two room nights");
    let three = book(&service, &ada(), rooms(3)).await.expect("three room nights");
    assert_eq!(reason(book(&service, &ada(), ONE).await), Reason::TooManyUnpaidRooms);
    book(&service, &caller("bob", Role::Guest), rooms(5)).await.expect("another account has its own limit");

    world.apply(two.id, &pay(PaymentId::new())).await.expect("paid");
    let again = book(&service, &ada(), rooms(2)).await.expect("two are paid for");
    assert_eq!(reason(book(&service, &ada(), ONE).await), Reason::TooManyUnpaidRooms);
    service.cancel(&ada(), again.id, None, Timestamp::now()).await.expect("cancelled");
    book(&service, &ada(), ONE).await.expect("two are given back");
    assert_eq!(reason(book(&service, &ada(), rooms(2)).await), Reason::TooManyUnpaidRooms);

    // Expired, but not released yet.
    world
        .tamper(&format!(
            "update reservation set hold_expire_time = now() - interval '1 s' where reservation_id = '{}'",
            three.id
        ))
        .await;
    book(&service, &ada(), rooms(4)).await.expect("three are over");
    assert_eq!(reason(book(&service, &ada(), ONE).await), Reason::TooManyUnpaidRooms);
    let none = BTreeSet::new();
    let end = release_expired(&world.store, Timestamp::now(), HoldCursor::START, 10, &none);
    assert_eq!(end.await.expect("ends").expired, 1);
    assert_eq!(reason(book(&service, &ada(), ONE).await), Reason::TooManyUnpaidRooms);
}

#[tokio::test]
async fn hold_that_is_older_than_any_hold_of_now_still_counts() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { partner: 5, ..NONE });
    let partner = caller("client:acme", Role::Partner);
    let held = order(&service, &partner, rooms(5));
    // Made under a longer STAYMESH_HOLD, long ago.
    let long_ago = Timestamp::now() - jiff::SignedDuration::from_hours(48);
    let mut longer = BookingService { hold: Duration::from_hours(72), ..replica(&world, NONE) };
    longer.unpaid = NONE;
    let id = ReservationId::generate(hotel_id(HOTEL), long_ago);
    let stay = StayDates::new(first(), first().saturating_add(1.day())).expect("a stay");
    let offer = Offer::new(id, partner.subject.clone(), lines(room_type(), stay, 5, &quote(10_000)), Timestamp::now());
    let offer_token = longer.offers.sign(&offer).expect("signed");
    let old = BookingRequest { reservation_id: id, offer_token, ..held };
    longer.create(&partner, old, Timestamp::now()).await.expect("booked");
    assert_eq!(reason(book(&service, &partner, ONE).await), Reason::TooManyUnpaidRooms);
}

#[tokio::test]
async fn refusal_names_when_enough_holds_will_have_expired() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { guest: 5, ..NONE });
    for (wanted, minutes) in [(1, 3), (2, 6), (2, 9)] {
        let booked = book(&service, &ada(), rooms(wanted)).await.expect("booked");
        world.tamper(&format!("update reservation set hold_expire_time = now() + interval '{minutes} min' where reservation_id = '{}'", booked.id)).await;
    }
    for (wanted, minutes) in [(1, 3), (2, 6), (3, 6), (4, 9), (5, 9)] {
        let status = tonic::Status::from(book(&service, &ada(), rooms(wanted)).await.expect_err("refused"));
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        let details = status.get_error_details();
        let info = details.error_info().expect("a reason");
        let metadata = |key: &str| info.metadata.get(key).map(String::as_str);
        assert_eq!(info.reason, "TOO_MANY_UNPAID_ROOMS");
        let numbers = ["limit_room_nights", "held_room_nights", "wanted_room_nights"].map(metadata);
        assert_eq!(numbers, [Some("5"), Some("5"), Some(wanted.to_string().as_str())]);
        let end: Timestamp = metadata("hold_expire_time").expect("a time").parse().expect("a time");
        let wait = details.retry_info().and_then(|retry| retry.retry_delay).expect("a time").as_secs();
        let (from, until) = (minutes * 60 - 20, minutes * 60 + 1);
        assert!((from..=until).contains(&wait), "{wanted} rooms: {wait} s");
        assert!((end - Timestamp::now()).get_seconds().unsigned_abs() <= wait);
    }
    // More than the limit: waiting does not help.
    let status = tonic::Status::from(book(&service, &ada(), rooms(6)).await.expect_err("refused"));
    assert!(status.get_error_details().retry_info().is_none());
}

#[tokio::test]
async fn fresh_account_holds_little_and_family_with_confirmed_address_books_ten_rooms_for_a_week() {
    let world = world().await;
    // The defaults.
    let limits = UnpaidLimits { unconfirmed: 30, guest: 210, partner: 5000, source: 500, share: 50 };
    let service = replica(&world, limits);
    let fresh = Caller { email_verified: false, ..ada() };
    let fifty_rooms_for_ninety_nights = Want { rooms: 50, nights: 90, ..ONE };
    let family = Want { rooms: 10, nights: 7, source: Some([192, 0, 2, 1]), ..ONE };
    for want in [fifty_rooms_for_ninety_nights, family] {
        let refused = Problem::from(book(&service, &fresh, want).await.expect_err("refused"));
        assert_eq!(refused.reason(), Reason::TooManyUnpaidRooms);
        let status = tonic::Status::from(refused);
        let info = status.get_error_details().error_info().cloned().expect("a reason");
        assert_eq!(info.metadata.get("confirm_email").map(String::as_str), Some("true"));
    }
    book(&service, &fresh, Want { rooms: 2, nights: 14, ..ONE }).await.expect("two rooms for two weeks");
    book(&service, &ada(), family).await.expect("ten rooms for a week, with the address confirmed");
    let other = caller("bob", Role::Guest);
    assert_eq!(reason(book(&service, &other, fifty_rooms_for_ninety_nights).await), Reason::TooManyUnpaidRooms);
}

#[tokio::test]
async fn partner_has_its_own_limit_and_partner_collects_does_not_count() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { guest: 1, partner: 3, source: 1, ..NONE });
    let partner = caller("client:acme", Role::Partner);
    for _ in 0..5 {
        book(&service, &partner, Want { mode: PaymentMode::PartnerCollects, ..ONE }).await.expect("owed at once");
    }
    let three = Want { source: Some([192, 0, 2, 1]), ..rooms(3) };
    book(&service, &partner, three).await.expect("a partner's source has no limit");
    assert_eq!(reason(book(&service, &partner, ONE).await), Reason::TooManyUnpaidRooms);
    let unlimited = replica(&world, NONE);
    for caller in [partner, ada()] {
        book(&unlimited, &caller, rooms(50)).await.expect("booked");
    }
}

#[tokio::test]
async fn repeated_request_at_the_limit_gets_its_reservation() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { guest: 2, share: 1, ..NONE });
    let wanted = order(&service, &ada(), rooms(2));
    let create = async |guest: Guest| {
        let offer_token = wanted.offer_token.clone();
        let request =
            BookingRequest { offer_token, guest, client_reference: None, room_guests: vec![], source: None, ..wanted };
        service.create(&ada(), request, Timestamp::now()).await
    };
    let answers = join_all((0..50).map(|_| create(wanted.guest.clone()))).await;
    let ids: Vec<_> = answers.into_iter().map(|answer| answer.expect("the same answer").id).collect();
    assert_eq!(ids, [wanted.reservation_id; 50]);
    assert_eq!(create(wanted.guest.clone()).await.expect("the same answer").id, wanted.reservation_id);
    let other = Guest { full_name: "Another".into(), ..wanted.guest.clone() };
    assert_eq!(reason(create(other).await), Reason::ReservationIdReused);
    assert_eq!(reason(book(&service, &ada(), ONE).await), Reason::TooManyUnpaidRooms);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_one_account_hold_exactly_the_limit_over_all_replicas_and_hotels() {
    let world = world().await;
    let limits = UnpaidLimits { guest: 40, ..NONE };
    let replicas = [replica(&world, limits), replica(&world, limits)];
    let anywhere = Want { hotel: 0, ..ONE };
    assert_eq!(race(&replicas, &[ada()], 200, anywhere, Reason::TooManyUnpaidRooms).await, 40);
    assert_eq!(world.count("select sum(rooms)::bigint from reservation").await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_one_source_hold_exactly_the_limit_over_all_accounts() {
    let world = world().await;
    let limits = UnpaidLimits { source: 25, ..NONE };
    let replicas = [replica(&world, limits), replica(&world, limits)];
    let callers: Vec<_> = (0..50).map(|at| caller(&format!("guest-{at}"), Role::Guest)).collect();
    let here = Want { hotel: 0, source: Some([192, 0, 2, 7]), ..ONE };
    let booked = race(&replicas, &callers, 100, here, Reason::TooManyUnpaidRoomsFromAddress).await;
    assert_eq!(booked, 25);
    let elsewhere = Want { source: Some([192, 0, 2, 8]), ..ONE };
    book(&replicas[0], &callers[0], elsewhere).await.expect("another address has its own limit");
    book(&replicas[0], &callers[1], ONE).await.expect("without an address there is no limit by address");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_and_sources_hold_exactly_the_share_of_a_night_and_paid_rooms_make_room() {
    let world = World::new().await;
    world.sell(HOTEL, first(), 3, 21).await.expect("inventory");
    let limits = UnpaidLimits { share: 50, ..NONE };
    let replicas = [replica(&world, limits), replica(&world, limits)];
    let callers: Vec<_> = (0..100).map(|at| caller(&format!("guest-{at}"), Role::Guest)).collect();
    let two_nights = Want { nights: 2, ..ONE };
    // Half of 21 rooms, rounded up.
    let booked = race(&replicas, &callers, 100, two_nights, Reason::TooManyRoomsHeldUnpaid).await;
    assert_eq!(booked, 11);
    let status = tonic::Status::from(book(&replicas[0], &ada(), two_nights).await.expect_err("refused"));
    let details = status.get_error_details();
    let info = details.error_info().expect("a reason");
    let metadata = |key: &str| info.metadata.get(key).map(String::as_str);
    let date = first().to_string();
    assert_eq!(
        ["stay_date", "limit_rooms", "held_rooms", "wanted_rooms"].map(metadata),
        [Some(date.as_str()), Some("11"), Some("11"), Some("1")]
    );
    assert!(
        details
            .retry_info()
            .and_then(|retry| retry.retry_delay)
            .is_some_and(|wait| wait <= HOLD + Duration::from_secs(1))
    );
    let alone = tonic::Status::from(book(&replicas[0], &ada(), rooms(12)).await.expect_err("refused"));
    assert!(alone.get_error_details().retry_info().is_none(), "waiting does not help a booking that is too large");

    // A hot sale: who pays makes room for the next, until all rooms and the overbooking are sold.
    let mut sold = 0;
    while sold < 23 {
        let ids: Vec<uuid::Uuid> =
            sqlx::query_scalar("select reservation_id from reservation where status = 'pending_payment'")
                .fetch_all(world.pool())
                .await
                .expect("reads");
        assert!(!ids.is_empty(), "{sold} sold");
        for id in ids {
            let id = ReservationId::try_from(id).expect("an id");
            world.apply(id, &pay(PaymentId::new())).await.expect("paid");
            sold += 1;
        }
        for caller in &callers[..11] {
            let _: Result<_, _> = book(&replicas[0], caller, two_nights).await;
        }
    }
    assert_eq!(sold, 23);
    assert_eq!(reason(book(&replicas[0], &ada(), two_nights).await), Reason::RoomSoldOut);
    let third = Want { nights: 3, ..ONE };
    let full = Problem::from(book(&replicas[0], &ada(), third).await.expect_err("refused"));
    assert_eq!(full.reason(), Reason::RoomSoldOut);
}

#[tokio::test]
async fn sold_out_names_the_rooms_left() {
    let world = World::new().await;
    world.sell(HOTEL, first(), 1, 10).await.expect("inventory");
    let service = replica(&world, NONE);
    book(&service, &ada(), rooms(7)).await.expect("booked");
    let status = tonic::Status::from(book(&service, &ada(), rooms(5)).await.expect_err("refused"));
    let info = status.get_error_details().error_info().cloned().expect("a reason");
    assert_eq!(info.metadata.get("rooms_left").map(String::as_str), Some("4"));
    assert!(status.message().starts_with("only 4 rooms are left"), "{}", status.message());
}

#[tokio::test]
async fn source_is_kept_only_while_the_hold_is_unpaid() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { source: 10, ..NONE });
    let kept = "select count(*) from reservation where source is not null";
    let booked = book(&service, &ada(), Want { source: Some([192, 0, 2, 1]), ..ONE }).await.expect("booked");
    assert_eq!(world.count(kept).await, 1);
    world.apply(booked.id, &pay(PaymentId::new())).await.expect("paid");
    assert_eq!(world.count(kept).await, 0);
}
