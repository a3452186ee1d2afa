//! `/v1/payments` and the provider's webhook. The flow of money is tested in `money`.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{all_pages, assert_just_now, with};
use crate::support::{Answer, Rest, Stay, World, eventually};

fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

fn path_of(payment: &Value) -> String {
    format!("/v1/payments/{}", payment["payment_id"].as_str().expect("an id"))
}

async fn open(payer: &Rest, booked: &Value) -> Value {
    payer.post("/v1/payments", json!({ "reservation_id": booked["reservation_id"] })).await.ok()
}

/// Pays on the checkout page, and waits until the payment is paid.
async fn pay(payer: &Rest, payment: &Value) -> Value {
    let page = payment["checkout_url"].as_str().expect("a page");
    let form = [("card_number", "4242424242424242")];
    let paid = Client::new().post(format!("{page}/pay")).form(&form).send().await.expect("an answer");
    assert!(paid.status().is_success(), "{}", paid.status());
    await_status(payer, payment, "PAYMENT_STATUS_PAID").await
}

async fn await_status(reader: &Rest, payment: &Value, status: &str) -> Value {
    eventually(status, async || {
        let now = reader.get(&path_of(payment)).await.ok();
        (now["status"] == status).then_some(now)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_is_created_once_and_read_by_payer_and_staff() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (guest, stranger) = (world.guest().await, world.guest().await);
    let booked = world.book(&guest, hotel, &Stay::ahead(30, 2)).await;
    let payment = open(&guest, &booked).await;
    let expected = json!({
        "payment_id": payment["payment_id"], "reservation_id": booked["reservation_id"], "amount": euros("200.00"),
        "status": "PAYMENT_STATUS_PENDING", "checkout_url": payment["checkout_url"],
        "expire_time": payment["expire_time"], "refunded_amount": euros("0.00"), "refunds": [],
        "create_time": payment["create_time"], "update_time": payment["update_time"], "in_review": false,
        "revision": 1, "method": "PAYMENT_METHOD_PROVIDER", "desk_reference": "",
    });
    assert_eq!(payment, expected);
    assert_just_now(&payment["create_time"]);
    assert!(payment["checkout_url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    assert_eq!(open(&guest, &booked).await["payment_id"], payment["payment_id"], "asking again gets the same one");
    let booking = booked["reservation_id"].as_str().expect("an id");
    let link = format!("{}/statusLink", path_of(&payment));
    let page = guest.get(&link).await.ok();
    let page = page["url"].as_str().expect("an address");
    assert!(page.starts_with(&world.public.url(&format!("/v1/statusPages/{booking}?key="))), "{page}");

    let staff = world.staff(&[hotel.hotel_id]).await;
    let foreign_staff = world.staff(&[world.hotel(1).await.hotel_id]).await;
    let path = path_of(&payment);
    for reader in [&guest, &staff, &world.admin] {
        assert_eq!(reader.get(&path).await.ok(), payment, "no field depends on the reader");
    }
    assert_eq!(staff.get(&link).await.ok()["url"], page, "for guests who pay on the page");
    let unknown = format!("/v1/payments/{}", Uuid::now_v7());
    for nosy in [&stranger, &foreign_staff, &world.partner().await] {
        let refused = nosy.get(&path).await.refused(404, "PAYMENT_NOT_FOUND");
        let nothing = nosy.get(&unknown).await.refused(404, "PAYMENT_NOT_FOUND");
        assert_eq!(refused.body["message"], nothing.body["message"]);
    }
    for stranger in [&stranger, &world.partner().await] {
        stranger.get(&link).await.refused(404, "PAYMENT_NOT_FOUND");
    }
    guest.get("/v1/payments/mine/statusLink").await.violating(&["payment_id"]);
    guest.get("/v1/payments/mine").await.violating(&["payment_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn create_payment_refuses_reservation_that_cannot_be_paid() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let (guest, stranger) = (world.guest().await, world.guest().await);
    let booked = world.book(&guest, hotel, &Stay::ahead(30, 1)).await;
    let request = json!({ "reservation_id": booked["reservation_id"] });
    stranger.post("/v1/payments", request.clone()).await.refused(404, "RESERVATION_NOT_FOUND");
    let unknown = json!({ "reservation_id": "01a20117-0477-8fc8-b07f-612c77359400" });
    guest.post("/v1/payments", unknown).await.refused(404, "RESERVATION_NOT_FOUND");
    for no_id in [json!({}), json!({ "reservation_id": "mine" }), json!({ "reservation_id": Uuid::new_v4() })] {
        guest.post("/v1/payments", no_id).await.violating(&["reservation_id"]);
    }
    let endless = format!("https://staymesh.example/{}", "x".repeat(2_000));
    let misspelt = "https://staymesh.example/?psp_simulate=webhook%3Dexplode";
    for nowhere in ["javascript:alert(1)", "/back", "https://", "ftp://staymesh.example", &endless, misspelt] {
        let request = with(&request, &json!({ "return_url": nowhere }));
        guest.post("/v1/payments", request).await.violating(&["return_url"]);
    }
    // Refused requests do not block a later payment.
    let payment =
        guest.post("/v1/payments", with(&request, &json!({ "return_url": "https://staymesh.example" }))).await.ok();
    assert!(!payment["checkout_url"].as_str().expect("a page").is_empty());
    let id = booked["reservation_id"].as_str().expect("an id");
    guest.delete(&format!("/v1/reservations/{id}")).await.ok();
    guest.post("/v1/payments", request).await.refused(400, "RESERVATION_NOT_PAYABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_refund_is_limited_to_amount_paid() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let booked = world.book(&guest, hotel, &Stay::ahead(30, 1)).await;
    let payment = open(&guest, &booked).await;
    let path = format!("{}:refund", path_of(&payment));
    let some = |amount: &str| json!({ "amount": euros(amount), "request_id": Uuid::new_v4() });
    world.admin.post(&path, some("1.00")).await.refused(400, "REFUND_EXCEEDS_PAYMENT");
    let paid = pay(&guest, &payment).await;
    assert_eq!((&paid["checkout_url"], &paid["refunded_amount"]), (&json!(""), &euros("0.00")));

    let first = some("30.00");
    for _ in 0..2 {
        let answer = world.admin.post(&path, first.clone()).await.ok();
        assert_eq!(answer["payment_id"], payment["payment_id"]);
    }
    let refunded = await_status(&guest, &payment, "PAYMENT_STATUS_PARTIALLY_REFUNDED").await;
    assert_eq!(refunded["refunded_amount"], euros("30.00"), "a repeat pays back once");
    world.admin.post(&path, some("70.01")).await.refused(400, "REFUND_EXCEEDS_PAYMENT");
    world.admin.post(&path, json!({ "request_id": Uuid::new_v4() })).await.ok();
    eventually("the rest is back", async || {
        let now = guest.get(&path_of(&payment)).await.ok();
        (now["refunded_amount"] == euros("100.00")).then_some(())
    })
    .await;

    world.admin.post(&path, json!({})).await.violating(&["request_id"]);
    for amount in ["-1.00", "1.001"] {
        world.admin.post(&path, some(amount)).await.violating(&["amount.amount"]);
    }
    let unknown = format!("/v1/payments/{}:refund", Uuid::now_v7());
    world.admin.post(&unknown, some("1.00")).await.refused(404, "PAYMENT_NOT_FOUND");
    world.admin.post("/v1/payments/mine:refund", some("1.00")).await.violating(&["payment_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_hotel_are_listed_newest_first() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let staff = world.staff(&[hotel.hotel_id]).await;
    let mut opened = Vec::new();
    for days in 30..33 {
        let booked = world.book(&guest, hotel, &Stay::ahead(days, 1)).await;
        opened.push(open(&guest, &booked).await["payment_id"].clone());
    }
    opened.reverse();
    let path = format!("/v1/hotels/{}/payments?", hotel.hotel_id);
    let ids = |payments: Vec<Value>| payments.iter().map(|p| p["payment_id"].clone()).collect::<Vec<_>>();
    for page_size in [1, 2, 3] {
        assert_eq!(ids(all_pages(&staff, &path, "payments", page_size).await), opened);
    }
    assert!(all_pages(&staff, &format!("{path}status=PAYMENT_STATUS_PAID"), "payments", 2).await.is_empty());
    let page = staff.get(&format!("{path}page_size=1")).await.ok();
    let token = page["next_page_token"].as_str().expect("a token");
    let other = format!("{path}status=PAYMENT_STATUS_PAID&page_token={token}");
    staff.get(&other).await.violating(&["page_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_refuses_event_with_invalid_signature() {
    let world = World::shared().await;
    let event = json!({ "type": "payment.paid" });
    let now = jiff::Timestamp::now().as_second();
    let signatures =
        [None, Some(String::new()), Some("nonsense".to_owned()), Some(format!("t={now},v1={}", "0".repeat(64)))];
    for signature in signatures {
        let mut request = world.public.request(Method::POST, "/v1/webhooks/simulator").json(&event);
        if let Some(signature) = signature {
            request = request.header("psp-signature", signature);
        }
        Answer::to(request).await.refused(401, "WEBHOOK_SIGNATURE_INVALID");
    }
    for other in ["psp", "stripe"] {
        world.public.post(&format!("/v1/webhooks/{other}"), event.clone()).await.refused(404, "WEBHOOK_NOT_FOUND");
    }
}
