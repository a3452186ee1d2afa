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
    testing::{MockPsp, database, eur, in_status, now, open, service},
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

/// Waits until nothing is on its way; yields why events were parked.
pub(super) async fn quiet(pool: &PgPool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while outbox::stats(pool).await.unwrap().depth > 0 {
        assert!(Instant::now() < deadline, "the outbox does not empty");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let parked = outbox::dead_letters(pool, &outbox::DeadLetterFilter::default(), 0, 10).await.unwrap();
    parked.into_iter().map(|event| event.last_error.unwrap_or_default()).collect()
}

async fn hear(pool: &PgPool, payment: &Payment, word: CheckoutStatus) {
    let mut transaction = pool.begin().await.unwrap();
    let locked = payments::lock(&mut transaction, payment.payment_id).await.unwrap().unwrap();
    assert!(apply(&mut transaction, &locked, word).await.unwrap());
    transaction.commit().await.unwrap();
}

fn refused(reason: Reason) -> RpcStatus {
    Problem::new(reason, "no").into()
}

#[tokio::test]
async fn money_is_confirmed_until_the_reservation_service_has_heard() {
    let database = database().await;
    let payment = open(database.pool()).await;
    hear(database.pool(), &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    let mut attempts = 0;
    let expected = payment.clone();
    reservations.expect_confirm_payment().times(3).returning(move |reservation, id, amount| {
        assert_eq!((reservation, id, amount), (expected.reservation_id, expected.payment_id, eur(10_000)));
        attempts += 1;
        let answer = match attempts {
            1 => Err(RpcStatus::unavailable("away")),
            2 => Err(RpcStatus::deadline_exceeded("slow")),
            _ => Ok(false),
        };
        answer
    });
    let _relay = start(database.pool(), reservations, MockPsp::new());
    assert_eq!(quiet(database.pool()).await, Vec::<String>::new());
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Paid);
}

#[tokio::test]
async fn an_outage_parks_nothing_however_long_it_lasts() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    hear(pool, &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    let mut words = (0..10).map(|_| Err(RpcStatus::unavailable("away"))).chain([Ok(true)]);
    reservations.expect_confirm_payment().times(11).returning(move |_, _, _| {
        let word = words.next().unwrap();
        word
    });
    reservations.expect_confirm_refund().times(1).returning(|_, _, _| Ok(()));
    let mut psp = MockPsp::new();
    let away = |number| match number % 3 {
        0 => PspError::Unavailable("away"),
        1 => PspError::NoResponse("in time"),
        _ => PspError::Pending("the bank takes its time"),
    };
    let mut answers = (0..10).map(move |number| Err(away(number))).chain([Ok("re_1".to_owned())]);
    psp.expect_refund().times(11).returning(move |_| {
        let answer = answers.next().unwrap();
        Box::pin(async move { answer })
    });
    let _relay = start(pool, reservations, psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, payment.payment_id).await.status, Status::Refunded);
}

#[tokio::test]
async fn refunds_that_hang_do_not_hold_up_the_word_of_money() {
    let database = database().await;
    let pool = database.pool();
    let asking = service(pool, MockReservationClient::new(), MockPsp::new());
    for number in 1..=2 * REFUND_CONCURRENCY + 4 {
        let paid = in_status(pool, Status::Paid).await;
        asking.refund(paid.payment_id, None, request(number as u128)).await.unwrap();
    }
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|_| Box::pin(std::future::pending()));
    let (told, is_told) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(move |_, _, _| {
        told.take().unwrap().send(()).unwrap();
        Ok(false)
    });
    let _relay = start(pool, reservations, psp);
    let payment = open(pool).await;
    hear(pool, &payment, CheckoutStatus::Paid).await;
    // Less than the time after which a relay gives up on a call.
    tokio::time::timeout(Duration::from_secs(8), is_told).await.expect("in time").unwrap();
}

