use rstest::rstest;
use staymesh_domain::Money;
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{CheckoutStatus, PspError};
use uuid::Uuid;

use crate::{
    clients::reservations::MockReservationClient,
    error::PaymentError,
    model::{Payment, Settlement, Status},
    testing::{
        MockPsp, booking, checkout, database, eur, gives_back, in_status, new_payment, now, open, opened, outbox,
        reads, reservation_id, service,
    },
};

#[rstest]
#[case::in_part(7_000, 7_000)]
#[case::in_full(10_000, 10_000)]
#[case::limited_to_the_payment(99_999, 10_000)]
#[tokio::test]
async fn cancellation_refunds_policy_amount_once(#[case] policy: i64, #[case] back: i64) {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    for _ in 0..3 {
        let settled = service.settle_cancellation(paid.reservation_id, gives_back(policy)).await.unwrap().unwrap();
        assert_eq!((settled.status, settled.refund_requested), (Status::Refunding, eur(back)));
    }
    assert_eq!(outbox(pool).await, ["refund.requested"]);
}

#[tokio::test]
async fn cancellation_without_refund_leaves_payment_paid() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), MockReservationClient::new(), MockPsp::new());
    let settled = service.settle_cancellation(paid.reservation_id, gives_back(0)).await.unwrap();
    assert_eq!(settled, Some(Payment { reservation_ended: true, refund_due: Some(eur(0)), ..paid }));
    assert!(outbox(database.pool()).await.is_empty());
}

#[tokio::test]
async fn cancellation_expires_open_checkout() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let mut psp = MockPsp::new();
    let answer = checkout(&payment, CheckoutStatus::Expired);
    psp.expect_expire_checkout().times(1).returning(move |_| {
        let answer = answer.clone();
        Box::pin(async move { Ok(answer) })
    });
    let service = service(database.pool(), MockReservationClient::new(), psp);
    for _ in 0..2 {
        let settled = service.settle_cancellation(payment.reservation_id, gives_back(10_000)).await.unwrap().unwrap();
        assert_eq!(settled.status, Status::Expired);
    }
    assert!(outbox(database.pool()).await.is_empty());
}

#[tokio::test]
async fn cancellation_of_checkout_paid_meanwhile_marks_it_paid() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let mut psp = MockPsp::new();
    let answer = checkout(&payment, CheckoutStatus::Paid);
    psp.expect_expire_checkout().returning(move |_| {
        let answer = answer.clone();
        Box::pin(async move { Ok(answer) })
    });
    let service = service(database.pool(), MockReservationClient::new(), psp);
    let settled = service.settle_cancellation(payment.reservation_id, gives_back(4_000)).await.unwrap().unwrap();
    assert_eq!((settled.status, settled.refund_requested), (Status::Refunding, eur(4_000)));
    // The reservation service receives the payment event as usual, and requests the refund.
    assert_eq!(outbox(database.pool()).await, ["payment.paid", "refund.requested"]);
}

#[tokio::test]
async fn cancellation_without_provider_response_changes_nothing() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let mut psp = MockPsp::new();
    psp.expect_expire_checkout().returning(|_| Box::pin(async { Err(PspError::NoResponse("timed out")) }));
    let service = service(database.pool(), MockReservationClient::new(), psp);
    let error = service.settle_cancellation(payment.reservation_id, gives_back(0)).await.unwrap_err();
    assert_eq!(Problem::from(error).reason(), Reason::PspUnavailable);
    assert_eq!(now(database.pool(), payment.payment_id).await, payment);
}

#[tokio::test]
async fn cancellation_without_checkout_expires_payment_and_without_payment_is_none() {
    let database = database().await;
    let payment = opened(database.pool(), &new_payment(reservation_id())).await;
    let service = service(database.pool(), MockReservationClient::new(), MockPsp::new());
    let settled = service.settle_cancellation(payment.reservation_id, gives_back(0)).await.unwrap().unwrap();
    assert_eq!(settled.status, Status::Expired);
    assert_eq!(service.settle_cancellation(reservation_id(), gives_back(0)).await.unwrap(), None);
}

#[tokio::test]
async fn cancellation_in_other_currency_is_refused() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), MockReservationClient::new(), MockPsp::new());
    let dollars = Money::from_minor(1, "USD".parse().unwrap()).unwrap();
    let error = service
        .settle_cancellation(paid.reservation_id, Settlement { refund: dollars, hold_expired: false })
        .await
        .unwrap_err();
    assert!(matches!(error, PaymentError::Field(ref field) if field.field == "refund.currency_code"), "{error}");
}

#[tokio::test]
async fn refund_is_idempotent_by_request_id() {
    let database = database().await;
    let pool = database.pool();
    let (paid, other) = (in_status(pool, Status::Paid).await, in_status(pool, Status::Paid).await);
    let service = service(pool, reads(booking()), MockPsp::new());
    let ask = async |amount: Option<i64>, request: u128| {
        service
            .refund(paid.payment_id, amount.map(eur), false, Uuid::from_u128(request))
            .await
            .map(|payment| payment.refund_requested.minor())
            .map_err(|error| Problem::from(error).reason())
    };
    assert_eq!(ask(Some(6_000), 1).await, Ok(6_000));
    assert_eq!(ask(Some(6_000), 1).await, Ok(6_000), "a repeat");
    assert_eq!(ask(Some(5_000), 1).await, Err(Reason::RequestIdReused));
    assert_eq!(ask(Some(4_001), 2).await, Err(Reason::RefundExceedsPayment));
    assert_eq!(ask(Some(0), 3).await, Err(Reason::InvalidField));
    let elsewhere = service.refund(other.payment_id, Some(eur(6_000)), false, Uuid::from_u128(1)).await.unwrap_err();
    assert_eq!(Problem::from(elsewhere).reason(), Reason::RequestIdReused);
    assert_eq!(ask(None, 4).await, Ok(10_000), "all that is left");
    assert_eq!(ask(None, 4).await, Ok(10_000), "a repeat");
    assert_eq!(ask(None, 5).await, Err(Reason::RefundExceedsPayment));
    let unpaid = open(pool).await;
    let error = service.refund(unpaid.payment_id, Some(eur(1)), false, Uuid::from_u128(6)).await.unwrap_err();
    assert_eq!(Problem::from(error).reason(), Reason::RefundExceedsPayment);
    let unknown = service.refund(staymesh_domain::PaymentId::new(), None, false, Uuid::from_u128(7)).await.unwrap_err();
    assert_eq!(Problem::from(unknown).reason(), Reason::PaymentNotFound);
    assert_eq!(outbox(pool).await, ["refund.requested", "refund.requested"]);
}
