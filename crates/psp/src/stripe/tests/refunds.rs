use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::{Money, PaymentId};
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, query_param, query_param_is_missing},
};

use super::{
    adapter, form, patient, requests,
    shapes::{INTENT, REFUND, SESSION, ended, error, intent, list, refund},
};
use crate::{Psp, PspError, RefundOrder, testing::eur};

/// Stripe with a session that was paid for EUR 120.50.
struct Paid {
    server: MockServer,
    payment_id: String,
    refund_id: Uuid,
}

impl Paid {
    async fn start() -> Self {
        let (server, payment_id) = (MockServer::start().await, PaymentId::new().to_string());
        let session = ended(&payment_id, "complete", "paid", intent(&payment_id, "succeeded"));
        Mock::given(method("GET"))
            .and(path(format!("/v1/checkout/sessions/{SESSION}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(session))
            .mount(&server)
            .await;
        Self { server, payment_id, refund_id: Uuid::now_v7() }
    }

    async fn listing(self, made: &[Value]) -> Self {
        Mock::given(method("GET"))
            .and(path("/v1/refunds"))
            .and(query_param("payment_intent", INTENT))
            .and(query_param("limit", "100"))
            .respond_with(ResponseTemplate::new(200).set_body_json(list(made, false)))
            .mount(&self.server)
            .await;
        self
    }

    async fn refunding(self, answer: ResponseTemplate) -> Self {
        let post = Mock::given(method("POST")).and(path("/v1/refunds"));
        post.respond_with(answer).mount(&self.server).await;
        self
    }

    fn made(&self, refund_id: &str, amount: i64, status: &str) -> Value {
        refund(&self.payment_id, refund_id, amount, status)
    }

    fn order(&self) -> RefundOrder {
        RefundOrder { refund_id: self.refund_id, session: SESSION.into(), amount: eur(4_000) }
    }

    async fn refund(&self) -> Result<String, PspError> {
        adapter(&self.server.uri()).refund(self.order()).await
    }

    async fn posts(&self) -> Vec<wiremock::Request> {
        requests(&self.server).await.into_iter().filter(|request| request.method == "POST").collect()
    }
}

#[tokio::test]
async fn refund_is_made_on_the_intent_of_the_session() {
    let stripe = Paid::start().await.listing(&[]).await;
    let made = stripe.made(&stripe.refund_id.to_string(), 4_000, "succeeded");
    let stripe = stripe.refunding(ResponseTemplate::new(200).set_body_json(made)).await;
    for _ in 0..2 {
        assert_eq!(stripe.refund().await.as_deref(), Ok(REFUND));
    }
    let posts = stripe.posts().await;
    assert_eq!(posts[0].body, posts[1].body);
    let id = stripe.refund_id.to_string();
    for post in &posts {
        assert_eq!(post.headers["idempotency-key"], id.as_str());
        let expected = [
            ("payment_intent", INTENT),
            ("amount", "4000"),
            ("metadata[refund_id]", &id),
            ("metadata[payment_id]", &stripe.payment_id),
        ];
        assert_eq!(form(post), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}

#[tokio::test]
async fn refund_that_exists_is_found_on_later_pages() {
    let stripe = Paid::start().await;
    let id = stripe.refund_id.to_string();
    let first: Vec<_> = (0..100).map(|n| stripe.made(&Uuid::from_u128(n).to_string(), 1, "succeeded")).collect();
    let pages = Mock::given(method("GET")).and(path("/v1/refunds")).and(query_param("payment_intent", INTENT));
    pages
        .and(query_param_is_missing("starting_after"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&first, true)))
        .mount(&stripe.server)
        .await;
    let second = list(&[stripe.made(&id, 4_000, "succeeded")], false);
    let pages = Mock::given(method("GET")).and(path("/v1/refunds")).and(query_param("starting_after", REFUND));
    pages.respond_with(ResponseTemplate::new(200).set_body_json(second)).mount(&stripe.server).await;
    assert_eq!(stripe.refund().await.as_deref(), Ok(REFUND));
    assert!(stripe.posts().await.is_empty());
}

#[tokio::test]
async fn refund_search_stops_at_the_page_limit() {
    let stripe = Paid::start().await;
    let page = list(&[stripe.made("", 1, "succeeded")], true);
    let pages = Mock::given(method("GET")).and(path("/v1/refunds"));
    pages.respond_with(ResponseTemplate::new(200).set_body_json(page)).expect(10).mount(&stripe.server).await;
    assert!(matches!(stripe.refund().await, Err(PspError::Unknown(_))));
    assert!(stripe.posts().await.is_empty());
}

#[tokio::test]
async fn refund_after_timeout_is_not_made_twice() {
    let stripe = Paid::start().await.listing(&[]).await;
    let made = stripe.made(&stripe.refund_id.to_string(), 4_000, "succeeded");
    let late = ResponseTemplate::new(200).set_body_json(&made).set_delay(Duration::from_mins(1));
    let stripe = stripe.refunding(late).await;
    let impatient = patient(&stripe.server.uri(), Duration::from_secs(1));
    assert_eq!(impatient.refund(stripe.order()).await, Err(PspError::NoResponse("timed out")));
    assert_eq!(stripe.posts().await.len(), 1);
    // From here on Stripe lists it.
    stripe.server.reset().await;
    let again = Paid::start().await;
    let again = Paid { refund_id: stripe.refund_id, ..again }.listing(&[made]).await;
    assert_eq!(again.refund().await.as_deref(), Ok(REFUND));
    assert!(again.posts().await.is_empty());
}

#[rstest]
#[case::pending("pending", 4_000, PspError::Pending("the refund is in progress"))]
#[case::waits_for_the_guest("requires_action", 4_000, PspError::Pending("the refund is in progress"))]
#[case::failed("failed", 4_000, PspError::Refused("refund_failed".into()))]
#[case::called_off("canceled", 4_000, PspError::Refused("refund_failed".into()))]
#[case::another_amount("succeeded", 4_001, PspError::Refused("refund_of_another_amount".into()))]
#[tokio::test]
async fn refund_fails_unless_succeeded_with_the_same_amount(
    #[case] status: &str,
    #[case] amount: i64,
    #[case] expected: PspError,
) {
    for found in [true, false] {
        let stripe = Paid::start().await;
        let made = stripe.made(&stripe.refund_id.to_string(), amount, status);
        let stripe = if found {
            stripe.listing(&[made]).await
        } else {
            stripe.listing(&[]).await.refunding(ResponseTemplate::new(200).set_body_json(made)).await
        };
        assert_eq!(stripe.refund().await, Err(expected.clone()));
    }
}

#[tokio::test]
async fn refund_that_stripe_refuses_fails_with_its_code() {
    let body = error("invalid_request_error", Some("charge_already_refunded"));
    let stripe = Paid::start().await.listing(&[]).await;
    let stripe = stripe.refunding(ResponseTemplate::new(400).set_body_json(body)).await;
    assert_eq!(stripe.refund().await, Err(PspError::Refused("charge_already_refunded".into())));
    let part = RefundOrder { amount: Money::from_minor(15, "KWD".parse().unwrap()).unwrap(), ..stripe.order() };
    assert!(matches!(adapter(&stripe.server.uri()).refund(part).await, Err(PspError::UnsupportedAmount(_))));

    let unpaid = MockServer::start().await;
    let session = ended("", "expired", "unpaid", json!(null));
    let get = Mock::given(method("GET"));
    get.respond_with(ResponseTemplate::new(200).set_body_json(session)).mount(&unpaid).await;
    let refused = adapter(&unpaid.uri()).refund(stripe.order()).await;
    assert_eq!(refused, Err(PspError::Refused("session_without_payment_intent".into())));
}
