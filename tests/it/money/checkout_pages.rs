//! The provider's checkout page: one for each reservation, and its outcomes.

use std::{collections::HashSet, fs};

use futures::future::join_all;
use serde_json::{Value, json};

use super::Sale;
use crate::support::{DECLINED_CARD, GOOD_CARD, Provider, REVIEWED_CARD, Stay, World, await_payment, eventually};

/// The provider's sessions for a payment, from the simulator's journal.
fn sessions(world: &World<'_>, payment: &Value) -> HashSet<String> {
    let logs = world.mesh.local().logs();
    let book = fs::read_to_string(logs.with_file_name("psp-simulator.jsonl")).expect("the provider's book");
    let lines = book.lines().map(|line| serde_json::from_str::<Value>(line).expect("a session"));
    lines
        .filter(|session| session["order"]["reference"] == payment["payment_id"])
        .map(|session| session["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_create_payment_opens_one_payment_and_one_checkout_page() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let guest = world.guest().await;
    let booked = world.book(&guest, world.hotel(5).await, &Stay::ahead(30, 3)).await;
    let wish = json!({ "reservation_id": booked["reservation_id"], "return_url": "https://shop.example/thanks" });
    let answers = join_all((0..20).map(|_| guest.post_until_answered("/v1/payments", wish.clone()))).await;
    let first = &answers[0];
    assert_eq!(first["amount"], json!({ "currency_code": "EUR", "amount": "300.00" }));
    assert!(!first["checkout_url"].as_str().expect("a page").is_empty());
    for answer in &answers {
        assert_eq!(answer, first);
    }
    assert_eq!(guest.post("/v1/payments", wish.clone()).await.ok(), *first, "a repeat later");
    let rows: i64 = sqlx::query_scalar("select count(*) from payment_order where reservation_id = $1::uuid")
        .bind(booked["reservation_id"].as_str())
        .fetch_one(&provider.pool)
        .await
        .expect("the payments");
    assert_eq!(rows, 1);
    assert_eq!(sessions(&world, first).len(), 1);

    assert_eq!(provider.use_card(first, GOOD_CARD).await, 200);
    await_payment(&guest, first, "PAID").await;
    guest.post("/v1/payments", wish).await.refused(400, "RESERVATION_NOT_PAYABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_of_another_account_is_not_found() {
    let world = World::shared().await;
    let sale = Sale::open(&world).await;
    let path = format!("/v1/payments/{}", sale.payment_id());
    let wish = json!({ "reservation_id": sale.reservation_id });
    for stranger in [world.guest().await, world.partner().await] {
        stranger.get(&path).await.refused(404, "PAYMENT_NOT_FOUND");
        stranger.post("/v1/payments", wish.clone()).await.refused(404, "RESERVATION_NOT_FOUND");
    }
    let elsewhere = world.staff(&[world.hotel(1).await.hotel_id]).await;
    elsewhere.get(&path).await.refused(404, "PAYMENT_NOT_FOUND");
    let here = world.staff(&[sale.hotel.hotel_id]).await;
    assert_eq!(here.get(&path).await.ok()["payment_id"], sale.payment_id());
    world.public.get(&path).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn declined_card_rejects_reservation_and_frees_rooms() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    assert_eq!(sale.rooms_taken(&world).await, [1; 3]);
    assert_eq!(provider.use_card(&sale.payment, DECLINED_CARD).await, 402);
    await_payment(&sale.guest, &sale.payment, "FAILED").await;
    sale.await_status(&world, "REJECTED").await;
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    let wish = json!({ "reservation_id": sale.reservation_id });
    sale.guest.post("/v1/payments", wish).await.refused(400, "RESERVATION_NOT_PAYABLE");
    assert_eq!(provider.use_card(&sale.payment, GOOD_CARD).await, 402, "the page has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_in_review_is_shown_as_processing() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    assert_eq!(sale.payment["in_review"], false);
    assert_eq!(provider.use_card(&sale.payment, REVIEWED_CARD).await, 202);
    let path = format!("/v1/payments/{}", sale.payment_id());
    let reviewed = eventually("the payment is in review", async || {
        let now = sale.guest.get(&path).await.ok();
        (now["in_review"] == true).then_some(now)
    })
    .await;
    assert_eq!(reviewed["status"], "PAYMENT_STATUS_PENDING");
    assert_eq!((sale.status().await.as_str(), sale.rooms_taken(&world).await), ("PENDING_PAYMENT", vec![1; 3]));
    assert_eq!(provider.decide(&sale.payment, "approve").await, 200);
    let paid = await_payment(&sale.guest, &sale.payment, "PAID").await;
    assert_eq!(paid["in_review"], false);
    sale.await_status(&world, "PAID").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_unpaid_reservation_closes_checkout_page() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    assert_eq!(sale.cancel().await["status"], "RESERVATION_STATUS_CANCELLED");
    assert_eq!(sale.rooms_taken(&world).await, [0; 3]);
    let ended = await_payment(&sale.guest, &sale.payment, "EXPIRED").await;
    assert_eq!(ended["checkout_url"], Value::String(String::new()));
    assert_eq!(provider.use_card(&sale.payment, GOOD_CARD).await, 410, "the page takes no money any more");
    sale.await_all_delivered(&world).await;
    assert_eq!(provider.row(&sale.payment).await.status, "EXPIRED");
    assert_eq!((sale.status().await.as_str(), sale.rooms_taken(&world).await), ("CANCELLED", vec![0; 3]));
}
