//! Clients of the simulator for merchant and guest, and a webhook receiver.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use staymesh_psp_simulator::{Config, FaultConfig, serve_on};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

pub(crate) const SECRET: &str = "whsec_for_tests_only";

pub(crate) struct Simulator {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    _stop: Option<DropGuard>,
}

pub(crate) async fn start(webhook_url: Option<&str>) -> Simulator {
    start_with(config(webhook_url)).await
}

pub(crate) fn config(webhook_url: Option<&str>) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        api_key: "sk_test".into(),
        webhook_url: webhook_url.map(|url| url.parse().unwrap()),
        webhook_secret: SECRET.into(),
        webhook_attempts: 5,
        webhook_backoff: Duration::from_millis(10),
        max_sessions: 100,
        review_seconds: None,
        faults: FaultConfig::default(),
        state: None,
    }
}

pub(crate) async fn start_with(config: Config) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = stop.clone();
    tokio::spawn(async move { serve_on(listener, config, serving).await.unwrap() });
    Simulator { url, http: reqwest::Client::new(), _stop: Some(stop.drop_guard()) }
}

/// A client of a simulator in another process.
pub(crate) fn client_of(url: String) -> Simulator {
    Simulator { url, http: reqwest::Client::new(), _stop: None }
}

pub(crate) fn order() -> Value {
    json!({
        "amount_minor": 12_050, "currency": "EUR", "reference": "p-<b>1</b>",
        "description": "<script>alert(1)</script> & co", "return_url": "https://hotel.example/?a=\"1\"&b=<2>",
        "expires_at": jiff::Timestamp::now().as_second() + 600,
    })
}

impl Simulator {
    pub(crate) fn api(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).bearer_auth("sk_test").header("idempotency-key", key).json(body)
    }

    pub(crate) async fn create(&self, key: &str, order: &Value) -> Value {
        let answer = self.api("/v1/checkout_sessions", key, order).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.unwrap()
    }

    pub(crate) async fn press(&self, session: &Value, verb: &str, card: Option<&str>) -> (StatusCode, String) {
        let request = self.http.post(format!("{}/{verb}", session["url"].as_str().unwrap()));
        let request = if let Some(card) = card { request.form(&[("card_number", card)]) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Chooses on the page to approve or to reject.
    pub(crate) async fn choose(&self, session: &Value, verb: &str, decision: &str) -> (StatusCode, String) {
        let url = format!("{}/{verb}", session["url"].as_str().unwrap());
        let answer = self.http.post(url).form(&[("decision", decision)]).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).bearer_auth("sk_test")
    }

    pub(crate) async fn status(&self, session: &Value) -> Value {
        let url = format!("{}/v1/checkout_sessions/{}", self.url, session["id"].as_str().unwrap());
        let answer = self.http.get(url).bearer_auth("sk_test").send().await.unwrap();
        answer.json::<Value>().await.unwrap()["status"].clone()
    }
}

pub(crate) async fn error_code(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json::<Value>().await.unwrap()["error"]["code"].as_str().unwrap().to_owned())
}

/// Waits until the merchant has received `count` requests.
pub(crate) async fn received(merchant: &MockServer, count: usize) -> Vec<Request> {
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

/// The event of a request, after a check of its signature.
pub(crate) fn verified(request: &Request) -> Value {
    let header = request.headers["psp-signature"].to_str().unwrap();
    let (t, v1) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{t}.").as_bytes());
    mac.update(&request.body);
    mac.verify_slice(&hex::decode(v1).unwrap()).unwrap();
    assert!((jiff::Timestamp::now().as_second() - t.parse::<i64>().unwrap()).abs() < 30);
    serde_json::from_slice(&request.body).unwrap()
}

/// A merchant that answers every event with success.
pub(crate) async fn merchant() -> MockServer {
    let merchant = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&merchant).await;
    merchant
}

/// The types of the events, in order of arrival.
pub(crate) fn kinds(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| verified(request)["type"].as_str().unwrap().to_owned()).collect()
}
