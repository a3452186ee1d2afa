//! Webhook events of the provider: genuine, forged, repeated and out of order.

use futures::future::join_all;
use serde_json::{Value, json};

use super::Sale;
use crate::support::{Books, Provider, World, await_payment, signature};

/// Number of times the payment service stored an event.
async fn taken(provider: &Provider, event: &Value) -> i64 {
    sqlx::query_scalar("select count(*) from psp_event where psp_event_id = $1")
        .bind(event["id"].as_str())
        .fetch_one(&provider.pool)
        .await
        .expect("the events")
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_with_invalid_or_stale_signature_changes_nothing() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    let before = provider.row(&sale.payment).await;
    let event = provider.event("checkout.paid", &sale.payment).await;
    let body = event.to_string();
    let genuine = provider.sign(&body);

    let cheaper = body.replacen("30000", "30001", 1);
    assert_ne!(cheaper, body);
    let invalid = [
        ("no signature", body.as_str(), None),
        ("an empty signature", &body, Some(String::new())),
        (
            "no hexadecimal digits",
            &body,
            Some(format!("{}z", genuine.trim_end_matches(|c: char| c.is_ascii_hexdigit()))),
        ),
        ("another secret", &body, Some(signature("not the secret", jiff::Timestamp::now().as_second(), &body))),
        ("another time than was signed", &body, Some(genuine.replacen("t=1", "t=2", 1))),
        ("one byte less", &body[..body.len() - 1], Some(genuine.clone())),
        ("one byte more", &format!("{body} "), Some(genuine.clone())),
        ("one byte changed", &cheaper, Some(genuine.clone())),
        ("no body", "", Some(genuine.clone())),
    ];
    for (what, body, signature) in invalid {
        let answer = provider.send(body, signature.as_deref()).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (401, Some("WEBHOOK_SIGNATURE_INVALID")), "{what}");
    }
    for (what, offset) in [("old", -400), ("future", 400)] {
        let answer = provider.send(&body, Some(&provider.sign_at(offset, &body))).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (401, Some("WEBHOOK_TOO_OLD")), "{what}");
    }
    assert_eq!(provider.row(&sale.payment).await, before);
    assert_eq!((taken(&provider, &event).await, sale.status().await.as_str()), (0, "PENDING_PAYMENT"));

    // Forged events do not block the genuine one.
    provider.send(&body, Some(&genuine)).await.ok();
    sale.await_status(&world, "PAID").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_webhook_event_is_applied_once() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    let event = provider.event("checkout.paid", &sale.payment).await;
    for answer in join_all((0..20).map(|_| provider.tell(&event))).await {
        answer.ok();
    }
    sale.await_status(&world, "PAID").await;
    provider.tell(&event).await.ok();
    // The same state again, in a new event.
    let news = provider.event("checkout.paid", &sale.payment).await;
    provider.tell(&news).await.ok();
    sale.await_all_delivered(&world).await;

    assert_eq!((taken(&provider, &event).await, taken(&provider, &news).await), (1, 1));
    assert_eq!(provider.count_events(&sale.payment, "payment.paid").await, 1, "confirmations");
    assert_eq!(provider.row(&sale.payment).await.status, "PAID");
    let books = Books::of(world.mesh).await;
    assert_eq!(books.history(&sale.reservation_id).await, ["pending_payment", "paid"]);
    assert_eq!(sale.rooms_taken(&world).await, [1; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_event_after_payment_keeps_payment_paid() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    // A refund that was not requested, of a payment that is not paid.
    let mut refund = provider.event("refund.succeeded", &sale.payment).await;
    refund["data"]["refund"] = json!({ "id": "re_unknown", "amount_minor": 30_000, "reference": null });
    provider.tell(&refund).await.ok();
    assert_eq!(provider.row(&sale.payment).await.status, "PENDING");

    for kind in ["checkout.paid", "checkout.failed", "checkout.expired"] {
        provider.tell(&provider.event(kind, &sale.payment).await).await.ok();
    }
    refund["id"] = json!(format!("{}_again", refund["id"].as_str().expect("an id")));
    provider.tell(&refund).await.ok();
    sale.await_status(&world, "PAID").await;
    sale.await_all_delivered(&world).await;
    let row = provider.row(&sale.payment).await;
    assert_eq!((row.status.as_str(), row.refund_requested_minor, row.refunded_minor), ("PAID", 0, 0));
    assert_eq!((sale.status().await.as_str(), sale.rooms_taken(&world).await), ("PAID", vec![1; 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_of_rejected_reservation_is_refunded() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    provider.tell(&provider.event("checkout.failed", &sale.payment).await).await.ok();
    sale.await_status(&world, "REJECTED").await;
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);

    provider.tell(&provider.event("checkout.paid", &sale.payment).await).await.ok();
    await_payment(&sale.guest, &sale.payment, "REFUNDING").await;
    assert_eq!(provider.row(&sale.payment).await.refund_requested_minor, 30_000);
    assert_eq!((sale.status().await.as_str(), sale.rooms_taken(&world).await), ("REJECTED", vec![0; 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn unexpected_webhook_event_is_stored_and_not_applied() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    let before = provider.row(&sale.payment).await;

    let fitting = provider.event("checkout.paid", &sale.payment).await;
    for (field, other) in [("amount_minor", json!(29_999)), ("currency", json!("USD")), ("session", json!("cs_other"))]
    {
        let mut event = provider.event("checkout.paid", &sale.payment).await;
        event["data"][field] = other;
        provider.tell(&event).await.ok();
        let outcome: String = sqlx::query_scalar("select outcome from psp_event where psp_event_id = $1")
            .bind(event["id"].as_str())
            .fetch_one(&provider.pool)
            .await
            .expect("stored for inspection");
        assert_eq!(outcome, "MISMATCHED", "{field}");
    }
    let mut unknown = fitting.clone();
    unknown["data"]["session"] = json!("cs_unknown");
    unknown["data"]["reference"] = json!(uuid::Uuid::now_v7());
    provider.tell(&unknown).await.refused(404, "PAYMENT_NOT_FOUND");
    provider.tell(&json!({ "id": fitting["id"] })).await.violating(&["body"]);
    let mut later_kind = provider.event("payout.created", &sale.payment).await;
    later_kind["data"] = json!([1, 2, 3]);
    provider.tell(&later_kind).await.ok();

    assert_eq!(provider.row(&sale.payment).await, before);
    assert_eq!(sale.status().await, "PENDING_PAYMENT");
    provider.tell(&fitting).await.ok();
    sale.await_status(&world, "PAID").await;
}
