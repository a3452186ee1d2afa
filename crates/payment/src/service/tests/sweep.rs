use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use staymesh_psp::{Checkout, CheckoutStatus, PspError};

use crate::{
    clients::reservations::MockReservationClient,
    model::Status,
    store::payments,
    testing::{MockPsp, checkout, database, eur, new_payment, now, open, opened, outbox, reservation_id, service},
};

fn fetches(answers: Vec<Result<Checkout, PspError>>) -> MockPsp {
    let mut psp = MockPsp::new();
    let mut answers = answers.into_iter();
    psp.expect_fetch_checkout().times(answers.len()).returning(move |_| {
        let answer = answers.next().unwrap();
        Box::pin(async move { answer })
    });
    psp
}

fn minutes(count: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(count)
}

#[rstest]
#[case(CheckoutStatus::Paid, Status::Paid, &["payment.paid"])]
#[case(CheckoutStatus::Failed, Status::Failed, &["payment.failed"])]
#[case(CheckoutStatus::Expired, Status::Expired, &[])]
#[case(CheckoutStatus::Open, Status::Pending, &[])]
#[case(CheckoutStatus::InReview, Status::Pending, &[])]
#[tokio::test]
async fn due_check_applies_the_fetched_status(
    #[case] fetched: CheckoutStatus,
    #[case] status: Status,
    #[case] events: &[&str],
) {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    let service = service(pool, MockReservationClient::new(), fetches(vec![Ok(checkout(&payment, fetched))]));
    assert_eq!(service.check_due(Timestamp::now()).await.unwrap(), 0, "not yet");
    assert_eq!(service.check_due(minutes(2)).await.unwrap(), 1);
    assert_eq!(now(pool, payment.payment_id).await.status, status);
    assert_eq!(outbox(pool).await, events);
    assert_eq!(service.check_due(minutes(2)).await.unwrap(), 0, "not twice in a row");
}

#[tokio::test]
async fn check_interval_doubles_and_one_check_follows_the_expiry() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let started = Timestamp::now();
    let mut seconds = Vec::new();
    for _ in 0..6 {
        let next: jiff_sqlx::Timestamp =
            sqlx::query_scalar("select next_check_at from payment_order").fetch_one(database.pool()).await.unwrap();
        seconds.push(next.to_jiff().duration_since(started).as_secs());
        let due = payments::claim_checks(database.pool(), next.to_jiff(), std::time::Duration::from_mins(1), 10);
        assert_eq!(due.await.unwrap()[0].payment_id, payment.payment_id);
    }
    let close = |actual: &i64, expected: i64| (expected - 3..=expected + 3).contains(actual);
    // One, two, four and eight minutes after the one before; the page closes after 15 minutes.
    let expected = [60, 120, 240, 480, 902, 902 + 600];
    assert!(seconds.iter().zip(expected).all(|(actual, expected)| close(actual, expected)), "{seconds:?}");
}

#[tokio::test]
async fn due_check_expires_open_checkout_at_provider_first() {
    let database = database().await;
    for (answer, status) in [(CheckoutStatus::Expired, Status::Expired), (CheckoutStatus::Paid, Status::Paid)] {
        let payment = open(database.pool()).await;
        let mut psp = fetches(vec![Ok(checkout(&payment, CheckoutStatus::Open))]);
        let closed = checkout(&payment, answer);
        psp.expect_expire_checkout().times(1).returning(move |_| {
            let closed = closed.clone();
            Box::pin(async move { Ok(closed) })
        });
        let service = service(database.pool(), MockReservationClient::new(), psp);
        service.check_due(minutes(16)).await.unwrap();
        assert_eq!(now(database.pool(), payment.payment_id).await.status, status);
    }
}

#[tokio::test]
async fn due_check_without_provider_response_keeps_payment_pending() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let unavailable = || Err(PspError::Unavailable("connection refused"));
    let psp = fetches(vec![unavailable(), unavailable(), Ok(checkout(&payment, CheckoutStatus::Paid))]);
    let service = service(database.pool(), MockReservationClient::new(), psp);
    for later in [16, 60] {
        assert_eq!(service.check_due(minutes(later)).await.unwrap(), 1);
        assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Pending);
    }
    service.check_due(minutes(120)).await.unwrap();
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Paid);
}

#[tokio::test]
async fn due_checks_fetch_all_with_bounded_concurrency() {
    let database = database().await;
    let pool = database.pool();
    for _ in 0..103 {
        open(pool).await;
    }
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut psp = MockPsp::new();
    let (now_running, most_running) = (running.clone(), most.clone());
    psp.expect_fetch_checkout().times(103).returning(move |_| {
        let (running, most) = (now_running.clone(), most_running.clone());
        Box::pin(async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            Err(PspError::Unavailable("connection refused"))
        })
    });
    let service = service(pool, MockReservationClient::new(), psp);
    assert_eq!(service.check_due(minutes(2)).await.unwrap(), 103);
    assert_eq!((running.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, 8));
}

#[tokio::test]
async fn due_check_with_other_amount_keeps_payment_pending() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let answer = Checkout { amount: eur(1), ..checkout(&payment, CheckoutStatus::Paid) };
    let service = service(database.pool(), MockReservationClient::new(), fetches(vec![Ok(answer)]));
    service.check_due(minutes(2)).await.unwrap();
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Pending);
}

#[tokio::test]
async fn payment_without_checkout_expires_after_its_hold() {
    let database = database().await;
    let payment = opened(database.pool(), &new_payment(reservation_id())).await;
    let service = service(database.pool(), MockReservationClient::new(), MockPsp::new());
    service.check_due(minutes(2)).await.unwrap();
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Pending);
    service.check_due(minutes(16)).await.unwrap();
    assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Expired);
}
