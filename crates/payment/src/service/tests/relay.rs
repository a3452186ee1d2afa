use std::{sync::Arc, time::Duration};

use rstest::rstest;
use sqlx::PgPool;
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{CheckoutStatus, Psp, PspError};
use staymesh_store::outbox::{self, Relay, RelayOptions};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status as RpcStatus;

use crate::{
    clients::reservations::MockReservationClient,
    model::{Payment, Status},
    service::{OutboxDispatcher, REFUND_CONCURRENCY, checkout::apply},
    store::payments,
    testing::{MockPsp, booking, database, eur, gives_back, in_status, now, open, reads, service},
};

pub(super) fn start(pool: &PgPool, reservations: MockReservationClient, psp: impl Psp) -> DropGuard {
    let payments = Arc::new(service(pool, reservations, psp));
    let options = RelayOptions {
        poll: Duration::from_millis(20),
        backoff_base: Duration::from_millis(5),
        backoff_cap: Duration::from_millis(10),
        unavailable_cap: Duration::from_millis(10),
        max_attempts: 5,
        concurrency: 2 * REFUND_CONCURRENCY,
        ..RelayOptions::default()
    };
    let wake = payments.wake.clone();
    let stop = CancellationToken::new();
    tokio::spawn(Relay::new(pool.clone(), OutboxDispatcher::new(payments), wake, options).run(stop.clone()));
    stop.drop_guard()
}

/// Waits until the outbox is empty; returns the errors of the dead letters.
pub(super) async fn quiet(pool: &PgPool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while outbox::stats(pool).await.unwrap().depth > 0 {
        assert!(Instant::now() < deadline, "the outbox does not empty");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let dead_letters = outbox::dead_letters(pool, &outbox::DeadLetterFilter::default(), 0, 10).await.unwrap();
    dead_letters.into_iter().map(|event| event.last_error.unwrap_or_default()).collect()
}

async fn apply_status(pool: &PgPool, payment: &Payment, status: CheckoutStatus) {
    let mut transaction = pool.begin().await.unwrap();
    let locked = payments::lock(&mut transaction, payment.payment_id).await.unwrap().unwrap();
    assert!(apply(&mut transaction, &locked, status).await.unwrap());
    transaction.commit().await.unwrap();
}

fn refused(reason: Reason) -> RpcStatus {
    Problem::new(reason, "no").into()
}

#[tokio::test]
async fn payment_confirmation_is_retried_until_delivered() {
    let database = database().await;
    let payment = open(database.pool()).await;
    apply_status(database.pool(), &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    let mut attempts = 0;
    let expected = payment.clone();
    reservations.expect_confirm_payment().times(3).returning(move |reservation, id, amount, _| {
        assert_eq!((reservation, id, amount), (expected.reservation_id, expected.payment_id, eur(10_000)));
        attempts += 1;
        match attempts {
            1 => Err(RpcStatus::unavailable("connection refused")),
            2 => Err(RpcStatus::deadline_exceeded("slow")),
            _ => Ok(false),
        }
    });
    let _relay = start(database.pool(), reservations, MockPsp::new());
    assert_eq!(quiet(database.pool()).await, Vec::<String>::new());
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Paid);
}

#[tokio::test]
async fn outage_beyond_max_attempts_makes_no_dead_letter() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    apply_status(pool, &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    let mut responses = (0..10).map(|_| Err(RpcStatus::unavailable("connection refused"))).chain([Ok(true)]);
    reservations.expect_confirm_payment().times(11).returning(move |_, _, _, _| responses.next().unwrap());
    reservations.expect_confirm_refund().times(1).returning(|_, _, _| Ok(()));
    let mut psp = MockPsp::new();
    let outage = |number| match number % 3 {
        0 => PspError::Unavailable("connection refused"),
        1 => PspError::NoResponse("in time"),
        _ => PspError::Pending("the bank takes its time"),
    };
    let mut answers = (0..10).map(move |number| Err(outage(number))).chain([Ok("re_1".to_owned())]);
    psp.expect_refund().times(11).returning(move |_| {
        let answer = answers.next().unwrap();
        Box::pin(async move { answer })
    });
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, payment.payment_id).await.status, Status::Refunded);
}

