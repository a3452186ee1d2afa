use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::Money;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, query_param},
};

use super::{
    RETURN_URL, adapter, form, order, requests,
    shapes::{INTENT, SESSION, ended, error, intent, session},
};
use crate::{Checkout, CheckoutOrder, CheckoutStatus, Psp, PspError, testing::eur};

fn at_session() -> String {
    format!("/v1/checkout/sessions/{SESSION}")
}

async fn opening(answer: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/checkout/sessions"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn create_checkout_sends_the_same_session_form_at_every_retry() {
    let order = order();
    let id = order.payment_id.to_string();
    let server = opening(session(&id)).await;
    let made = adapter(&server.uri()).create_checkout(order.clone()).await.unwrap();
    assert_eq!((made.session.as_str(), made.status, made.amount), (SESSION, CheckoutStatus::Open, eur(12_050)));
    assert!(made.url.starts_with("https://checkout.stripe.com/c/pay/cs_test_"));
    // A retry is equal, byte for byte.
    adapter(&server.uri()).create_checkout(order.clone()).await.unwrap();

    let sent = requests(&server).await;
    assert_eq!(sent[0].headers["idempotency-key"], id.as_str());
    assert_eq!(
        (&sent[0].body, &sent[0].headers["idempotency-key"]),
        (&sent[1].body, &sent[1].headers["idempotency-key"])
    );
    let mut form = form(&sent[0]);
    let closes: i64 = form.remove("expires_at").unwrap().parse().unwrap();
    assert_eq!(closes, order.expire_time.as_second() + 31 * 60);
    let expected = [
        ("mode", "payment"),
        ("client_reference_id", &id),
        ("metadata[payment_id]", &id),
        ("payment_intent_data[metadata][payment_id]", &id),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", "eur"),
        ("line_items[0][price_data][unit_amount]", "12050"),
        ("line_items[0][price_data][product_data][name]", "Reservation <1> & more"),
        ("success_url", RETURN_URL),
        ("cancel_url", RETURN_URL),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[rstest]
#[case("JPY", 500, "jpy", "500")]
#[case("ISK", 500, "isk", "50000")]
#[case("KWD", 5_120, "kwd", "5120")]
#[tokio::test]
async fn create_checkout_sends_amounts_in_stripe_units(
    #[case] code: &str,
    #[case] minor: i64,
    #[case] currency: &str,
    #[case] amount: &str,
) {
    let money = Money::from_minor(minor, code.parse().unwrap()).unwrap();
    let order = CheckoutOrder { amount: money, return_url: "https://here.example/?a=1&b=2".into(), ..order() };
    let mut answer = session(&order.payment_id.to_string());
    answer["currency"] = json!(currency);
    answer["amount_total"] = amount.parse::<i64>().unwrap().into();
    let server = opening(answer).await;
    assert_eq!(adapter(&server.uri()).create_checkout(order).await.unwrap().amount, money);
    let form = form(&requests(&server).await[0]);
    assert_eq!(form["line_items[0][price_data][currency]"], currency);
    assert_eq!(form["line_items[0][price_data][unit_amount]"], amount);
    assert_eq!(
        (&*form["success_url"], &*form["cancel_url"]),
        ("https://here.example/?a=1&b=2", "https://here.example/?a=1&b=2")
    );
}

#[tokio::test]
async fn create_checkout_with_unsupported_amount_makes_no_request() {
    let server = opening(json!({})).await;
    let order = CheckoutOrder { amount: Money::from_minor(5_124, "KWD".parse().unwrap()).unwrap(), ..order() };
    let error = adapter(&server.uri()).create_checkout(order).await.unwrap_err();
    assert_eq!(
        error,
        PspError::UnsupportedAmount(
            "the payment provider supports this currency only in amounts whose third decimal is 0"
        )
    );
    assert!(requests(&server).await.is_empty());
}

#[rstest]
#[case::open("open", "unpaid", Value::Null, Some(CheckoutStatus::Open))]
#[case::paying("open", "unpaid", intent("", "requires_action"), Some(CheckoutStatus::Open))]
#[case::paid("complete", "paid", intent("", "succeeded"), Some(CheckoutStatus::Paid))]
#[case::debit_on_its_way("complete", "unpaid", intent("", "processing"), Some(CheckoutStatus::InReview))]
#[case::debit_that_failed("complete", "unpaid", intent("", "requires_payment_method"), Some(CheckoutStatus::Failed))]
#[case::debit_called_off("complete", "unpaid", intent("", "canceled"), Some(CheckoutStatus::Failed))]
#[case::not_expanded("complete", "unpaid", json!(INTENT), Some(CheckoutStatus::InReview))]
#[case::expired("expired", "unpaid", Value::Null, Some(CheckoutStatus::Expired))]
#[case::nothing_came("complete", "no_payment_required", Value::Null, None)]
#[case::of_another_time("postponed", "unpaid", Value::Null, None)]
#[case::or_another_world("complete", "in_kind", Value::Null, None)]
#[tokio::test]
async fn fetch_checkout_maps_session_and_intent_to_status(
    #[case] status: &str,
    #[case] payment_status: &str,
    #[case] intent: Value,
    #[case] expected: Option<CheckoutStatus>,
) {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(at_session()))
        .and(query_param("expand[]", "payment_intent"))
        .respond_with(ResponseTemplate::new(200).set_body_json(ended("", status, payment_status, intent)))
        .mount(&server)
        .await;
    let fetched = adapter(&server.uri()).fetch_checkout(SESSION.into()).await;
    let checkout =
        expected.map(|status| Checkout { session: SESSION.into(), url: String::new(), status, amount: eur(12_050) });
    assert_eq!(fetched, checkout.ok_or(PspError::Unknown("the checkout has an undocumented state")));
    assert!(requests(&server).await[0].body.is_empty());
}

#[tokio::test]
async fn expire_checkout_closes_an_open_session() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(at_session() + "/expire"))
        .respond_with(ResponseTemplate::new(200).set_body_json(ended("", "expired", "unpaid", Value::Null)))
        .expect(1)
        .mount(&server)
        .await;
    let closed = adapter(&server.uri()).expire_checkout(SESSION.into()).await.unwrap();
    assert_eq!(closed.status, CheckoutStatus::Expired);
    requests(&server).await;
}

