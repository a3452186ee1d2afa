use futures::future::join_all;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::PgPool;
use staymesh_psp::Provider;

use crate::{
    clients::reservations::MockReservationClient,
    error::PaymentError,
    model::{Payment, Status},
    service::Payments,
    store::payment_notes,
    testing::{
        MockPsp, database, eur, in_status, new_payment, now, open, opened, outbox, reservation_id, service, session_of,
    },
};

fn receiver(pool: &PgPool) -> Payments<MockPsp> {
    service(pool, MockReservationClient::new(), MockPsp::new())
}

fn event(id: &str, kind: &str, payment: &Payment) -> Value {
    json!({ "id": id, "type": kind, "created": 1, "data": {
        "session": session_of(payment.payment_id), "reference": payment.payment_id,
        "amount_minor": payment.amount.minor(), "currency": "EUR",
    }})
}

fn refund_event(id: &str, payment: &Payment, reference: &Value, amount: i64) -> Value {
    let mut event = event(id, "refund.succeeded", payment);
    event["data"]["refund"] = json!({ "id": "re_1", "amount_minor": amount, "reference": reference });
    event
}

async fn outcome(pool: &PgPool, event_id: &str) -> Option<String> {
    sqlx::query_scalar("select outcome from psp_event where psp_event_id = $1")
        .bind(event_id)
        .fetch_optional(pool)
        .await
        .unwrap()
}

async fn send(pool: &PgPool, event: &Value) -> Result<(), PaymentError> {
    receiver(pool).receive(Provider::Simulator, event.to_string().as_bytes()).await
}

#[rstest]
#[case(Status::Pending, "checkout.paid", Status::Paid, &["payment.paid"])]
#[case(Status::Pending, "checkout.failed", Status::Failed, &["payment.failed"])]
#[case(Status::Pending, "checkout.expired", Status::Expired, &[])]
#[case::late_money(Status::Expired, "checkout.paid", Status::Paid, &["payment.paid"])]
#[case::paid_after_failure(Status::Failed, "checkout.paid", Status::Paid, &["payment.paid"])]
#[case::reordered(Status::Paid, "checkout.failed", Status::Paid, &[])]
#[case::reordered(Status::Paid, "checkout.expired", Status::Paid, &[])]
#[case::late(Status::Refunded, "checkout.paid", Status::Refunded, &[])]
#[tokio::test]
async fn event_is_applied_once(#[case] from: Status, #[case] kind: &str, #[case] to: Status, #[case] events: &[&str]) {
    let database = database().await;
    let pool = database.pool();
    let payment = in_status(pool, from).await;
    for _ in 0..3 {
        send(pool, &event("evt_1", kind, &payment)).await.unwrap();
        assert_eq!(now(pool, payment.payment_id).await.status, to);
        assert_eq!(outbox(pool).await, events);
    }
    // The provider sends the same content as another event.
    send(pool, &event("evt_2", kind, &payment)).await.unwrap();
    assert_eq!((now(pool, payment.payment_id).await.status, outbox(pool).await.len()), (to, events.len()));
    let expected = if from == to { "UNCHANGED" } else { "APPLIED" };
    assert_eq!(outcome(pool, "evt_1").await.as_deref(), Some(expected));
    assert_eq!(outcome(pool, "evt_2").await.as_deref(), Some("UNCHANGED"));
}

#[tokio::test]
async fn declined_card_is_recorded_and_payment_stays_pending() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    assert_eq!(payment.decline_time, None);
    for id in ["evt_1", "evt_1", "evt_2"] {
        send(pool, &event(id, "checkout.declined", &payment)).await.unwrap();
        let noted = now(pool, payment.payment_id).await;
        assert_eq!((noted.status, noted.decline_time.is_some()), (Status::Pending, true));
    }
    assert_eq!(outcome(pool, "evt_2").await.as_deref(), Some("APPLIED"));
    assert!(outbox(pool).await.is_empty(), "a declined card publishes no event");
    // An event that arrives after the payment.
    let paid = in_status(pool, Status::Paid).await;
    send(pool, &event("evt_3", "checkout.declined", &paid)).await.unwrap();
    assert_eq!(now(pool, paid.payment_id).await, paid);
    assert_eq!(outcome(pool, "evt_3").await.as_deref(), Some("UNCHANGED"));
}

#[tokio::test]
async fn concurrent_copies_of_event_are_applied_once() {
    let database = database().await;
    let payment = open(database.pool()).await;
    // Nine copies of one event, and seven events of their own.
    let events: Vec<_> = (0..16).map(|n| event(&format!("evt_{}", n.max(8)), "checkout.paid", &payment)).collect();
    for sent in join_all(events.iter().map(|event| send(database.pool(), event))).await {
        sent.unwrap();
    }
    assert_eq!(outbox(database.pool()).await, ["payment.paid"]);
}