#[tokio::test]
async fn hanging_refunds_do_not_delay_payment_confirmation() {
    let database = database().await;
    let pool = database.pool();
    let asking = service(pool, reads(booking()), MockPsp::new());
    for number in 1..=2 * REFUND_CONCURRENCY + 4 {
        let paid = in_status(pool, Status::Paid).await;
        asking.refund(paid.payment_id, None, false, request(number as u128)).await.unwrap();
    }
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|_| Box::pin(std::future::pending()));
    let (sender, confirmed) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(move |_, _, _, _| {
        sender.take().unwrap().send(()).unwrap();
        Ok(false)
    });
    let _relay = start(pool, reservations, psp);
    let payment = open(pool).await;
    apply_status(pool, &payment, CheckoutStatus::Paid).await;
    // Less than the time after which a relay gives up on a call.
    tokio::time::timeout(Duration::from_secs(8), confirmed).await.expect("in time").unwrap();
}

#[rstest]
#[case::after_the_hold(CheckoutStatus::Expired)]
#[case::after_a_refusal(CheckoutStatus::Failed)]
#[tokio::test]
async fn late_payment_without_rooms_is_refunded_in_full(#[case] before: CheckoutStatus) {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    apply_status(pool, &payment, before).await;
    apply_status(pool, &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_reject_payment().returning(|_, _, _| Ok(()));
    reservations.expect_confirm_payment().times(1).returning(|_, _, _, _| Ok(true));
    reservations.expect_confirm_refund().times(1).returning(|_, _, amount| {
        assert_eq!(amount, eur(10_000));
        Ok(())
    });
    let mut psp = MockPsp::new();
    let mut keys = Vec::new();
    psp.expect_refund().times(3).returning(move |order| {
        // The outcome of the first two is unknown; the third must send the same order.
        keys.push(order.clone());
        assert!(keys.iter().all(|earlier| *earlier == order));
        assert_eq!(order.amount, eur(10_000));
        let answer = match keys.len() {
            1 => Err(PspError::NoResponse("timed out")),
            2 => Err(PspError::Unavailable("connection refused")),
            _ => Ok("re_1".to_owned()),
        };
        Box::pin(async move { answer })
    });
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let payment = now(pool, payment.payment_id).await;
    assert_eq!((payment.status, payment.refunded), (Status::Refunded, eur(10_000)));
}

#[tokio::test]
async fn redelivered_payment_event_refunds_once() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    apply_status(pool, &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(2).returning(|_, _, _, _| Ok(true));
    reservations.expect_confirm_refund().times(2).returning(|_, _, amount| {
        assert_eq!(amount, eur(10_000));
        Ok(())
    });
    let mut psp = MockPsp::new();
    psp.expect_refund().times(1).returning(|_| Box::pin(async { Ok("re_1".to_owned()) }));
    let _relay = start(pool, reservations, psp);
    quiet(pool).await;
    // As if the relay had stopped before it recorded the delivery of the first event.
    sqlx::query(
        "update outbox set delivered_at = null, next_attempt_at = now(), attempts = 0 where kind = 'payment.paid'",
    )
    .execute(pool)
    .await
    .unwrap();
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let refunds: i64 = sqlx::query_scalar("select count(*) from refund").fetch_one(pool).await.unwrap();
    assert_eq!((refunds, now(pool, payment.payment_id).await.status), (1, Status::Refunded));
}

#[tokio::test]
async fn failed_payment_releases_rooms_or_finds_them_released() {
    let database = database().await;
    for answer in [None, Some(Reason::IllegalTransition)] {
        let payment = open(database.pool()).await;
        apply_status(database.pool(), &payment, CheckoutStatus::Failed).await;
        let mut reservations = MockReservationClient::new();
        reservations
            .expect_reject_payment()
            .times(1)
            .returning(move |_, _, _| answer.map_or(Ok(()), |reason| Err(refused(reason))));
        let _relay = start(database.pool(), reservations, MockPsp::new());
        assert_eq!(quiet(database.pool()).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn permanent_failure_becomes_dead_letter_with_its_error() {
    let database = database().await;
    let pool = database.pool();
    let mismatched = open(pool).await;
    apply_status(pool, &mismatched, CheckoutStatus::Paid).await;
    let refunding = in_status(pool, Status::Paid).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(|_, _, _, _| Err(refused(Reason::AmountMismatch)));
    let mut psp = MockPsp::new();
    psp.expect_refund().times(1).returning(|_| Box::pin(async { Err(PspError::Refused("not_paid".into())) }));
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    service.settle_cancellation(refunding.reservation_id, gives_back(1)).await.unwrap();
    let _relay = start(pool, reservations, psp);
    let dead_letters = quiet(pool).await;
    assert_eq!(
        dead_letters,
        ["reservation: FailedPrecondition, AMOUNT_MISMATCH", "the payment provider refused: not_paid"]
    );
    assert_eq!(now(pool, refunding.payment_id).await.status, Status::Refunding, "the refund is still owed");
}

/// A reservation service that expects confirmations of refunds with these amounts in this order.
fn expects_refunds(amounts: &'static [i64]) -> MockReservationClient {
    let mut reservations = MockReservationClient::new();
    let mut amounts_left = amounts.iter();
    reservations.expect_confirm_refund().times(amounts.len()).returning(move |_, _, amount| {
        assert_eq!(amount, eur(*amounts_left.next().unwrap()));
        Ok(())
    });
    reservations
}

/// A provider that completes every refund.
fn refunds() -> MockPsp {
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|order| Box::pin(async move { Ok(format!("re_{}", order.refund_id)) }));
    psp
}

fn request(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

#[tokio::test]
async fn goodwill_refund_is_not_reported_to_reservation() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), reads(booking()), MockPsp::new());
    service.refund(paid.payment_id, Some(eur(500)), false, request(1)).await.unwrap();
    let _relay = start(database.pool(), expects_refunds(&[]), refunds());
    assert_eq!(quiet(database.pool()).await, Vec::<String>::new());
    let payment = now(database.pool(), paid.payment_id).await;
    assert_eq!((payment.status, payment.refunded), (Status::Refunded, eur(500)));
}

#[tokio::test]
async fn cancelled_reservation_receives_only_the_total_refund() {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, reads(booking()), MockPsp::new());
    // Both are in progress when the guest cancels; the small one completes first.
    service.refund(paid.payment_id, Some(eur(1_000)), false, request(1)).await.unwrap();
    service.settle_cancellation(paid.reservation_id, gives_back(10_000)).await.unwrap();
    let _relay = start(pool, expects_refunds(&[10_000]), refunds());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let payment = now(pool, paid.payment_id).await;
    assert_eq!((payment.status, payment.refunded), (Status::Refunded, eur(10_000)));
}

