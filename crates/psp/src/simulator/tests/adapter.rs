use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;
use staymesh_domain::PaymentId;
use tokio::net::TcpListener;
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, method, path},
};

use crate::{
    Checkout, CheckoutOrder, CheckoutStatus, Provider, Psp, PspError, RefundOrder,
    event::{EventEnvelope, ProviderEvent},
    signature::verify,
    simulator::SimulatorPsp,
    testing::{adapter, eur, simulator},
};

fn order() -> CheckoutOrder {
    CheckoutOrder {
        payment_id: PaymentId::new(),
        amount: eur(12_050),
        description: "Reservation <1>".into(),
        return_url: "https://hotel.example/".into(),
        expire_time: Timestamp::now() + SignedDuration::from_mins(15),
    }
}

async fn answering(response: ResponseTemplate) -> Result<Checkout, PspError> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    adapter(&server.uri()).create_checkout(order()).await
}

fn session() -> serde_json::Value {
    json!({ "id": "cs_1", "url": "http://psp/p", "status": "open", "amount_minor": 5, "currency": "EUR", "more": 1 })
}

#[rstest]
#[case::refused(ResponseTemplate::new(400).set_body_json(json!({"error": {"code": "invalid_request"}})), PspError::Refused("invalid_request".into()))]
#[case::return_url(ResponseTemplate::new(400).set_body_json(json!({"error": {"code": "invalid_request", "param": "return_url"}})), PspError::ReturnUrl)]
#[case::another_field(ResponseTemplate::new(400).set_body_json(json!({"error": {"code": "invalid_request", "param": "amount_minor"}})), PspError::Refused("invalid_request".into()))]
#[case::refused_without_json(ResponseTemplate::new(404).set_body_string("<html>"), PspError::Refused("http_404".into()))]
#[case::malformed_code(ResponseTemplate::new(422).set_body_json(json!({"error": {"code": "Say: \n"}})), PspError::Refused("http_422".into()))]
#[case::wrong_key(ResponseTemplate::new(401), PspError::Unavailable("the API key is rejected"))]
#[case::busy(ResponseTemplate::new(429), PspError::Unavailable("it is overloaded"))]
#[case::down(ResponseTemplate::new(503), PspError::Unavailable("it is overloaded"))]
#[case::broken(ResponseTemplate::new(500), PspError::Unknown("it failed with a server error"))]
#[case::gateway(ResponseTemplate::new(504), PspError::Unknown("it failed with a server error"))]
#[case::timeout(ResponseTemplate::new(408), PspError::Unknown("it failed with a server error"))]
#[case::redirect(ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"), PspError::Unknown("it failed with a server error"))]
#[case::unreadable(ResponseTemplate::new(200).set_body_string("yes"), PspError::Unknown("the response cannot be decoded"))]
#[case::too_long(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 65 * 1024]), PspError::Unknown("the response exceeds the size limit"))]
#[tokio::test]
async fn create_checkout_maps_each_failure_to_its_error(
    #[case] response: ResponseTemplate,
    #[case] expected: PspError,
) {
    assert_eq!(answering(response).await, Err(expected));
}

#[tokio::test]
async fn timeout_is_no_response_and_refused_connection_is_unavailable() {
    let server = MockServer::start().await;
    let late = ResponseTemplate::new(201).set_body_json(session()).set_delay(Duration::from_mins(1));
    Mock::given(any()).respond_with(late).mount(&server).await;
    let impatient = SimulatorPsp::new(&server.uri(), "sk_test".into(), Duration::from_millis(100)).unwrap();
    assert_eq!(impatient.create_checkout(order()).await, Err(PspError::NoResponse("timed out")));

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let closed = adapter(&format!("http://{free}"));
    assert_eq!(closed.create_checkout(order()).await, Err(PspError::Unavailable("the connection failed")));
}

#[tokio::test]
async fn requests_carry_api_key_idempotency_key_and_escaped_ids() {
    let server = MockServer::start().await;
    let order = order();
    Mock::given(method("POST"))
        .and(path("/base/v1/checkout_sessions"))
        .and(header("idempotency-key", order.payment_id.to_string().as_str()))
        .and(header("authorization", "Bearer sk_test"))
        .respond_with(ResponseTemplate::new(201).set_body_json(session()))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/base/v1/checkout_sessions/a%2F..%2F%3Fb"))
        .respond_with(ResponseTemplate::new(200).set_body_json(session()))
        .expect(1)
        .mount(&server)
        .await;
    let adapter = adapter(&format!("{}/base/", server.uri()));
    assert_eq!(adapter.create_checkout(order).await.unwrap().session, "cs_1");
    adapter.fetch_checkout("a/../?b".into()).await.unwrap();
}

#[test]
fn new_rejects_urls_that_are_not_http() {
    for url in ["", "psp:8090", "ftp://psp/", "mailto:x@y"] {
        assert!(SimulatorPsp::new(url, "k".into(), Duration::from_secs(1)).is_err(), "{url}");
    }
}

