use crate::model::{CancellationReason, PaymentMode, ReservationStatus};
use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use staymesh_mesh::{Problem, Reason, auth::Role};
use staymesh_psp::{Checkout, CheckoutOrder, CheckoutStatus, PspError};

use crate::{
    clients::{hotels::MockHotelClient, reservations::MockReservationClient},
    error::PaymentError,
    model::Booking,
    model::Status,
    service::Payments,
    store::payments,
    testing::{MockPsp, booking, caller, database, eur, now, outbox, reservation_id, service, session_of},
};

fn finds(booking: impl Fn() -> Option<Booking> + Send + 'static) -> MockReservationClient {
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(move |_| {
        let booking = booking();
        Ok(booking)
    });
    reservations
}

fn opened(order: &CheckoutOrder) -> Checkout {
    let session = session_of(order.payment_id);
    Checkout { session, url: "https://psp.example/p".into(), status: CheckoutStatus::Open, amount: order.amount }
}

fn opens() -> MockPsp {
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().returning(|order| Box::pin(async move { Ok(opened(&order)) }));
    psp
}

#[tokio::test]
async fn create_is_idempotent_and_opens_one_checkout() {
    let database = database().await;
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().times(1).returning(|order| {
        assert_eq!((order.amount, order.return_url.as_str()), (eur(10_000), "https://hotel.example/"));
        Box::pin(async move { Ok(opened(&order)) })
    });
    let service = service(database.pool(), finds(|| Some(booking())), psp);
    let (guest, id) = (caller("guest-1", Role::Guest, &[]), reservation_id());
    let first = service.create(&guest, id, 1, "https://hotel.example/".into()).await.unwrap();
    assert_eq!((first.status, first.checkout_url.as_deref()), (Status::Pending, Some("https://psp.example/p")));
    let again = service.create(&guest, id, 1, "https://elsewhere.example/".into()).await.unwrap();
    assert_eq!(again, first);
}

#[tokio::test]
async fn create_without_return_url_uses_the_status_page() {
    let database = database().await;
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().times(1).returning(|order| Box::pin(async move { Ok(opened(&order)) }));
    let service = service(database.pool(), finds(|| Some(booking())), psp);
    let (guest, id) = (caller("guest-1", Role::Guest, &[]), reservation_id());
    let payment = service.create(&guest, id, 1, String::new()).await.unwrap();
    assert_eq!(payment.return_url, service.links.url(id));
}

#[tokio::test]
async fn concurrent_creates_share_one_payment() {
    let database = database().await;
    let service = service(database.pool(), finds(|| Some(booking())), opens());
    let (guest, id) = (caller("guest-1", Role::Guest, &[]), reservation_id());
    let all = join_all((0..16).map(|_| service.create(&guest, id, 1, String::new()))).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|payment| *payment == all[0]));
}

#[rstest]
#[case::unavailable(PspError::Unavailable("connection refused"))]
#[case::timed_out(PspError::NoResponse("timed out"))]
#[tokio::test]
async fn create_after_provider_failure_retries_the_same_order(#[case] failure: PspError) {
    let database = database().await;
    let mut psp = MockPsp::new();
    let mut keys = Vec::new();
    let (sender, orders) = std::sync::mpsc::channel();
    psp.expect_create_checkout().times(2).returning(move |order| {
        keys.push(order.payment_id);
        sender.send(order.clone()).unwrap();
        let answer = if keys.len() == 1 { Err(failure.clone()) } else { Ok(opened(&order)) };
        Box::pin(async move { answer })
    });
    let service = service(database.pool(), finds(|| Some(booking())), psp);
    let (guest, id) = (caller("guest-1", Role::Guest, &[]), reservation_id());
    let problem = Problem::from(service.create(&guest, id, 1, "https://a.example/".into()).await.unwrap_err());
    assert_eq!(problem.reason(), Reason::PspUnavailable);
    let left = payments::of_reservation(database.pool(), id).await.unwrap();
    assert_eq!((left.len(), left[0].status, &left[0].checkout_url), (1, Status::Pending, &None), "it stays open");
    let retried = service.create(&guest, id, 1, "https://b.example/".into()).await.unwrap();
    assert_eq!(retried.payment_id, left[0].payment_id);
    let (first, second) = (orders.recv().unwrap(), orders.recv().unwrap());
    assert_eq!(first, second, "the same content, or the provider would refuse the idempotency key");
}