#[rstest]
#[case::less("amount_minor", json!(9_999))]
#[case::more("amount_minor", json!(10_001))]
#[case::currency("currency", json!("USD"))]
#[case::session("session", json!("cs_another"))]
#[tokio::test]
async fn mismatched_payment_event_changes_nothing(#[case] field: &str, #[case] value: Value) {
    let database = database().await;
    let payment = open(database.pool()).await;
    let mut event = event("evt_1", "checkout.paid", &payment);
    event["data"][field] = value;
    send(database.pool(), &event).await.unwrap();
    assert_eq!(now(database.pool(), payment.payment_id).await, payment);
    assert!(outbox(database.pool()).await.is_empty());
    assert_eq!(outcome(database.pool(), "evt_1").await.as_deref(), Some("MISMATCHED"));
}

#[tokio::test]
async fn event_without_saved_session_finds_payment_by_reference() {
    let database = database().await;
    let pool = database.pool();
    let payment = opened(pool, &new_payment(reservation_id())).await;
    send(pool, &event("evt_1", "checkout.paid", &payment)).await.unwrap();
    let paid = now(pool, payment.payment_id).await;
    assert_eq!((paid.status, paid.psp_session), (Status::Paid, Some(session_of(payment.payment_id))));
}

#[tokio::test]
async fn event_of_unknown_payment_fails_and_unknown_type_is_ignored() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    let mut unknown = event("evt_1", "checkout.paid", &payment);
    unknown["data"]["session"] = json!("cs_unknown");
    unknown["data"]["reference"] = json!("not ours");
    for _ in 0..2 {
        assert!(matches!(send(pool, &unknown).await, Err(PaymentError::NotFound)), "also the second time");
    }
    assert_eq!(outcome(pool, "evt_1").await, None);
    send(pool, &json!({ "id": "evt_2", "type": "payout.created", "data": [1] })).await.unwrap();
    assert_eq!(outcome(pool, "evt_2").await.as_deref(), Some("IGNORED"));
    for bad in [&b"{"[..], b"\xff\xfe", br#"{"id":"evt_3","type":"checkout.paid"}"#] {
        let error = receiver(pool).receive(Provider::Simulator, bad).await.unwrap_err();
        assert!(matches!(error, PaymentError::Field(ref field) if field.field == "body"), "{error}");
    }
    assert_eq!(now(pool, payment.payment_id).await, payment);
}

#[tokio::test]
async fn matching_refund_event_is_applied_once() {
    let database = database().await;
    let pool = database.pool();
    let payment = in_status(pool, Status::Refunding).await;
    payment_notes::note_end(&mut pool.acquire().await.unwrap(), payment.payment_id).await.unwrap();
    let payment = now(pool, payment.payment_id).await;
    // The refund that in_status makes carries the payment's id.
    let ours = json!(payment.payment_id);
    for (id, reference, amount) in
        [("evt_1", &ours, 4_001), ("evt_2", &json!(null), 4_000), ("evt_3", &json!(uuid::Uuid::nil()), 4_000)]
    {
        send(pool, &refund_event(id, &payment, reference, amount)).await.unwrap();
        assert_eq!(outcome(pool, id).await.as_deref(), Some("MISMATCHED"), "{id}");
        assert_eq!(now(pool, payment.payment_id).await, payment);
    }
    for id in ["evt_4", "evt_5", "evt_5"] {
        send(pool, &refund_event(id, &payment, &ours, 4_000)).await.unwrap();
        let refunded = now(pool, payment.payment_id).await;
        assert_eq!((refunded.status, refunded.refunded), (Status::Refunded, eur(4_000)));
        assert_eq!(outbox(pool).await, ["payment.refunded"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// In any order and number of repeats the payment ends as paid if any event is `paid`, and publishes that once.
    #[test]
    fn final_status_is_independent_of_event_order(
        kinds in prop::collection::vec(prop::sample::select(vec!["paid", "failed", "expired"]), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 6..12),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let database = database().await;
            let pool = database.pool();
            let payment = open(pool).await;
            let mut sent = Vec::new();
            for index in &order {
                let n = index.index(kinds.len());
                sent.push(kinds[n]);
                send(pool, &event(&format!("evt_{n}"), &format!("checkout.{}", kinds[n]), &payment)).await.unwrap();
            }
            let status = now(pool, payment.payment_id).await.status;
            let published = outbox(pool).await;
            assert_eq!(status == Status::Paid, sent.contains(&"paid"));
            assert_eq!(published.iter().filter(|kind| *kind == "payment.paid").count(), usize::from(status == Status::Paid));
            assert!(published.iter().filter(|kind| *kind == "payment.failed").count() <= 1);
        });
    }
}
