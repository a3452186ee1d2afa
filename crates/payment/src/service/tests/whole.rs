//! A payment from its checkout to its refund against the provider simulator over HTTP, while every event is lost.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use staymesh_mesh::auth::Role;
use staymesh_psp::{CheckoutStatus, Psp};

use super::relay::{quiet, start};
use crate::{
    clients::reservations::MockReservationClient,
    model::Status,
    testing::{booking, caller, database, eur, gives_back, now, reservation_id, service, simulator},
};

#[rstest]
#[case::rooms_held(false, Status::Paid, 0)]
#[case::rooms_released(true, Status::Refunded, 10_000)]
#[tokio::test]
async fn payment_without_events_is_confirmed_or_refunded(
    #[case] rooms_gone: bool,
    #[case] end: Status,
    #[case] refunded: i64,
) {
    let database = database().await;
    let pool = database.pool();
    let (psp, _running) = simulator(None).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(|_| Ok(Some(booking())));
    let asking = service(pool, reservations, psp.clone());
    let guest = caller("guest-1", Role::Guest, &[]);
    let payment = asking.create(&guest, reservation_id(), 1, "https://hotel.example/".into()).await.unwrap();

    let page = payment.checkout_url.unwrap();
    let paid = reqwest::Client::new().post(format!("{page}/pay")).send().await.unwrap();
    assert!(paid.status().is_success());
    assert_eq!(now(pool, payment.payment_id).await.status, Status::Pending, "no event arrived");
    asking.check_due(Timestamp::now() + SignedDuration::from_mins(2)).await.unwrap();
    assert_eq!(now(pool, payment.payment_id).await.status, Status::Paid);

    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(move |_, _, _, _| Ok(rooms_gone));
    reservations.expect_confirm_refund().times(usize::from(rooms_gone)).returning(|_, _, amount| {
        assert_eq!(amount, eur(10_000));
        Ok(())
    });
    let _relay = start(pool, reservations, psp.clone());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let payment = now(pool, payment.payment_id).await;
    assert_eq!((payment.status, payment.refunded), (end, eur(refunded)));
    let there = psp.fetch_checkout(payment.psp_session.unwrap()).await.unwrap();
    assert_eq!(there.status, CheckoutStatus::Paid);
}

#[tokio::test]
async fn checkout_of_cancelled_reservation_refuses_payment() {
    let database = database().await;
    let (psp, _running) = simulator(None).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(|_| Ok(Some(booking())));
    let service = service(database.pool(), reservations, psp);
    let id = reservation_id();
    let payment = service.create(&caller("guest-1", Role::Guest, &[]), id, 1, String::new()).await.unwrap();
    let settled = service.settle_cancellation(id, gives_back(10_000)).await.unwrap().unwrap();
    assert_eq!(settled.status, Status::Expired);
    let late = reqwest::Client::new().post(format!("{}/pay", payment.checkout_url.unwrap())).send().await.unwrap();
    assert_eq!(late.status(), reqwest::StatusCode::GONE);
}