#[tokio::test]
async fn simulator_charges_and_refunds_idempotently() {
    let (psp, _running) = simulator(None).await;
    let order = order();
    let first = psp.create_checkout(order.clone()).await.unwrap();
    assert_eq!((first.status, first.amount), (CheckoutStatus::Open, eur(12_050)));
    assert_eq!(psp.create_checkout(order.clone()).await.unwrap(), first, "the same key");
    let other = CheckoutOrder { amount: eur(1), ..order };
    assert_eq!(psp.create_checkout(other).await, Err(PspError::Refused("idempotency_key_reused".into())));

    let pay = reqwest::Client::new().post(format!("{}/pay", first.url)).send().await.unwrap();
    assert!(pay.status().is_success());
    assert_eq!(psp.fetch_checkout(first.session.clone()).await.unwrap().status, CheckoutStatus::Paid);
    assert_eq!(psp.expire_checkout(first.session.clone()).await.unwrap().status, CheckoutStatus::Paid, "too late");

    let refund = RefundOrder { refund_id: Uuid::now_v7(), session: first.session, amount: eur(12_000) };
    let id = psp.refund(refund.clone()).await.unwrap();
    assert_eq!(psp.refund(refund.clone()).await.unwrap(), id, "the same key");
    let more = RefundOrder { refund_id: Uuid::now_v7(), amount: eur(51), ..refund };
    assert_eq!(psp.refund(more).await, Err(PspError::Refused("refund_exceeds_payment".into())));
    assert_eq!(psp.fetch_checkout("cs_unknown".into()).await, Err(PspError::Refused("not_found".into())));
}

#[tokio::test]
async fn checkout_stays_in_review_until_decided() {
    let (psp, _running) = simulator(None).await;
    let checkout = psp.create_checkout(order()).await.unwrap();
    let guest = reqwest::Client::new();
    let press = async |verb: &str, name: &str, value: &str| {
        let answer = guest.post(format!("{}/{verb}", checkout.url)).form(&[(name, value)]).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(press("pay", "card_number", "4000 0000 0000 9235").await, 202);
    assert_eq!(psp.fetch_checkout(checkout.session.clone()).await.unwrap().status, CheckoutStatus::InReview);
    assert_eq!(psp.expire_checkout(checkout.session.clone()).await.unwrap().status, CheckoutStatus::InReview);
    assert_eq!(press("review", "decision", "approve").await, 200);
    assert_eq!(psp.fetch_checkout(checkout.session.clone()).await.unwrap().status, CheckoutStatus::Paid);
}

#[tokio::test]
async fn retry_after_lost_response_returns_the_first_result() {
    let (psp, _running) = simulator(None).await;
    let page: reqwest::Url = psp.create_checkout(order()).await.unwrap().url.parse().unwrap();
    let simulator = page.origin().ascii_serialization();
    let impatient = SimulatorPsp::new(&simulator, "sk_test".into(), Duration::from_millis(500)).unwrap();
    let switches = "https://hotel.example/?psp_simulate=answer%3Dtimeout-after%2Crefund%3Dtimeout-after";
    let order = CheckoutOrder { return_url: switches.into(), ..order() };
    assert_eq!(impatient.create_checkout(order.clone()).await, Err(PspError::NoResponse("timed out")));
    let checkout = psp.create_checkout(order).await.unwrap();
    reqwest::Client::new().post(format!("{}/pay", checkout.url)).send().await.unwrap();
    let refund = RefundOrder { refund_id: Uuid::now_v7(), session: checkout.session, amount: eur(12_050) };
    assert_eq!(impatient.refund(refund.clone()).await, Err(PspError::NoResponse("timed out")));
    let id = psp.refund(refund.clone()).await.unwrap();
    assert_eq!(psp.refund(refund.clone()).await.unwrap(), id);
    let more = RefundOrder { refund_id: Uuid::now_v7(), amount: eur(1), ..refund };
    assert_eq!(impatient.refund(more.clone()).await, Err(PspError::NoResponse("timed out")), "its first attempt");
    assert_eq!(psp.refund(more).await, Err(PspError::Refused("refund_exceeds_payment".into())));
}

#[tokio::test]
async fn simulator_signature_is_verified() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let (psp, _running) = simulator(Some(&receiver.uri())).await;
    let order = order();
    let checkout = psp.create_checkout(order.clone()).await.unwrap();
    psp.expire_checkout(checkout.session.clone()).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let request = loop {
        if let Some(request) = receiver.received_requests().await.unwrap().pop() {
            break request;
        }
        assert!(tokio::time::Instant::now() < deadline, "no event was sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let header = request.headers["psp-signature"].to_str().unwrap();
    let secrets = ["the secret of both sides".into()];
    assert_eq!(verify(header, &request.body, &secrets, Timestamp::now()), Ok(()));
    let event = Provider::Simulator.parse_event(&EventEnvelope::parse(&request.body).unwrap()).unwrap();
    let ProviderEvent::Checkout(data, CheckoutStatus::Expired) = event else { panic!("{event:?}") };
    assert_eq!((data.session, data.reference), (checkout.session, order.payment_id.to_string()));
}
