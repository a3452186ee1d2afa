use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use staymesh_psp_simulator::{Config, serve_on};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

const SECRET: &str = "whsec_for_tests_only";

struct Simulator {
    url: String,
    http: reqwest::Client,
    _stop: DropGuard,
}

async fn start(webhook_url: Option<&str>) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        api_key: "sk_test".into(),
        webhook_url: webhook_url.map(|url| url.parse().unwrap()),
        webhook_secret: SECRET.into(),
        webhook_attempts: 5,
        webhook_backoff: Duration::from_millis(10),
        max_sessions: 100,
        state: None,
    };
    let serving = stop.clone();
    tokio::spawn(async move { serve_on(listener, config, serving).await.unwrap() });
    Simulator { url, http: reqwest::Client::new(), _stop: stop.drop_guard() }
}

fn order() -> Value {
    json!({
        "amount_minor": 12_050, "currency": "EUR", "reference": "p-<b>1</b>",
        "description": "<script>alert(1)</script> & co", "return_url": "https://hotel.example/?a=\"1\"&b=<2>",
        "expires_at": jiff::Timestamp::now().as_second() + 600,
    })
}

impl Simulator {
    fn api(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth("sk_test").header("idempotency-key", key).json(body)
    }

    async fn create(&self, key: &str, order: &Value) -> Value {
        let answer = self.api("/v1/checkout_sessions", key, order).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.unwrap()
    }

    async fn press(&self, session: &Value, verb: &str, card: Option<&str>) -> (StatusCode, String) {
        let request = self.http.post(format!("{}/{verb}", session["url"].as_str().unwrap()));
        let request = if let Some(card) = card { request.form(&[("card_number", card)]) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn status(&self, session: &Value) -> Value {
        let url = format!("{}/v1/checkout_sessions/{}", self.url, session["id"].as_str().unwrap());
        let answer = self.http.get(url).bearer_auth("sk_test").send().await.unwrap();
        answer.json::<Value>().await.unwrap()["status"].clone()
    }
}

async fn error_code(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json::<Value>().await.unwrap()["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_guest_pays_on_the_page() {
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
    assert!(text.contains("Try another"));
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
async fn what_does_not_fit_is_refused() {
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
async fn webhooks_are_signed_and_sent_until_taken() {
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
async fn a_page_nobody_pays_expires_by_itself_and_says_so() {
    let merchant = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&merchant).await;
    let simulator = start(None).await;
    let mut order = order();
    order["expires_at"] = json!(jiff::Timestamp::now().as_second() + 1);
    order["webhook_url"] = json!(merchant.uri());
    let session = simulator.create("k", &order).await;
    assert_eq!(verified(&received(&merchant, 1).await[0])["type"], "checkout.expired");
    assert_eq!(simulator.status(&session).await, "expired");
}

/// Waits until the merchant got so many requests.
async fn received(merchant: &MockServer, count: usize) -> Vec<Request> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let requests = merchant.received_requests().await.unwrap();
        if requests.len() >= count {
            return requests;
        }
        assert!(Instant::now() < deadline, "{} webhooks instead of {count}", requests.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The event, if its signature is right.
fn verified(request: &Request) -> Value {
    let header = request.headers["psp-signature"].to_str().unwrap();
    let (t, v1) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{t}.").as_bytes());
    mac.update(&request.body);
    mac.verify_slice(&hex::decode(v1).unwrap()).unwrap();
    assert!((jiff::Timestamp::now().as_second() - t.parse::<i64>().unwrap()).abs() < 30);
    serde_json::from_slice(&request.body).unwrap()
}