#[tokio::test]
async fn partial_refund_before_cancellation_is_not_reported_as_total() {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, reads(booking()), MockPsp::new());
    service.refund(paid.payment_id, Some(eur(1_000)), false, request(1)).await.unwrap();
    let _relay = start(pool, expects_refunds(&[10_000]), refunds());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    service.settle_cancellation(paid.reservation_id, gives_back(10_000)).await.unwrap();
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, paid.payment_id).await.refunded, eur(10_000));
}

#[rstest]
#[case::in_full(10_000, 10_000)]
#[case::above_policy(7_000, 0)]
#[tokio::test]
async fn refund_before_cancellation_is_reported_with_it(#[case] before: i64, #[case] policy: i64) {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, reads(booking()), MockPsp::new());
    service.refund(paid.payment_id, Some(eur(before)), false, request(1)).await.unwrap();
    let reported: &[i64] = if before == 10_000 { &[10_000; 3] } else { &[7_000; 3] };
    let _relay = start(pool, expects_refunds(reported), refunds());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    // Each repeat reports again, in case the previous report was lost.
    for _ in 0..3 {
        let settled = service.settle_cancellation(paid.reservation_id, gives_back(policy)).await.unwrap().unwrap();
        assert_eq!((settled.status, settled.refunded), (Status::Refunded, eur(before)));
        assert_eq!(quiet(pool).await, Vec::<String>::new());
    }
}
