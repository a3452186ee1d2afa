//! The limit through the service, with a real database and writer.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::join_all;
use jiff::{ToSpan, civil::Date};
use staymesh_domain::{GuestCount, PaymentId, ReservationId, RoomCount, StayDates};
use staymesh_mesh::{Caller, Problem, Reason};
use staymesh_store::{StoreError, outbox::Wake};
use tonic_types::StatusExt;

use super::*;
use crate::{
    calendar,
    clients::{MockHotelClient, MockRateClient},
    expiry::release_expired,
    model::{Guest, Reservation},
    offer_token::{Offer, OfferSigner},
    quote::tests::quote,
    service::{BookingRequest, BookingService, Dependencies},
    store::HoldCursor,
    testing::{World, hotel_id, pay, room_type},
    writer::Writer,
};

const HOLD: Duration = Duration::from_mins(15);
const HOTEL: i32 = 7;

/// The reservation service as one replica has it.
fn replica(world: &World, guest: u32, partner: u32) -> BookingService {
    let keys = format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys");
    let (writer, lanes) = Writer::new(&world.store, 1);
    for lane in lanes {
        tokio::spawn(lane);
    }
    BookingService::new(Dependencies {
        store: world.store.clone(),
        writer,
        hotels: Box::new(MockHotelClient::new()),
        rates: Box::new(MockRateClient::new()),
        offers: OfferSigner::new(&keys),
        hold: HOLD,
        unpaid: UnpaidRoomLimit::new(guest, partner, HOLD),
        wake: Wake::default(),
    })
}

async fn world() -> World {
    let world = World::new().await;
    world.sell(HOTEL, first(), 2, 1_000).await.expect("inventory");
    world
}

fn first() -> Date {
    calendar::today(Timestamp::now()).saturating_add(30.days())
}

fn caller(subject: &str, role: Role) -> Caller {
    Caller { subject: subject.into(), role, hotel_ids: vec![], email_verified: false, session: "s".into() }
}

fn ada() -> Caller {
    caller("ada", Role::Guest)
}

/// A request with a valid offer token.
fn order(service: &BookingService, caller: &Caller, rooms: i32, payment_mode: PaymentMode) -> BookingRequest {
    let (reservation_id, now) = (ReservationId::generate(hotel_id(HOTEL), Timestamp::now()), Timestamp::now());
    let stay = StayDates::new(first(), first().saturating_add(1.day())).expect("a stay");
    let owner = caller.subject.clone();
    let guests = GuestCount::try_from(rooms).expect("a count");
    let rooms = RoomCount::try_from(rooms).expect("a count");
    let offer = Offer::new(reservation_id, owner, room_type(), stay, rooms, guests, quote(10_000), now);
    let guest = Guest { full_name: "A guest".into(), email: "guest@example.com".into() };
    BookingRequest { reservation_id, offer_token: service.offers.sign(&offer).expect("signed"), guest, payment_mode }
}

async fn book(service: &BookingService, caller: &Caller, rooms: i32) -> Result<Reservation, ReservationError> {
    service.create(caller, order(service, caller, rooms, PaymentMode::GuestPays), Timestamp::now()).await
}

fn reason<T: std::fmt::Debug>(refused: Result<T, ReservationError>) -> Reason {
    Problem::from(refused.expect_err("refused")).reason()
}

#[tokio::test]
async fn guest_limit_counts_unpaid_rooms_until_paid_cancelled_or_expired() {
    let world = world().await;
    let service = replica(&world, 5, 0);
    let (two, three) =
        (book(&service, &ada(), 2).await.expect("booked"), book(&service, &ada(), 3).await.expect("booked"));
    assert_eq!(reason(book(&service, &ada(), 1).await), Reason::TooManyUnpaidRooms);
    book(&service, &caller("bob", Role::Guest), 5).await.expect("another account has its own limit");

    world.apply(two.id, &pay(PaymentId::new())).await.expect("paid");
    let again = book(&service, &ada(), 2).await.expect("two are paid for");
    assert_eq!(reason(book(&service, &ada(), 1).await), Reason::TooManyUnpaidRooms);
    service.cancel(&ada(), again.id, Timestamp::now()).await.expect("cancelled");
    book(&service, &ada(), 1).await.expect("two are given back");
    assert_eq!(reason(book(&service, &ada(), 2).await), Reason::TooManyUnpaidRooms);

    // Expired, but not released yet.
    world
        .tamper(&format!(
            "update reservation set hold_expire_time = now() - interval '1 s' where reservation_id = '{}'",
            three.id
        ))
        .await;
    book(&service, &ada(), 4).await.expect("three are over");
    assert_eq!(reason(book(&service, &ada(), 1).await), Reason::TooManyUnpaidRooms);
    let none = BTreeSet::new();
    let end = release_expired(&world.store, Timestamp::now(), HoldCursor::START, 10, &none);
    assert_eq!(end.await.expect("ends").expired, 1);
    assert_eq!(reason(book(&service, &ada(), 1).await), Reason::TooManyUnpaidRooms);
}

