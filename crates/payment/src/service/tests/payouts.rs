//! Transfers of payouts: requested by the relay, completed by the provider's response or event, or both.

use futures::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::PgPool;
use staymesh_domain::Page;
use staymesh_mesh::auth::Role;
use staymesh_psp::{Provider, PspError, TransferOrder, TransferOutcome, Transferred};
use uuid::Uuid;

use super::relay::{quiet, start};
use crate::{
    clients::reservations::MockReservationClient,
    error::PaymentError,
    jobs::payouts::{
        Found, Options,
        tests::{everything, make_payouts, owed, requested, send_to, sold},
    },
    payouts::{Payout, TransferStatus},
    store::payouts,
    testing::{MockPsp, caller, database, eur, service, simulator},
};

fn done(outcome: TransferOutcome) -> Transferred {
    Transferred { psp_transfer: "tr_1".into(), outcome }
}

/// A provider that returns these results in turn and asserts that every retry sends the same order.
fn answering(answers: Vec<Result<Transferred, PspError>>) -> MockPsp {
    let mut psp = MockPsp::new();
    let times = answers.len();
    let (mut answers, mut orders) = (answers.into_iter(), Vec::<TransferOrder>::new());
    psp.expect_transfer().times(times).returning(move |order| {
        assert!(orders.iter().all(|earlier| *earlier == order), "a retry sends the same order");
        orders.push(order);
        let answer = answers.next().unwrap();
        Box::pin(async move { answer })
    });
    psp
}

async fn found(pool: &PgPool, id: Uuid) -> Payout {
    payouts::find(pool, id).await.unwrap().unwrap()
}

fn event(kind: &str, transfer_id: Uuid, amount_minor: i64) -> Value {
    json!({ "id": format!("evt_{kind}_{transfer_id}"), "type": kind, "created": 1, "data": {
        "transfer": "tr_1", "reference": transfer_id, "amount_minor": amount_minor, "currency": "EUR",
        "destination": "acct_7",
    }})
}

async fn send(pool: &PgPool, event: &Value) -> Result<(), PaymentError> {
    let receiver = service(pool, MockReservationClient::new(), MockPsp::new());
    receiver.receive(Provider::Simulator, event.to_string().as_bytes()).await
}

async fn outcomes(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select outcome from psp_event order by received_at").fetch_all(pool).await.unwrap()
}

async fn postings(pool: &PgPool) -> i64 {
    let sql = "select count(*) from ledger_transaction where kind = 'PAY_OUT'";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn transfer_retried_after_failures_is_posted_once() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let id = requested(pool).await;
    let psp = answering(vec![
        Err(PspError::NoResponse("timed out")),
        Err(PspError::Unavailable("connection refused")),
        Err(PspError::Unknown("unexpected response")),
        Err(PspError::Pending("on its way")),
        Ok(done(TransferOutcome::Paid)),
    ]);
    let _relay = start(pool, MockReservationClient::new(), psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let made = found(pool, id).await;
    assert_eq!((made.status, made.failure, made.end_time.is_some()), (TransferStatus::Paid, None, true));
    assert_eq!((owed(pool, 7).await, postings(pool).await), (0, 1));
    // As if the relay had stopped before it recorded the delivery.
    sqlx::query(
        "update outbox set delivered_at = null, attempts = 0, next_attempt_at = now() where kind = 'payout.requested'",
    )
    .execute(pool)
    .await
    .unwrap();
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!((owed(pool, 7).await, postings(pool).await), (0, 1));
}

#[tokio::test]
async fn transfer_event_is_applied_once_before_or_after_the_relay() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let id = requested(pool).await;
    let paid = event("transfer.paid", id, 7905);
    let copies = join_all((0..8).map(|_| send(pool, &paid))).await;
    assert!(copies.into_iter().all(|sent| sent.is_ok()));
    assert_eq!(found(pool, id).await.status, TransferStatus::Paid);
    assert_eq!(outcomes(pool).await, ["APPLIED"]);
    // The relay delivers second, and makes no call to the provider.
    let _relay = start(pool, MockReservationClient::new(), answering(vec![]));
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let mut again = paid.clone();
    again["id"] = json!("evt_again");
    send(pool, &again).await.unwrap();
    assert_eq!(outcomes(pool).await, ["APPLIED", "UNCHANGED"]);
    assert_eq!((owed(pool, 7).await, postings(pool).await), (0, 1));
}

#[rstest]
#[case::other_amount("transfer.paid", 7904)]
#[case::opposite_outcome("transfer.failed", 7905)]
#[tokio::test]
async fn contradicting_transfer_event_is_recorded_as_mismatch(#[case] kind: &str, #[case] amount: i64) {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let id = requested(pool).await;
    send(pool, &event("transfer.paid", id, 7905)).await.unwrap();
    let mut contradicting = event(kind, id, amount);
    contradicting["id"] = json!("evt_odd");
    send(pool, &contradicting).await.unwrap();
    assert_eq!(outcomes(pool).await, ["APPLIED", "MISMATCHED"]);
    assert_eq!((found(pool, id).await.status, postings(pool).await), (TransferStatus::Paid, 1));
}

