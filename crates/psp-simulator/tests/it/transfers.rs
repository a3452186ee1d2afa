//! Transfers (payouts).

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{error_code, merchant, received, start, verified};

fn transfer() -> Value {
    json!({ "amount_minor": 9_000, "currency": "EUR", "destination": "hotel-7", "reference": "po-1" })
}

#[tokio::test]
async fn transfer_is_idempotent_and_publishes_event() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let ask = |key: &'static str, body: Value| simulator.api("/v1/transfers", key, &body);
    let made = ask("t", transfer()).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    let again: Value = ask("t", transfer()).send().await.unwrap().json().await.unwrap();
    assert_eq!((&made, &made["status"]), (&again, &json!("paid")));
    let path = format!("/v1/transfers/{}", made["id"].as_str().unwrap());
    let fetched: Value = simulator.get(&path).send().await.unwrap().json().await.unwrap();
    assert_eq!(fetched, made);
    let event = verified(&received(&merchant, 1).await[0]);
    assert_eq!(event["type"], "transfer.paid");
    assert_eq!(
        event["data"],
        json!({ "transfer": made["id"], "reference": "po-1", "amount_minor": 9_000, "currency": "EUR", "destination": "hotel-7" })
    );

    let mut other = transfer();
    other["amount_minor"] = json!(1);
    assert_eq!(error_code(ask("t", other)).await, (StatusCode::CONFLICT, "idempotency_key_reused".into()));
    let mut nowhere = transfer();
    nowhere["destination"] = json!("fail");
    let failed: Value = ask("f", nowhere).send().await.unwrap().json().await.unwrap();
    assert_eq!(failed["status"], "failed");
    assert_eq!(verified(&received(&merchant, 2).await[1])["type"], "transfer.failed");
    assert_eq!(error_code(simulator.get("/v1/transfers/tr_x")).await, (StatusCode::NOT_FOUND, "not_found".into()));
}

#[tokio::test]
async fn invalid_transfers_are_refused() {
    let simulator = start(None).await;
    for (field, value) in [
        ("amount_minor", json!(0)),
        ("amount_minor", json!(i64::MAX)),
        ("amount_minor", json!("5")),
        ("currency", json!("XXX")),
        ("destination", json!("")),
        ("destination", json!("x".repeat(201))),
        ("reference", json!("")),
        ("reference", json!(null)),
        ("surprise", json!(1)),
    ] {
        let mut body = transfer();
        body[field] = value;
        let (status, code) = error_code(simulator.api("/v1/transfers", "k", &body)).await;
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "invalid_request"), "{body}");
    }
    let keyless =
        simulator.http.post(format!("{}/v1/transfers", simulator.url)).bearer_auth("sk_test").json(&transfer());
    assert_eq!(error_code(keyless).await.0, StatusCode::BAD_REQUEST);
    let stranger = simulator.http.post(format!("{}/v1/transfers", simulator.url)).json(&transfer());
    assert_eq!(error_code(stranger).await.0, StatusCode::UNAUTHORIZED);
}
