use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, query_param},
};

use super::{
    adapter, form, requests,
    shapes::{error, event, list},
};
use crate::{
    Provider, Psp, PspError, TransferOrder, TransferOutcome, Transferred,
    event::{EventEnvelope, ProviderEvent, TransferData},
    testing::eur,
};

const TRANSFER: &str = "tr_1MiN3gLkdIwHu7ixNCZvFdgA";

fn order() -> TransferOrder {
    TransferOrder { transfer_id: Uuid::now_v7(), destination: "acct_1MTfjCQ9PRzxEwkZ".into(), amount: eur(40_000) }
}

/// A transfer with the attributes that Stripe's reference documents.
fn made(group: &str, amount: i64) -> Value {
    json!({
        "id": TRANSFER,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": "txn_1MiN3gLkdIwHu7ixxapQrznl",
        "created": 1_678_043_844,
        "currency": "eur",
        "description": null,
        "destination": "acct_1MTfjCQ9PRzxEwkZ",
        "destination_payment": "py_1MiN3gQ9PRzxEwkZWTPGNq9o",
        "livemode": false,
        "metadata": {},
        "reversals": { "object": "list", "data": [], "has_more": false, "url": format!("/v1/transfers/{TRANSFER}/reversals") },
        "reversed": false,
        "source_transaction": null,
        "source_type": "card",
        "transfer_group": group,
    })
}

/// Stripe with these transfers of the group, and this response to a request for another.
async fn stripe(group: &str, before: &[Value], answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/transfers"))
        .and(query_param("transfer_group", group))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(before, false)))
        .mount(&server)
        .await;
    Mock::given(method("POST")).and(path("/v1/transfers")).respond_with(answer).mount(&server).await;
    server
}

fn paid() -> Transferred {
    Transferred { psp_transfer: TRANSFER.into(), outcome: TransferOutcome::Paid }
}

#[tokio::test]
async fn transfer_is_made_to_the_connected_account() {
    let order = order();
    let id = order.transfer_id.to_string();
    let stripe = stripe(&id, &[], ResponseTemplate::new(200).set_body_json(made(&id, 40_000))).await;
    assert_eq!(adapter(&stripe.uri()).transfer(order).await, Ok(paid()));
    let posts: Vec<_> = requests(&stripe).await.into_iter().filter(|request| request.method == "POST").collect();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].headers["idempotency-key"], id.as_str());
    let expected =
        [("amount", "40000"), ("currency", "eur"), ("destination", "acct_1MTfjCQ9PRzxEwkZ"), ("transfer_group", &id)];
    assert_eq!(form(&posts[0]), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn transfer_that_exists_is_not_made_twice() {
    let order = order();
    let id = order.transfer_id.to_string();
    let stripe = stripe(&id, &[made(&id, 40_000)], ResponseTemplate::new(500)).await;
    assert_eq!(adapter(&stripe.uri()).transfer(order).await, Ok(paid()));
    assert!(requests(&stripe).await.iter().all(|request| request.method == "GET"));
}

#[rstest]
#[case::no_money(400, Some("balance_insufficient"), PspError::Refused("balance_insufficient".into()))]
#[case::unknown_account(400, Some("resource_missing"), PspError::Refused("resource_missing".into()))]
#[case::in_progress(409, None, PspError::Unknown("a call with the same idempotency key is in progress"))]
#[case::broken(500, None, PspError::Unknown("it failed with a server error"))]
#[tokio::test]
async fn transfer_maps_each_failure_to_its_error(
    #[case] status: u16,
    #[case] code: Option<&str>,
    #[case] expected: PspError,
) {
    let order = order();
    let answer = ResponseTemplate::new(status).set_body_json(error("invalid_request_error", code));
    let stripe = stripe(&order.transfer_id.to_string(), &[], answer).await;
    assert_eq!(adapter(&stripe.uri()).transfer(order).await, Err(expected));
}

#[tokio::test]
async fn transfer_with_other_amount_fails_and_reversed_one_is_reported() {
    let order = order();
    let id = order.transfer_id.to_string();
    let other = stripe(&id, &[made(&id, 39_999)], ResponseTemplate::new(500)).await;
    let answer = adapter(&other.uri()).transfer(order.clone()).await;
    assert_eq!(answer, Err(PspError::Unknown("the transfer has another amount")));
    let mut reversed = made(&id, 40_000);
    reversed["reversed"] = json!(true);
    let back = stripe(&id, &[reversed], ResponseTemplate::new(500)).await;
    assert_eq!(adapter(&back.uri()).transfer(order).await.unwrap().outcome, TransferOutcome::Reversed);
}

#[rstest]
#[case("transfer.created", TransferOutcome::Paid)]
#[case("transfer.reversed", TransferOutcome::Reversed)]
fn transfer_event_is_ignored_unless_ours(#[case] kind: &str, #[case] outcome: TransferOutcome) {
    let parsed = |object: &Value| {
        let event = event("evt_1", kind, object).to_string();
        Provider::Stripe.parse_event(&EventEnvelope::parse(event.as_bytes()).unwrap()).unwrap()
    };
    let id = Uuid::now_v7();
    let data = TransferData { transfer: TRANSFER.into(), reference: id, amount_minor: 40_000, currency: "EUR".into() };
    assert_eq!(parsed(&made(&id.to_string(), 40_000)), ProviderEvent::Transfer(data, outcome));
    for group in [json!("ORDER95"), json!(null)] {
        let mut foreign = made("", 40_000);
        foreign["transfer_group"] = group;
        assert_eq!(parsed(&foreign), ProviderEvent::Ignored);
    }
}
