//! Refunds: by cancellation policy and by administrators, never more than was paid.

use futures::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Sale;
use crate::support::{Answer, Books, Provider, Stay, World, await_payment, policy};

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

#[rstest]
#[case::before_the_window(30, 30, Some("300.00"))]
#[case::in_the_window(1, 30, Some("210.00"))]
#[case::in_the_window_with_nothing_left(1, 100, None)]
#[tokio::test(flavor = "multi_thread")]
async fn cancellation_refunds_amount_of_policy(#[case] days: i32, #[case] penalty: i32, #[case] back: Option<&str>) {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let hotel = world.hotel(5).await;
    let rate = json!({
        "base_price": euros("100.00"),
        "cancellation_policy": policy(48, penalty),
    });
    world.admin.put(&hotel.path("rate"), rate).await.ok();
    let sale = Sale::open_at(&world, hotel, Stay::ahead(days, 3)).await.pay(&world, &provider).await;
    sale.cancel().await;
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);

    let history = if let Some(back) = back {
        sale.await_status(&world, "REFUNDED").await;
        let status = if back == "300.00" { "REFUNDED" } else { "PARTIALLY_REFUNDED" };
        let payment = await_payment(&sale.guest, &sale.payment, status).await;
        assert_eq!((&payment["amount"], &payment["refunded_amount"]), (&euros("300.00"), &euros(back)));
        vec!["pending_payment", "paid", "cancelled", "refunded"]
    } else {
        vec!["pending_payment", "paid", "cancelled"]
    };
    // A second cancellation makes no second refund.
    sale.cancel().await;
    sale.await_all_delivered(&world).await;
    let row = provider.row(&sale.payment).await;
    assert_eq!(row.status, if back.is_some() { "REFUNDED" } else { "PAID" });
    assert_eq!(Books::of(world.mesh).await.history(&sale.reservation_id).await, history);
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_refund_is_idempotent_and_never_exceeds_amount_paid() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::paid(&world, &provider).await;
    let path = format!("/v1/payments/{}:refund", sale.payment_id());
    let ask = async |request_id: Uuid, amount: Option<&str>| {
        let mut wish = json!({ "request_id": request_id });
        if let Some(amount) = amount {
            wish["amount"] = euros(amount);
        }
        world.admin.post(&path, wish).await
    };
    let wish = json!({ "request_id": Uuid::new_v4(), "amount": euros("1.00") });
    sale.guest.post(&path, wish.clone()).await.refused(403, "INTERNAL_ROUTE");
    let staff = world.staff(&[sale.hotel.hotel_id]).await;
    staff.post(&path, wish).await.refused(403, "ACCESS_DENIED");

    let first = Uuid::new_v4();
    for answer in join_all((0..10).map(|_| ask(first, Some("120.00")))).await {
        answer.ok();
    }
    let part = await_payment(&sale.guest, &sale.payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(part["refunded_amount"], euros("120.00"));
    assert_eq!((&part["refunds"][0]["amount"], part["refunds"].as_array().map(Vec::len)), (&euros("120.00"), Some(1)));
    ask(first, Some("120.01")).await.refused(400, "REQUEST_ID_REUSED");
    ask(first, None).await.refused(400, "REQUEST_ID_REUSED");
    ask(Uuid::new_v4(), Some("180.01")).await.refused(400, "REFUND_EXCEEDS_PAYMENT");
    ask(Uuid::new_v4(), Some("-1.00")).await.violating(&["amount.amount"]);
    let dollars = json!({ "request_id": Uuid::new_v4(), "amount": { "currency_code": "USD", "amount": "1.00" } });
    world.admin.post(&path, dollars).await.violating(&["amount.currency_code"]);

    // Six of the ten requests fit into the remaining amount.
    let many = join_all((0..10).map(|_| ask(Uuid::new_v4(), Some("30.00")))).await;
    let (taken, refused): (Vec<Answer>, Vec<Answer>) = many.into_iter().partition(|answer| answer.status.is_success());
    assert_eq!((taken.len(), refused.len()), (6, 4));
    for answer in refused {
        answer.refused(400, "REFUND_EXCEEDS_PAYMENT");
    }
    ask(Uuid::new_v4(), None).await.refused(400, "REFUND_EXCEEDS_PAYMENT");
    sale.await_all_delivered(&world).await;
    let all = await_payment(&sale.guest, &sale.payment, "REFUNDED").await;
    assert_eq!(all["refunded_amount"], euros("300.00"));
    // A goodwill refund does not cancel the reservation.
    assert_eq!((sale.status().await.as_str(), sale.rooms_taken(&world).await), ("PAID", vec![1; 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_after_partial_refund_refunds_the_remainder() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::paid(&world, &provider).await;
    let path = format!("/v1/payments/{}:refund", sale.payment_id());
    world.admin.post(&path, json!({ "request_id": Uuid::new_v4(), "amount": euros("100.00") })).await.ok();
    await_payment(&sale.guest, &sale.payment, "PARTIALLY_REFUNDED").await;
    sale.await_all_delivered(&world).await;
    sale.cancel().await;
    sale.await_status(&world, "REFUNDED").await;
    sale.await_all_delivered(&world).await;
    let row = provider.row(&sale.payment).await;
    assert_eq!((row.status.as_str(), row.refund_requested_minor, row.refunded_minor), ("REFUNDED", 30_000, 30_000));
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
}

#[rstest]
#[case::more_than_policy("210.00", false, 21_000)]
#[case::less_than_policy("60.00", false, 15_000)]
#[case::goodwill_on_top("60.00", true, 21_000)]
#[tokio::test(flavor = "multi_thread")]
async fn cancel_after_partial_refund_keeps_penalty(#[case] before: &str, #[case] goodwill: bool, #[case] back: i64) {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let hotel = world.hotel(5).await;
    let rate = json!({
        "base_price": euros("100.00"),
        "cancellation_policy": policy(48, 50),
    });
    world.admin.put(&hotel.path("rate"), rate).await.ok();
    let sale = Sale::open_at(&world, hotel, Stay::ahead(1, 3)).await.pay(&world, &provider).await;
    let path = format!("/v1/payments/{}:refund", sale.payment_id());
    let wish = json!({ "request_id": Uuid::new_v4(), "amount": euros(before), "goodwill": goodwill });
    world.admin.post(&path, wish).await.ok();
    sale.cancel().await;
    sale.await_status(&world, "REFUNDED").await;
    sale.await_all_delivered(&world).await;
    let row = provider.row(&sale.payment).await;
    assert_eq!((row.refund_requested_minor, row.refunded_minor), (back, back));
    // The penalty is given back as goodwill only.
    let more = |goodwill: bool| json!({ "request_id": Uuid::new_v4(), "amount": euros("1.00"), "goodwill": goodwill });
    world.admin.post(&path, more(false)).await.refused(400, "REFUND_EXCEEDS_PAYMENT");
    world.admin.post(&path, more(true)).await.ok();
}