#[tokio::test]
async fn create_refused_by_provider_is_an_internal_error() {
    let database = database().await;
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().returning(|_| Box::pin(async { Err(PspError::Refused("invalid_request".into())) }));
    let service = service(database.pool(), finds(|| Some(booking())), psp);
    let error =
        service.create(&caller("guest-1", Role::Guest, &[]), reservation_id(), 1, String::new()).await.unwrap_err();
    assert_eq!(Problem::from(error).reason(), Reason::Internal);
}

fn changed(change: fn(&mut Booking)) -> Booking {
    let mut booking = booking();
    change(&mut booking);
    booking
}

#[rstest]
#[case::unknown(None, Reason::ReservationNotFound)]
#[case::of_another_guest(Some(changed(|b| b.owner = "guest-2".into())), Reason::ReservationNotFound)]
#[case::without_owner(Some(changed(|b| b.owner = String::new())), Reason::ReservationNotFound)]
#[case::paid(Some(changed(|b| b.status = ReservationStatus::Paid)), Reason::ReservationNotPayable)]
#[case::cancelled(Some(changed(|b| b.status = ReservationStatus::Cancelled)), Reason::ReservationNotPayable)]
#[case::partner_collects(Some(changed(|b| b.payment_mode = PaymentMode::PartnerCollects)), Reason::ReservationNotPayable)]
#[case::free(Some(changed(|b| b.total = eur(0))), Reason::ReservationNotPayable)]
#[case::hold_swept(Some(changed(|b| { b.status = ReservationStatus::Cancelled; b.cancellation = Some(CancellationReason::HoldExpired); })), Reason::HoldExpired)]
#[case::hold_about_to_expire(Some(changed(|b| {
    b.create_time -= SignedDuration::from_mins(14);
    b.hold_expire_time = Some(Timestamp::now() + SignedDuration::from_secs(65));
})), Reason::HoldExpired)]
#[case::hold_expired(Some(changed(|b| b.hold_expire_time = Some(Timestamp::now()))), Reason::HoldExpired)]
#[tokio::test]
async fn create_for_reservation_that_is_not_payable_makes_no_call(
    #[case] found: Option<Booking>,
    #[case] reason: Reason,
) {
    let database = database().await;
    let service = service(database.pool(), finds(move || found.clone()), MockPsp::new());
    let id = reservation_id();
    let error = service.create(&caller("guest-1", Role::Guest, &[]), id, 1, String::new()).await.unwrap_err();
    assert_eq!(Problem::from(error).reason(), reason);
    assert!(payments::of_reservation(database.pool(), id).await.unwrap().is_empty(), "nothing is written");
}

/// A hotel service whose hotels are in this time zone with days that end at 04:00, or deleted.
fn hotels(zone: Option<&'static str>) -> Arc<MockHotelClient> {
    let mut hotels = MockHotelClient::new();
    hotels.expect_hotel_time().returning(move |_| {
        let time = zone.map(|name| staymesh_domain::HotelTime::parse(name, "15:00", "04:00").unwrap());
        time.ok_or_else(|| Problem::new(Reason::HotelNotFound, "no such hotel"))
    });
    Arc::new(hotels)
}

/// The name of the time zone in which it is this hour now, 0 to 23. The database has one for every whole hour.
fn zone_at(hour: i8) -> &'static str {
    const ZONES: [&str; 24] = [
        "Etc/GMT+11",
        "Etc/GMT+10",
        "Etc/GMT+9",
        "Etc/GMT+8",
        "Etc/GMT+7",
        "Etc/GMT+6",
        "Etc/GMT+5",
        "Etc/GMT+4",
        "Etc/GMT+3",
        "Etc/GMT+2",
        "Etc/GMT+1",
        "Etc/GMT",
        "Etc/GMT-1",
        "Etc/GMT-2",
        "Etc/GMT-3",
        "Etc/GMT-4",
        "Etc/GMT-5",
        "Etc/GMT-6",
        "Etc/GMT-7",
        "Etc/GMT-8",
        "Etc/GMT-9",
        "Etc/GMT-10",
        "Etc/GMT-11",
        "Etc/GMT-12",
    ];
    let now = Timestamp::now();
    let hour_in = |name: &str| now.to_zoned(staymesh_domain::time_zone(name).unwrap()).hour();
    ZONES.into_iter().find(|name| hour_in(name) == hour).unwrap()
}

