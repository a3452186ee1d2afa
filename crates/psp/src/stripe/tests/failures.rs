use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use rstest::rstest;
use serde_json::json;
use tokio::net::TcpListener;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::{
    adapter, order, patient, requests,
    shapes::{SESSION, error, session},
};
use crate::{Checkout, CheckoutOrder, Psp, PspError};

const SERVER_ERROR: PspError = PspError::Unknown("it failed with a server error");

async fn answering(response: ResponseTemplate) -> Result<Checkout, PspError> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    adapter(&server.uri()).create_checkout(order()).await
}

fn with(status: u16, kind: &str, code: Option<&str>) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(error(kind, code))
}

#[rstest]
#[case::refused(with(400, "invalid_request_error", Some("amount_too_small")), PspError::Refused("amount_too_small".into()))]
#[case::without_code(with(400, "invalid_request_error", None), PspError::Refused("invalid_request_error".into()))]
#[case::another_order(with(400, "idempotency_error", None), PspError::Refused("idempotency_error".into()))]
#[case::declined(with(402, "card_error", Some("card_declined")), PspError::Refused("card_declined".into()))]
#[case::unknown_to_it(with(404, "invalid_request_error", Some("resource_missing")), PspError::Refused("resource_missing".into()))]
#[case::refused_without_json(ResponseTemplate::new(400).set_body_string("<html>"), PspError::Refused("http_400".into()))]
#[case::malformed_code(with(400, "x", Some("A Guest <guest@example.com>")), PspError::Refused("http_400".into()))]
#[case::wrong_key(with(401, "invalid_request_error", None), PspError::Unavailable("the API key is rejected"))]
#[case::key_without_right(with(403, "invalid_request_error", None), PspError::Unavailable("the API key is rejected"))]
#[case::busy(with(429, "invalid_request_error", Some("rate_limit")), PspError::Unavailable("it is overloaded"))]
#[case::in_progress(
    with(409, "idempotency_error", Some("idempotency_key_in_use")),
    PspError::Unknown("a call with the same idempotency key is in progress")
)]
#[case::failed_dependency(with(424, "api_error", None), SERVER_ERROR)]
#[case::timeout(ResponseTemplate::new(408), SERVER_ERROR)]
#[case::broken(with(500, "api_error", None), SERVER_ERROR)]
#[case::gateway(ResponseTemplate::new(502).set_body_string("<html>"), SERVER_ERROR)]
#[case::down(ResponseTemplate::new(503), SERVER_ERROR)]
#[case::late(ResponseTemplate::new(504), SERVER_ERROR)]
#[case::redirect(ResponseTemplate::new(307).insert_header("location", "http://127.0.0.1:1/"), SERVER_ERROR)]
#[case::unreadable(ResponseTemplate::new(200).set_body_string("yes"), PspError::Unknown("the response cannot be decoded"))]
#[case::another_object(ResponseTemplate::new(200).set_body_json(json!({"id": "cus_1", "object": "customer"})), PspError::Unknown("the response cannot be decoded"))]
#[case::too_long(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 257 * 1024]), PspError::Unknown("the response exceeds the size limit"))]
#[tokio::test]
async fn create_checkout_maps_each_failure_to_its_error(
    #[case] response: ResponseTemplate,
    #[case] expected: PspError,
) {
    let error = answering(response).await.unwrap_err();
    assert_eq!(error, expected);
    assert!(!format!("{error} {error:?}").contains("Guest"), "{error}");
}

#[rstest]
#[case::no_page("url", json!(null), "the checkout has no page URL")]
#[case::no_amount("amount_total", json!(null), "the amount is invalid")]
#[case::no_currency("currency", json!("x"), "the amount is invalid")]
#[tokio::test]
async fn create_checkout_with_incomplete_response_fails(
    #[case] field: &str,
    #[case] value: serde_json::Value,
    #[case] why: &'static str,
) {
    let mut half = session("");
    half[field] = value;
    assert_eq!(answering(ResponseTemplate::new(200).set_body_json(half)).await, Err(PspError::Unknown(why)));
}

#[tokio::test]
async fn refused_connection_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let closed = adapter(&format!("http://{free}"));
    assert_eq!(closed.create_checkout(order()).await, Err(PspError::Unavailable("the connection failed")));
}

/// Keeps the first response to each idempotency key, as Stripe does, and delays that one.
#[derive(Clone, Default)]
struct SlowAtFirst(Arc<Mutex<HashMap<String, Kept>>>);

/// The request body and its response.
type Kept = (Vec<u8>, ResponseTemplate);

impl Respond for SlowAtFirst {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let key = request.headers["idempotency-key"].to_str().unwrap().to_owned();
        let mut kept = self.0.lock().unwrap();
        if let Some((body, answer)) = kept.get(&key) {
            let other = ResponseTemplate::new(400).set_body_json(error("idempotency_error", None));
            return if *body == request.body { answer.clone() } else { other };
        }
        let mut made = session("");
        made["id"] = json!(format!("{SESSION}{}", kept.len()));
        let answer = ResponseTemplate::new(200).set_body_json(made);
        kept.insert(key, (request.body.clone(), answer.clone()));
        answer.set_delay(Duration::from_mins(1))
    }
}

#[tokio::test]
async fn retry_after_timeout_returns_the_first_session() {
    let server = MockServer::start().await;
    let stripe = SlowAtFirst::default();
    Mock::given(any()).respond_with(stripe.clone()).mount(&server).await;
    let impatient = patient(&server.uri(), Duration::from_millis(500));
    let order = order();
    assert_eq!(impatient.create_checkout(order.clone()).await, Err(PspError::NoResponse("timed out")));
    let found = adapter(&server.uri()).create_checkout(order.clone()).await.unwrap();
    assert_eq!((found.session, stripe.0.lock().unwrap().len()), (format!("{SESSION}0"), 1));
    let other = CheckoutOrder { description: "another".into(), ..order };
    let refused = adapter(&server.uri()).create_checkout(other).await;
    assert_eq!(refused, Err(PspError::Refused("idempotency_error".into())));
    requests(&server).await;
}
