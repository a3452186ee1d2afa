//! Stripe events, from the request body to the status of the payment.

use rstest::rstest;
use serde_json::{Value, json};
use sqlx::PgPool;
use staymesh_psp::Provider;
use uuid::Uuid;

use crate::{
    clients::reservations::MockReservationClient,
    error::PaymentError,
    model::{Payment, Status},
    testing::{
        MockPsp, database, eur, in_status, new_payment, now, open, opened, outbox, reservation_id, service, session_of,
    },
};

async fn send(pool: &PgPool, id: &str, kind: &str, object: Value) -> Result<Option<String>, PaymentError> {
    let body = json!({ "id": id, "object": "event", "type": kind, "data": { "object": object } }).to_string();
    let payments = service(pool, MockReservationClient::new(), MockPsp::new());
    payments.receive(Provider::Stripe, body.as_bytes()).await?;
    let outcome = sqlx::query_scalar("select outcome from psp_event where psp_event_id = $1").bind(id);
    Ok(outcome.fetch_optional(pool).await.unwrap())
}

fn session(payment: &Payment, status: &str, payment_status: &str) -> Value {
    json!({
        "id": session_of(payment.payment_id), "object": "checkout.session", "url": null, "status": status,
        "payment_status": payment_status, "amount_total": 10_000, "currency": "eur",
        "client_reference_id": payment.payment_id, "payment_intent": "pi_1",
    })
}

fn refund(payment: &Payment, refund_id: Uuid, amount: i64, status: &str) -> Value {
    json!({
        "id": "re_1", "object": "refund", "amount": amount, "currency": "eur", "status": status,
        "payment_intent": "pi_1", "metadata": { "payment_id": payment.payment_id, "refund_id": refund_id },
    })
}

#[rstest]
#[case::paid("completed", "complete", "paid", Status::Paid, "APPLIED", &["payment.paid"])]
#[case::processing("completed", "complete", "unpaid", Status::Pending, "APPLIED", &[])]
#[case::async_succeeded("async_payment_succeeded", "complete", "paid", Status::Paid, "APPLIED", &["payment.paid"])]
#[case::async_failed("async_payment_failed", "complete", "unpaid", Status::Failed, "APPLIED", &["payment.failed"])]
#[case::expired("expired", "expired", "unpaid", Status::Expired, "APPLIED", &[])]
#[case::no_payment_required("completed", "complete", "no_payment_required", Status::Pending, "MISMATCHED", &[])]
#[tokio::test]
async fn session_event_without_saved_session_finds_payment_by_reference(
    #[case] kind: &str,
    #[case] status: &str,
    #[case] payment_status: &str,
    #[case] to: Status,
    #[case] outcome: &str,
    #[case] events: &[&str],
) {
    let database = database().await;
    let pool = database.pool();
    let payment = opened(pool, &new_payment(reservation_id())).await;
    for _ in 0..2 {
        let object = session(&payment, status, payment_status);
        let sent = send(pool, "evt_1", &format!("checkout.session.{kind}"), object).await.unwrap();
        assert_eq!(sent.as_deref(), Some(outcome));
        assert_eq!(
            (now(pool, payment.payment_id).await.status, outbox(pool).await),
            (to, events.iter().map(ToString::to_string).collect())
        );
    }
    let saved = now(pool, payment.payment_id).await.psp_session;
    assert_eq!(saved, (outcome != "MISMATCHED").then(|| session_of(payment.payment_id)));
}

#[tokio::test]
async fn refund_event_is_matched_by_refund_id_in_metadata() {
    let database = database().await;
    let pool = database.pool();
    let payment = in_status(pool, Status::Refunding).await;
    // The refund that in_status makes carries the payment's id.
    let refund_id = payment.payment_id.as_uuid();
    for (id, kind, object, expected) in [
        ("evt_1", "refund.created", refund(&payment, refund_id, 4_000, "pending"), "IGNORED"),
        ("evt_2", "refund.updated", refund(&payment, refund_id, 4_001, "succeeded"), "MISMATCHED"),
        ("evt_3", "refund.updated", refund(&payment, Uuid::nil(), 4_000, "succeeded"), "MISMATCHED"),
        ("evt_4", "refund.failed", refund(&payment, refund_id, 4_000, "failed"), "MISMATCHED"),
    ] {
        assert_eq!(send(pool, id, kind, object).await.unwrap().as_deref(), Some(expected), "{id}");
        assert_eq!(now(pool, payment.payment_id).await, payment);
    }
    let arrived = refund(&payment, refund_id, 4_000, "succeeded");
    assert_eq!(send(pool, "evt_5", "refund.updated", arrived.clone()).await.unwrap().as_deref(), Some("APPLIED"));
    assert_eq!(send(pool, "evt_6", "refund.updated", arrived).await.unwrap().as_deref(), Some("UNCHANGED"));
    let refunded = now(pool, payment.payment_id).await;
    assert_eq!((refunded.status, refunded.refunded), (Status::Refunded, eur(4_000)));
}

#[rstest]
#[case::as_requested(4_000, "eur", "UNCHANGED")]
#[case::partial(1_000, "eur", "UNCHANGED")]
#[case::above_requested(4_001, "eur", "MISMATCHED")]
#[case::other_currency(4_000, "usd", "MISMATCHED")]
#[case::unsupported_currency(4_000, "xxx", "MISMATCHED")]
#[tokio::test]
async fn refund_made_at_stripe_is_recorded_as_mismatch(
    #[case] refunded: i64,
    #[case] currency: &str,
    #[case] expected: &str,
) {
    let database = database().await;
    let pool = database.pool();
    let payment = in_status(pool, Status::Refunding).await;
    let object = json!({
        "id": "ch_1", "object": "charge", "amount": 10_000, "amount_refunded": refunded, "currency": currency,
        "metadata": { "payment_id": payment.payment_id },
    });
    assert_eq!(send(pool, "evt_1", "charge.refunded", object).await.unwrap().as_deref(), Some(expected));
    assert_eq!(now(pool, payment.payment_id).await, payment);
}

#[tokio::test]
async fn event_of_unknown_payment_fails_and_foreign_session_is_ignored() {
    let database = database().await;
    let pool = database.pool();
    let payment = open(pool).await;
    let mut other = session(&payment, "complete", "paid");
    (other["id"], other["client_reference_id"]) = (json!("cs_other"), json!("order 1 of another shop"));
    let ignored = send(pool, "evt_1", "checkout.session.completed", other.clone()).await.unwrap();
    assert_eq!(ignored.as_deref(), Some("IGNORED"));
    other["client_reference_id"] = json!(staymesh_domain::PaymentId::new());
    let unknown = send(pool, "evt_2", "checkout.session.completed", other).await;
    assert!(matches!(unknown, Err(PaymentError::NotFound)));
    assert_eq!(now(pool, payment.payment_id).await, payment);
}