#[tokio::test]
async fn create_after_the_end_of_check_in_at_the_hotel_opens_no_page() {
    // The guest of last night, where it is five in the morning.
    let zone = zone_at(5);
    let today = Timestamp::now().to_zoned(staymesh_domain::time_zone(zone).unwrap()).date();
    let last_night = move || Some(Booking { check_in: today.yesterday().unwrap(), ..booking() });
    for zone in [Some(zone), None] {
        let database = database().await;
        let service = Payments { hotels: hotels(zone), ..service(database.pool(), finds(last_night), MockPsp::new()) };
        let (guest, id) = (caller("guest-1", Role::Guest, &[]), reservation_id());
        let error = service.create(&guest, id, 1, String::new()).await.unwrap_err();
        assert_eq!(Problem::from(error).reason(), Reason::ReservationNotPayable);
        assert!(payments::of_reservation(database.pool(), id).await.unwrap().is_empty(), "nothing is written");
    }
}

#[tokio::test]
async fn page_of_a_stay_that_begins_tonight_closes_before_the_hold() {
    // Two in the morning: guests of last night arrive until four.
    let zone = zone_at(2);
    let today = Timestamp::now().to_zoned(staymesh_domain::time_zone(zone).unwrap()).date();
    let held_long = move || {
        let hold_expire_time = Some(Timestamp::now() + SignedDuration::from_hours(20));
        Some(Booking { check_in: today.yesterday().unwrap(), hold_expire_time, ..booking() })
    };
    let database = database().await;
    let service = Payments { hotels: hotels(Some(zone)), ..service(database.pool(), finds(held_long), opens()) };
    let payment =
        service.create(&caller("guest-1", Role::Guest, &[]), reservation_id(), 1, String::new()).await.unwrap();
    assert!(payment.expire_time < Timestamp::now() + SignedDuration::from_hours(2), "{}", payment.expire_time);
}

#[tokio::test]
async fn create_closes_checkout_of_payment_that_ended_meanwhile() {
    let database = database().await;
    let pool = database.pool().clone();
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().times(1).returning(move |order| {
        let pool = pool.clone();
        Box::pin(async move {
            let mut connection = pool.acquire().await.unwrap();
            payments::set_status(&mut connection, order.payment_id, Status::Expired).await.unwrap();
            Ok(opened(&order))
        })
    });
    psp.expect_expire_checkout().times(1).returning(|session| {
        let url = String::new();
        Box::pin(async move { Ok(Checkout { session, url, status: CheckoutStatus::Expired, amount: eur(10_000) }) })
    });
    let service = service(database.pool(), finds(|| Some(booking())), psp);
    let id = reservation_id();
    let error = service.create(&caller("guest-1", Role::Guest, &[]), id, 1, String::new()).await.unwrap_err();
    assert!(matches!(error, PaymentError::NotPayable(_)), "{error}");
    let left = payments::of_reservation(database.pool(), id).await.unwrap();
    assert!(left[0].psp_session.is_some(), "an event of money that still arrives must find its payment");
}

#[tokio::test]
async fn create_of_checkout_that_is_already_paid_marks_payment_paid() {
    let database = database().await;
    let mut psp = MockPsp::new();
    psp.expect_create_checkout()
        .returning(|order| Box::pin(async move { Ok(Checkout { status: CheckoutStatus::Paid, ..opened(&order) }) }));
    let service = service(database.pool(), finds(|| Some(booking())), psp);
    let id = reservation_id();
    let error = service.create(&caller("guest-1", Role::Guest, &[]), id, 1, String::new()).await.unwrap_err();
    assert!(matches!(error, PaymentError::NotPayable(_)), "{error}");
    let payment = &payments::of_reservation(database.pool(), id).await.unwrap()[0];
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Paid);
    assert_eq!(outbox(database.pool()).await, ["payment.paid"]);
}

#[tokio::test]
async fn checkout_expires_one_minute_before_the_hold() {
    let database = database().await;
    let ends = booking().hold_expire_time.unwrap();
    let found = Booking { hold_expire_time: Some(ends), ..booking() };
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().times(1).returning(move |order| {
        assert_eq!(order.expire_time.as_second(), ends.as_second() - 60);
        Box::pin(async move { Ok(opened(&order)) })
    });
    let service = service(database.pool(), finds(move || Some(found.clone())), psp);
    service.create(&caller("guest-1", Role::Guest, &[]), reservation_id(), 1, String::new()).await.unwrap();
}