#[rstest]
#[case::paid_meanwhile(ended("", "complete", "paid", intent("", "succeeded")), Ok(CheckoutStatus::Paid))]
#[case::debit_on_its_way(ended("", "complete", "unpaid", intent("", "processing")), Ok(CheckoutStatus::InReview))]
#[case::closed_before(ended("", "expired", "unpaid", Value::Null), Ok(CheckoutStatus::Expired))]
#[case::open_all_the_same(session(""), Err(PspError::Refused("invalid_request_error".into())))]
#[tokio::test]
async fn expire_checkout_of_ended_session_returns_its_final_state(
    #[case] found: Value,
    #[case] expected: Result<CheckoutStatus, PspError>,
) {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(at_session() + "/expire"))
        .respond_with(ResponseTemplate::new(400).set_body_json(error("invalid_request_error", None)))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(at_session()))
        .respond_with(ResponseTemplate::new(200).set_body_json(found))
        .mount(&server)
        .await;
    let closed = adapter(&server.uri()).expire_checkout(SESSION.into()).await;
    assert_eq!(closed.map(|checkout| checkout.status), expected);
}

#[tokio::test]
async fn fetch_checkout_escapes_the_session_id() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/checkout/sessions/..%2F..%2Frefunds%3Flimit=1"))
        .respond_with(
            ResponseTemplate::new(404).set_body_json(error("invalid_request_error", Some("resource_missing"))),
        )
        .expect(1)
        .mount(&server)
        .await;
    let fetched = adapter(&server.uri()).fetch_checkout("../../refunds?limit=1".into()).await;
    assert_eq!(fetched, Err(PspError::Refused("resource_missing".into())));
}