#[tokio::test]
async fn refusal_names_when_enough_holds_will_have_expired() {
    let world = world().await;
    let service = replica(&world, 5, 0);
    for (rooms, minutes) in [(1, 3), (2, 6), (2, 9)] {
        let booked = book(&service, &ada(), rooms).await.expect("booked");
        world.tamper(&format!("update reservation set hold_expire_time = now() + interval '{minutes} min' where reservation_id = '{}'", booked.id)).await;
    }
    for (wanted, minutes) in [(1, 3), (2, 6), (3, 6), (4, 9), (5, 9)] {
        let status = tonic::Status::from(book(&service, &ada(), wanted).await.expect_err("refused"));
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        let details = status.get_error_details();
        let info = details.error_info().expect("a reason");
        let metadata = |key: &str| info.metadata.get(key).map(String::as_str);
        assert_eq!(
            (info.reason.as_str(), metadata("limit_rooms"), metadata("held_rooms")),
            ("TOO_MANY_UNPAID_ROOMS", Some("5"), Some("5"))
        );
        let end: Timestamp = metadata("hold_expire_time").expect("a time").parse().expect("a time");
        let wait = details.retry_info().and_then(|retry| retry.retry_delay).expect("a time").as_secs();
        let (from, until) = (minutes * 60 - 20, minutes * 60 + 1);
        assert!((from..=until).contains(&wait), "{wanted} rooms: {wait} s");
        assert!((end - Timestamp::now()).get_seconds().unsigned_abs() <= wait);
    }
    // More than the limit: waiting does not help.
    let status = tonic::Status::from(book(&service, &ada(), 6).await.expect_err("refused"));
    assert!(status.get_error_details().retry_info().is_none());
}

#[tokio::test]
async fn partner_has_its_own_limit_and_partner_collects_does_not_count() {
    let world = world().await;
    let service = replica(&world, 1, 3);
    let partner = caller("client:acme", Role::Partner);
    for _ in 0..5 {
        let collects = order(&service, &partner, 1, PaymentMode::PartnerCollects);
        service.create(&partner, collects, Timestamp::now()).await.expect("owed at once");
    }
    book(&service, &partner, 3).await.expect("booked");
    assert_eq!(reason(book(&service, &partner, 1).await), Reason::TooManyUnpaidRooms);
    let unlimited = BookingService { unpaid: UnpaidRoomLimit::unlimited(), ..replica(&world, 1, 3) };
    for caller in [partner, ada()] {
        book(&unlimited, &caller, 50).await.expect("booked");
    }
}