#[rstest]
#[case::after_the_hold(CheckoutStatus::Expired)]
#[case::after_a_refusal(CheckoutStatus::Failed)]
#[tokio::test]
async fn late_money_for_rooms_that_are_gone_goes_back_in_full(#[case] before: CheckoutStatus) {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    hear(pool, &payment, before).await;
    hear(pool, &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_reject_payment().returning(|_, _| Ok(()));
    reservations.expect_confirm_payment().times(1).returning(|_, _, _| Ok(true));
    reservations.expect_confirm_refund().times(1).returning(|_, _, amount| {
        assert_eq!(amount, eur(10_000));
        Ok(())
    });
    let mut psp = MockPsp::new();
    let mut keys = Vec::new();
    psp.expect_refund().times(3).returning(move |order| {
        // What became of the first two is not known; the third must be the same to the provider.
        keys.push(order.clone());
        assert!(keys.iter().all(|earlier| *earlier == order));
        assert_eq!(order.amount, eur(10_000));
        let answer = match keys.len() {
            1 => Err(PspError::NoResponse("timed out")),
            2 => Err(PspError::Unavailable("away")),
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
async fn a_repeated_delivery_pays_back_once() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    hear(pool, &payment, CheckoutStatus::Paid).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(2).returning(|_, _, _| Ok(true));
    reservations.expect_confirm_refund().times(2).returning(|_, _, amount| {
        assert_eq!(amount, eur(10_000));
        Ok(())
    });
    let mut psp = MockPsp::new();
    psp.expect_refund().times(1).returning(|_| Box::pin(async { Ok("re_1".to_owned()) }));
    let _relay = start(pool, reservations, psp);
    quiet(pool).await;
    // As if the relay had died before it wrote down that the first event had arrived.
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
async fn a_refusal_frees_the_rooms_even_if_they_are_free_already() {
    let database = database().await;
    for answer in [None, Some(Reason::IllegalTransition)] {
        let payment = open(database.pool()).await;
        hear(database.pool(), &payment, CheckoutStatus::Failed).await;
        let mut reservations = MockReservationClient::new();
        reservations.expect_reject_payment().times(1).returning(move |_, _| {
            let answer = answer.map_or(Ok(()), |reason| Err(refused(reason)));
            answer
        });
        let _relay = start(database.pool(), reservations, MockPsp::new());
        assert_eq!(quiet(database.pool()).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_will_never_be_taken_is_parked_with_its_reason() {
    let database = database().await;
    let pool = database.pool();
    let mismatched = open(pool).await;
    hear(pool, &mismatched, CheckoutStatus::Paid).await;
    let refunding = in_status(pool, Status::Paid).await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_confirm_payment().times(1).returning(|_, _, _| Err(refused(Reason::AmountMismatch)));
    let mut psp = MockPsp::new();
    psp.expect_refund().times(1).returning(|_| Box::pin(async { Err(PspError::Refused("not_paid".into())) }));
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    service.settle_cancellation(refunding.reservation_id, eur(1)).await.unwrap();
    let _relay = start(pool, reservations, psp);
    let parked = quiet(pool).await;
    assert_eq!(parked, ["reservation: FailedPrecondition, AMOUNT_MISMATCH", "the payment provider refused: not_paid"]);
    assert_eq!(now(pool, refunding.payment_id).await.status, Status::Refunding, "it still is to go back");
}

/// Says in order what the reservation service may be told to have gone back.
fn hears_of_refunds(amounts: &'static [i64]) -> MockReservationClient {
    let mut reservations = MockReservationClient::new();
    let mut amounts_left = amounts.iter();
    reservations.expect_confirm_refund().times(amounts.len()).returning(move |_, _, amount| {
        assert_eq!(amount, eur(*amounts_left.next().unwrap()));
        Ok(())
    });
    reservations
}

/// A provider that pays back.
fn pays_back() -> MockPsp {
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|order| Box::pin(async move { Ok(format!("re_{}", order.refund_id)) }));
    psp
}

fn request(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

#[tokio::test]
async fn goodwill_leaves_the_reservation_as_it_is() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), MockReservationClient::new(), MockPsp::new());
    service.refund(paid.payment_id, Some(eur(500)), request(1)).await.unwrap();
    let _relay = start(database.pool(), hears_of_refunds(&[]), pays_back());
    assert_eq!(quiet(database.pool()).await, Vec::<String>::new());
    let payment = now(database.pool(), paid.payment_id).await;
    assert_eq!((payment.status, payment.refunded), (Status::Refunded, eur(500)));
}

#[tokio::test]
async fn a_cancelled_reservation_hears_of_all_that_goes_back_and_not_of_a_part() {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    // Both are on their way when the guest cancels; the small one arrives first.
    service.refund(paid.payment_id, Some(eur(1_000)), request(1)).await.unwrap();
    service.settle_cancellation(paid.reservation_id, eur(10_000)).await.unwrap();
    let _relay = start(pool, hears_of_refunds(&[10_000]), pays_back());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let payment = now(pool, paid.payment_id).await;
    assert_eq!((payment.status, payment.refunded), (Status::Refunded, eur(10_000)));
}

#[tokio::test]
async fn a_part_that_arrives_before_the_cancellation_is_known_is_not_taken_for_all() {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    service.refund(paid.payment_id, Some(eur(1_000)), request(1)).await.unwrap();
    let _relay = start(pool, hears_of_refunds(&[10_000]), pays_back());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    service.settle_cancellation(paid.reservation_id, eur(10_000)).await.unwrap();
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(now(pool, paid.payment_id).await.refunded, eur(10_000));
}

#[rstest]
#[case::all_of_it(10_000, 10_000)]
#[case::all_that_the_policy_gives(7_000, 0)]
#[tokio::test]
async fn what_went_back_before_the_cancellation_is_told_with_it(#[case] before: i64, #[case] policy: i64) {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    service.refund(paid.payment_id, Some(eur(before)), request(1)).await.unwrap();
    let told: &[i64] = if before == 10_000 { &[10_000; 3] } else { &[7_000; 3] };
    let _relay = start(pool, hears_of_refunds(told), pays_back());
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    // Each repeat is told again, in case the word was lost.
    for _ in 0..3 {
        let settled = service.settle_cancellation(paid.reservation_id, eur(policy)).await.unwrap().unwrap();
        assert_eq!((settled.status, settled.refunded), (Status::Refunded, eur(before)));
        assert_eq!(quiet(pool).await, Vec::<String>::new());
    }
}
