//! Checkout, refund, webhook delivery and invalid requests over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::support::{error_code, order, received, start, verified};

#[tokio::test]
async fn checkout_page_takes_a_payment() {
    let simulator = start(None).await;
    let session = simulator.create("k", &order()).await;
    let answer = simulator.http.get(session["url"].as_str().unwrap()).send().await.unwrap();
    assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = answer.text().await.unwrap();
    for shown in ["EUR 120.50", "p-&lt;b&gt;1&lt;/b&gt;", "&lt;script&gt;alert(1)", "4242 4242 4242 4242"] {
        assert!(page.contains(shown), "{shown} is missing in {page}");
    }
    assert!(!page.contains("<script"));

    let (status, text) = simulator.press(&session, "pay", Some("4000 0000 0000 9995")).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    assert!(text.contains("not enough money") && text.contains("4 tries are left"), "{text}");
    let (status, text) = simulator.press(&session, "pay", Some("5555 5555 5555 4444")).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    assert!(text.contains("not a test card") && !text.contains("5555"), "a card number must not come back");
    assert_eq!(simulator.status(&session).await, "open");

    let (status, text) = simulator.press(&session, "pay", Some("4242 4242 4242 4242")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("https://hotel.example/?a=&quot;1&quot;&amp;b=&lt;2&gt;"), "{text}");
    assert_eq!(simulator.status(&session).await, "paid");
    assert_eq!(simulator.press(&session, "decline", None).await.0, StatusCode::OK, "paid stays paid");
}

#[tokio::test]
async fn declining_and_expiring_end_a_page() {
    let simulator = start(None).await;
    let declined = simulator.create("a", &order()).await;
    assert_eq!(simulator.press(&declined, "decline", None).await.0, StatusCode::PAYMENT_REQUIRED);
    let refused = simulator.create("b", &order()).await;
    assert_eq!(simulator.press(&refused, "pay", Some("4000000000000002")).await.0, StatusCode::PAYMENT_REQUIRED);
    let closed = simulator.create("c", &order()).await;
    let path = format!("/v1/checkout_sessions/{}/expire", closed["id"].as_str().unwrap());
    let answer: Value = simulator.api(&path, "", &json!({})).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "expired");
    assert_eq!(simulator.press(&closed, "pay", None).await.0, StatusCode::GONE);
    for (session, status) in [(declined, "failed"), (refused, "failed"), (closed, "expired")] {
        assert!(!simulator.press(&session, "pay", None).await.0.is_success());
        assert_eq!(simulator.status(&session).await, status);
    }
    let nowhere = simulator.http.get(format!("{}/checkout/pay_nope", simulator.url)).send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn invalid_requests_are_refused() {
    let simulator = start(None).await;
    let path = "/v1/checkout_sessions";
    let changed = |field: &str, value: Value| {
        let mut order = order();
        order[field] = value;
        order
    };
    for bad in [
        changed("amount_minor", json!(0)),
        changed("amount_minor", json!(-5)),
        changed("amount_minor", json!(i64::MAX)),
        changed("amount_minor", json!(1.5)),
        changed("currency", json!("XXX")),
        changed("reference", json!("")),
        changed("description", json!("x".repeat(501))),
        changed("return_url", json!("javascript:alert(1)")),
        changed("webhook_url", json!("file:///etc/passwd")),
        changed("expires_at", json!(1)),
        changed("expires_at", json!(i64::MAX)),
        changed("simulate", json!("webhook=explode")),
        changed("return_url", json!("https://a.example/?psp_simulate=webhook")),
        changed("surprise", json!(1)),
    ] {
        let (status, code) = error_code(simulator.api(path, "k", &bad)).await;
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "invalid_request"), "{bad}");
    }
    let order = order();
    let without_key = simulator.http.post(format!("{}{path}", simulator.url)).bearer_auth("sk_test").json(&order);
    assert_eq!(error_code(without_key).await.0, StatusCode::BAD_REQUEST);
    let stranger = simulator.http.post(format!("{}{path}", simulator.url)).bearer_auth("sk_wrong").json(&order);
    assert_eq!(error_code(stranger).await.0, StatusCode::UNAUTHORIZED);

    let first = simulator.create("k", &order).await;
    assert_eq!(simulator.create("k", &order).await, first);
    let reused = simulator.api(path, "k", &changed("amount_minor", json!(1)));
    assert_eq!(error_code(reused).await, (StatusCode::CONFLICT, "idempotency_key_reused".to_owned()));
}

#[tokio::test]
async fn refunds_are_idempotent_and_bounded() {
    let simulator = start(None).await;
    let session = simulator.create("k", &order()).await;
    let ask = |key: &'static str, amount: i64| {
        simulator.api("/v1/refunds", key, &json!({ "session": session["id"], "amount_minor": amount }))
    };
    assert_eq!(error_code(ask("r1", 50)).await.1, "not_paid");
    simulator.press(&session, "pay", None).await;
    let first: Value = ask("r1", 12_000).send().await.unwrap().json().await.unwrap();
    let again: Value = ask("r1", 12_000).send().await.unwrap().json().await.unwrap();
    assert_eq!((&first, first["status"].as_str()), (&again, Some("succeeded")));
    assert_eq!(error_code(ask("r1", 50)).await.1, "idempotency_key_reused");
    assert_eq!(error_code(ask("r2", 51)).await.1, "refund_exceeds_payment");
    assert_eq!(error_code(ask("r3", 0)).await.1, "invalid_request");
}

#[tokio::test]
async fn webhooks_are_signed_and_retried_until_accepted() {
    let merchant = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(500)).up_to_n_times(2).mount(&merchant).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&merchant).await;
    let simulator = start(Some(&merchant.uri())).await;
    let session = simulator.create("k", &order()).await;
    simulator.press(&session, "pay", None).await;
    let requests = received(&merchant, 3).await;
    let events: Vec<Value> = requests.iter().map(verified).collect();
    assert!(events.iter().all(|event| event == &events[0]), "a retry is the same event");
    assert_eq!(events[0]["type"], "checkout.paid");
    assert_eq!(
        events[0]["data"],
        json!({ "session": session["id"], "reference": "p-<b>1</b>", "amount_minor": 12_050, "currency": "EUR" })
    );

    let refund = json!({ "session": session["id"], "amount_minor": 50, "reference": "r-1" });
    let made: Value = simulator.api("/v1/refunds", "r", &refund).send().await.unwrap().json().await.unwrap();
    let event = verified(&received(&merchant, 4).await[3]);
    assert_eq!(event["type"], "refund.succeeded");
    assert_eq!(event["data"]["refund"], json!({ "id": made["id"], "amount_minor": 50, "reference": "r-1" }));
}

#[tokio::test]
async fn unpaid_page_expires_and_says_so() {
    let merchant = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&merchant).await;
    let simulator = start(None).await;
    let mut order = order();
    // Later than the request arrives, on a busy machine as well.
    order["expires_at"] = json!(jiff::Timestamp::now().as_second() + 5);
    order["webhook_url"] = json!(merchant.uri());
    let session = simulator.create("k", &order).await;
    assert_eq!(verified(&received(&merchant, 1).await[0])["type"], "checkout.expired");
    assert_eq!(simulator.status(&session).await, "expired");
}