#[tokio::test]
async fn repeated_request_at_the_limit_gets_its_reservation() {
    let world = world().await;
    let service = replica(&world, 2, 0);
    let create = async |order: &BookingRequest| {
        let BookingRequest { reservation_id, offer_token, guest, payment_mode } = order;
        let (offer_token, guest) = (offer_token.clone(), guest.clone());
        let order = BookingRequest { reservation_id: *reservation_id, offer_token, guest, payment_mode: *payment_mode };
        service.create(&ada(), order, Timestamp::now()).await
    };
    let wanted = order(&service, &ada(), 2, PaymentMode::GuestPays);
    let answers = join_all((0..50).map(|_| create(&wanted))).await;
    let ids: Vec<_> = answers.into_iter().map(|answer| answer.expect("the same answer").id).collect();
    assert_eq!(ids, [wanted.reservation_id; 50]);
    assert_eq!(create(&wanted).await.expect("the same answer").id, wanted.reservation_id);
    let mut other = wanted;
    other.guest.full_name = "Another".into();
    assert_eq!(reason(create(&other).await), Reason::ReservationIdReused);
    assert_eq!(reason(create(&order(&service, &ada(), 1, PaymentMode::GuestPays)).await), Reason::TooManyUnpaidRooms);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_hold_at_most_the_limit_per_replica() {
    let world = world().await;
    let replicas = [replica(&world, 40, 0), replica(&world, 40, 0)];
    let booked = async |services: &[BookingService], who: &str| {
        let caller = caller(who, Role::Guest);
        let asked = (0..300).map(|at| book(&services[at % services.len()], &caller, 1));
        let outcomes = join_all(asked).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        for refused in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(reason(refused), Reason::TooManyUnpaidRooms);
        }
        won
    };
    assert_eq!(booked(&replicas[..1], "ada").await, 40);
    let both = booked(&replicas, "bob").await;
    assert!((40..=80).contains(&both), "{both}");
    // Sequentially, the second replica still grants its first lease of limit/8.
    assert_eq!(booked(&replicas[..1], "eve").await, 40);
    assert_eq!(booked(&replicas[1..], "eve").await, 5);
}

#[tokio::test]
async fn first_lease_of_an_account_reads_no_database() {
    let world = world().await;
    let unpaid = UnpaidRoomLimit::new(80, 0, HOLD);
    let pool = sqlx::PgPool::connect_lazy(world.database.url()).expect("a pool");
    pool.close().await;
    let closed = Store::new(pool);
    let now = Timestamp::now();
    let mut kept = Vec::new();
    let ask = async |owner: &str, rooms: i32| {
        let order = new(owner, rooms, now);
        unpaid.admit(&closed, Role::Guest, &order, now).await
    };
    for _ in 0..5 {
        kept.push(ask("ada", 2).await.expect("within the lease"));
    }
    kept.push(ask("bob", 10).await.expect("within the lease"));
    for (owner, rooms) in [("ada", 1), ("bob", 1), ("eve", 11)] {
        assert!(matches!(ask(owner, rooms).await, Err(ReservationError::Store(StoreError::Unavailable(_)))));
    }
}

#[tokio::test]
async fn idle_accounts_are_evicted_when_full_and_active_ones_are_kept() {
    let world = world().await;
    let unpaid = UnpaidRoomLimit::new(80, 0, HOLD);
    let now = Timestamp::now();
    unpaid.accounts.lock().expect("not poisoned").max = 2;
    let ask = async |owner: &str| unpaid.admit(&world.store, Role::Guest, &new(owner, 1, now), now).await;
    let known = || {
        let mut known: Vec<_> = unpaid.accounts.lock().expect("not poisoned").by_owner.keys().cloned().collect();
        known.sort();
        known
    };
    let kept = ask("ada").await.expect("let through");
    for owner in ["bob", "eve", "bob", "eve"] {
        ask(owner).await.expect("let through");
    }
    assert_eq!(known(), ["ada", "bob"]);
    // Their holds have expired; Ada's request is still in flight.
    let before = Instant::now().checked_sub(HOLD).expect("the machine runs for longer");
    for account in unpaid.accounts.lock().expect("not poisoned").by_owner.values() {
        account.lock().last_admission = before;
    }
    unpaid.accounts.lock().expect("not poisoned").last_eviction = before;
    ask("eve").await.expect("let through");
    assert_eq!(known(), ["ada", "eve"]);
    drop(kept);
}

/// An order without an offer.
fn new(owner: &str, rooms: i32, now: Timestamp) -> NewReservation {
    let check_out = first().saturating_add(1.day());
    NewReservation {
        id: ReservationId::generate(hotel_id(HOTEL), now),
        owner: owner.into(),
        room_type_id: room_type(),
        stay: StayDates::new(first(), check_out).expect("a stay"),
        rooms: RoomCount::try_from(rooms).expect("a count"),
        guests: GuestCount::ONE,
        guest: Guest { full_name: "A guest".into(), email: "guest@example.com".into() },
        payment_mode: PaymentMode::GuestPays,
        quote: quote(10_000),
        content_hash: [7; 32],
        hold_expire_time: Some(now + HOLD),
        trace_parent: None,
    }
}
