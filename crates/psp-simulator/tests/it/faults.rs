//! Injected and random faults, as the merchant observes them.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use futures::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_psp_simulator::{Config, FaultConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Simulator, config, error_code, kinds, merchant, order, received, start, start_with, verified};

fn simulating(request: RequestBuilder, what: &str) -> RequestBuilder {
    request.header("psp-simulate", what)
}

async fn assert_no_answer(request: RequestBuilder) {
    let error = request.timeout(Duration::from_millis(500)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

/// Whether the idempotency key was used: other content is then refused.
async fn is_done(simulator: &Simulator, path: &str, key: &str, other: &Value) -> bool {
    error_code(simulator.api(path, key, other)).await.1 == "idempotency_key_reused"
}

#[rstest]
#[case("timeout-before", false)]
#[case("timeout-after", true)]
#[case("error", false)]
#[tokio::test]
async fn fault_header_affects_one_answer(#[case] fault: &str, #[case] done: bool) {
    let simulator = start(None).await;
    let session = simulator.create("paid", &order()).await;
    simulator.press(&session, "pay", None).await;
    let refund = json!({ "session": session["id"], "amount_minor": 50 });
    let transfer = json!({ "amount_minor": 5, "currency": "EUR", "destination": "d", "reference": "t" });
    for (path, body) in [("/v1/checkout_sessions", order()), ("/v1/refunds", refund), ("/v1/transfers", transfer)] {
        let request = simulating(simulator.api(path, "k", &body), &format!("answer={fault}"));
        if fault == "error" {
            assert_eq!(error_code(request).await, (StatusCode::INTERNAL_SERVER_ERROR, "simulated_error".into()));
        } else {
            assert_no_answer(request).await;
        }
        let mut other = body.clone();
        other["amount_minor"] = json!(-1);
        assert_eq!(error_code(simulator.api(path, "k", &other)).await.1, "invalid_request");
        other["amount_minor"] = json!(1);
        if done {
            assert!(is_done(&simulator, path, "k", &other).await, "{path}");
        }
        let answer = simulator.api(path, "k", &body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{path}: a repeat without the header is answered");
    }
    let path = format!("/v1/checkout_sessions/{}", session["id"].as_str().unwrap());
    if fault != "error" {
        assert_no_answer(simulating(simulator.get(&path), &format!("answer={fault}"))).await;
    }
    let unknown = simulating(simulator.get(&path), "answer=never");
    assert_eq!(error_code(unknown).await, (StatusCode::BAD_REQUEST, "invalid_request".into()));
    let stranger =
        simulator.http.get(format!("{}{path}", simulator.url)).header("psp-simulate", "answer=timeout-after");
    assert_eq!(
        error_code(stranger).await.0,
        StatusCode::UNAUTHORIZED,
        "an unauthenticated call is answered without the fault"
    );
}

#[tokio::test]
async fn order_switches_affect_first_answers_of_any_sender() {
    let simulator = start(None).await;
    let mut written = order();
    written["simulate"] = json!("answer=timeout-after, refund=timeout-after");
    let mut returned = order();
    returned["return_url"] =
        json!("https://shop.example/thanks?psp_simulate=answer%3Dtimeout-after,refund%3Dtimeout-after");
    for (key, order) in [("a", written), ("b", returned)] {
        assert_no_answer(simulator.api("/v1/checkout_sessions", key, &order)).await;
        let session = simulator.create(key, &order).await;
        simulator.press(&session, "pay", None).await;
        let refund = json!({ "session": session["id"], "amount_minor": 12_050 });
        assert_no_answer(simulator.api("/v1/refunds", &format!("{key}r"), &refund)).await;
        let answer = simulator.api("/v1/refunds", &format!("{key}r"), &refund).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let id = session["id"].as_str().unwrap();
        let now = simulator.get(&format!("/v1/checkout_sessions/{id}")).send().await.unwrap();
        assert_eq!(now.json::<Value>().await.unwrap()["refunded_minor"], 12_050, "it went back, and once");
    }
}

#[tokio::test]
async fn lost_event_never_arrives_and_duplicate_arrives_twice() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let header = |key, what: &str| simulating(simulator.api("/v1/checkout_sessions", key, &order()), what).send();
    let lost: Value = header("lost", "webhook=lose").await.unwrap().json().await.unwrap();
    let twice: Value = header("twice", "webhook=duplicate").await.unwrap().json().await.unwrap();
    for session in [&lost, &twice] {
        assert_eq!(simulator.press(session, "pay", None).await.0, StatusCode::OK);
        assert_eq!(simulator.status(session).await, "paid");
    }
    // The header of a refund takes precedence over the switches of its checkout.
    let refund = json!({ "session": lost["id"], "amount_minor": 50 });
    simulating(simulator.api("/v1/refunds", "r", &refund), "webhook=delay:0").send().await.unwrap();
    let events: Vec<Value> = received(&merchant, 3).await.iter().map(verified).collect();
    let of =
        |session: &Value| events.iter().filter(|event| event["data"]["session"] == session["id"]).collect::<Vec<_>>();
    assert_eq!(of(&twice).len(), 2);
    assert_eq!(of(&twice)[0], of(&twice)[1], "the same event, twice");
    assert_eq!(of(&lost).iter().map(|event| &event["type"]).collect::<Vec<_>>(), ["refund.succeeded"]);
}

#[tokio::test]
async fn reordered_event_arrives_after_a_later_one() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let mut order = order();
    order["simulate"] = json!("webhook=reorder");
    let switched = simulator.create("a", &order).await;
    simulator.press(&switched, "pay", None).await;
    let refund = json!({ "session": switched["id"], "amount_minor": 50 });
    simulator.api("/v1/refunds", "r", &refund).send().await.unwrap();
    assert_eq!(kinds(&received(&merchant, 2).await), ["refund.succeeded", "checkout.paid"]);
}

#[tokio::test]
async fn delayed_event_arrives_late() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let mut order = order();
    order["simulate"] = json!("webhook=delay:1");
    let session = simulator.create("a", &order).await;
    let begun = Instant::now();
    simulator.press(&session, "pay", None).await;
    assert_eq!(kinds(&received(&merchant, 1).await), ["checkout.paid"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn card_loses_webhook_event_or_page_answer() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let lost = simulator.create("a", &order()).await;
    assert_eq!(simulator.press(&lost, "pay", Some("4000 0000 0000 5001")).await.0, StatusCode::OK);
    let silent = simulator.create("b", &order()).await;
    let page = format!("{}/pay", silent["url"].as_str().unwrap());
    assert_no_answer(simulator.http.post(page).form(&[("card_number", "4000 0000 0000 5005")])).await;
    assert_eq!((simulator.status(&lost).await, simulator.status(&silent).await), (json!("paid"), json!("paid")));
    let events = received(&merchant, 1).await;
    assert_eq!(verified(&events[0])["data"]["session"], silent["id"]);
}

/// The statuses of all attempts of each call until it succeeds; `None` for a timeout.
async fn soak(seed: u64) -> Vec<Vec<Option<StatusCode>>> {
    let faults = FaultConfig { fault_seed: seed, fault_percent: 20 };
    let simulator = start_with(Config { faults, ..config(None) }).await;
    let order = order();
    let until_made = async |n: usize| {
        let mut attempts = Vec::new();
        while attempts.last() != Some(&Some(StatusCode::CREATED)) {
            assert!(attempts.len() < 30, "it never gets through");
            let request = simulator.api("/v1/checkout_sessions", &format!("k{n}"), &order);
            // Long enough for a busy machine to answer in, if it answers at all.
            let answer = request.timeout(Duration::from_secs(2)).send().await;
            attempts.push(answer.ok().map(|answer| answer.status()));
        }
        attempts
    };
    join_all((0..30).map(until_made)).await
}

#[tokio::test]
async fn fault_seed_selects_the_same_calls_in_every_run() {
    let (one, again, other) = tokio::join!(soak(1), soak(1), soak(2));
    assert_eq!(one, again);
    assert_ne!(one, other);
    let spoiled = one.iter().filter(|attempts| attempts.len() > 1).count();
    assert!((2..20).contains(&spoiled), "{spoiled} of 30");
}

#[tokio::test]
async fn withheld_answers_do_not_delay_shutdown() {
    let simulator = start(None).await;
    let mut waiting = TcpStream::connect(simulator.url.trim_start_matches("http://")).await.unwrap();
    let request = "GET /v1/transfers/tr_x HTTP/1.1\r\nhost: psp\r\nauthorization: Bearer sk_test\r\npsp-simulate: answer=timeout-before\r\n\r\n";
    waiting.write_all(request.as_bytes()).await.unwrap();
    // The withheld answer is still pending after later calls were answered.
    for _ in 0..10 {
        let later = simulator.get("/v1/transfers/tr_x").send().await.unwrap();
        assert_eq!(later.status(), StatusCode::NOT_FOUND);
    }
    let nothing = waiting.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    let begun = Instant::now();
    drop(simulator);
    let mut answer = Vec::new();
    waiting.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert!(begun.elapsed() < Duration::from_secs(4));
}