#[tokio::test]
async fn event_of_unknown_transfer_fails_so_that_provider_retries() {
    let database = database().await;
    let unknown = send(database.pool(), &event("transfer.paid", Uuid::now_v7(), 1)).await;
    assert!(matches!(unknown, Err(PaymentError::PayoutNotFound)));
    assert_eq!(outcomes(database.pool()).await, Vec::<String>::new());
}

#[tokio::test]
async fn failed_transfer_is_retried_only_on_request() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let id = requested(pool).await;
    {
        let _relay = start(pool, MockReservationClient::new(), answering(vec![Ok(done(TransferOutcome::Failed))]));
        assert_eq!(quiet(pool).await, Vec::<String>::new(), "a failed transfer is delivered, not retried");
    }
    let failed = found(pool, id).await;
    assert_eq!(failed.status, TransferStatus::Failed);
    assert_eq!(failed.failure.as_deref(), Some("the payment provider could not pay to the destination"));
    assert_eq!((owed(pool, 7).await, postings(pool).await), (7905, 0));
    assert_eq!(make_payouts(pool, &everything()).await, [], "without retry_failed");

    send_to(pool, 7, "acct_new").await;
    let again = Options { retry_failed: true, ..everything() };
    let dry = Options { dry_run: true, ..again.clone() };
    assert_eq!(make_payouts(pool, &dry).await, [Found::Retried { payout_id: id }]);
    let runs = join_all((0..4).map(|_| make_payouts(pool, &again))).await;
    assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), [Found::Retried { payout_id: id }]);
    assert_eq!(found(pool, id).await.status, TransferStatus::Requested);
    // A late event of the first transfer does not change the second.
    send(pool, &event("transfer.failed", id, 7905)).await.unwrap();
    assert_eq!(found(pool, id).await.status, TransferStatus::Requested);
    let mut psp = MockPsp::new();
    psp.expect_transfer().times(1).returning(move |order| {
        assert_ne!(order.transfer_id, id, "a new idempotency key, or the provider would repeat its first result");
        assert_eq!((order.destination.as_str(), order.amount), ("acct_new", eur(7905)));
        Box::pin(async { Ok(done(TransferOutcome::Paid)) })
    });
    let _relay = start(pool, MockReservationClient::new(), psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    let paid = found(pool, id).await;
    assert_eq!((paid.status, paid.amount, paid.failure), (TransferStatus::Paid, eur(7905), None));
    assert_eq!((owed(pool, 7).await, postings(pool).await), (0, 1));
}

#[tokio::test]
async fn refused_transfer_becomes_dead_letter_and_payout_fails() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    let id = requested(pool).await;
    let refused = PspError::Refused("balance_insufficient".into());
    let _relay = start(pool, MockReservationClient::new(), answering(vec![Err(refused)]));
    let why = "the payment provider refused: balance_insufficient";
    assert_eq!(quiet(pool).await, [why]);
    let made = found(pool, id).await;
    assert_eq!((made.status, made.failure.as_deref()), (TransferStatus::Failed, Some(why)));
    assert_eq!(owed(pool, 7).await, 7905);
}

#[rstest]
#[case("acct_7", TransferStatus::Paid)]
#[case("fail", TransferStatus::Failed)]
#[tokio::test]
async fn transfer_at_simulator_ends_by_destination(#[case] destination: &str, #[case] expected: TransferStatus) {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    send_to(pool, 7, destination).await;
    let [Found::Paid { payout_id: Some(id), .. }] = make_payouts(pool, &everything()).await[..] else { panic!() };
    let (psp, _running) = simulator(None).await;
    let _relay = start(pool, MockReservationClient::new(), psp);
    assert_eq!(quiet(pool).await, Vec::<String>::new());
    assert_eq!(found(pool, id).await.status, expected);
    let left = if expected == TransferStatus::Paid { 0 } else { 7905 };
    assert_eq!(owed(pool, 7).await, left);
}

#[tokio::test]
async fn payout_and_its_lines_are_shown_to_staff_of_its_hotel_and_admins_only() {
    let database = database().await;
    let pool = database.pool();
    sold(pool).await;
    requested(pool).await;
    let (id,): (Uuid,) = sqlx::query_as("select payout_id from pay_out").fetch_one(pool).await.unwrap();
    let payments = service(pool, MockReservationClient::new(), MockPsp::new());
    let page = Page::parse(1, "", &[]).unwrap();
    for (role, hotels) in [(Role::Admin, &[][..]), (Role::Staff, &[6, 7])] {
        let caller = caller("reader", role, hotels);
        let found = payments.payout(&caller, id).await.unwrap();
        let lines = payments.payout_lines(&caller, id, &page).await.unwrap();
        assert_eq!((found.payout_id, found.lines, lines.lines.len()), (id, 1, 1));
    }
    let of_another_hotel = caller("reader", Role::Staff, &[8]);
    let refused = payments.payout(&of_another_hotel, id).await;
    assert!(matches!(refused, Err(PaymentError::PayoutNotFound)));
    let refused = payments.payout_lines(&of_another_hotel, id, &page).await;
    assert!(matches!(refused, Err(PaymentError::PayoutNotFound)));
}
