//! The layers of the server stack.

use std::time::Duration;

use rstest::rstest;
use staymesh_api::rate::v1::pricing_service_client::PricingServiceClient;
use staymesh_mesh::{Problem, Reason, auth::Claims};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::support::{PANICS, RETURNS_DEADLINE, SLEEPS, TestServer, ask};

struct Client {
    inner: PricingServiceClient<Channel>,
    token: Option<String>,
}

impl Client {
    async fn of(server: &TestServer, token: Option<String>) -> Self {
        Self { inner: PricingServiceClient::new(server.channel().await), token }
    }

    async fn service(server: &TestServer) -> Self {
        Self::of(server, Some(server.signer.token("service", |_| {}))).await
    }

    async fn call(&self, hotel_id: i32, change: impl FnOnce(&mut Request<()>)) -> Result<i32, Status> {
        let mut request = Request::new(());
        change(&mut request);
        let mut request = request.map(|()| ask(hotel_id));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        }
        let answer = self.inner.clone().price_stay(request).await?;
        Ok(answer.into_inner().prices[0].room_type_id)
    }
}

fn reason(status: &Status) -> Reason {
    Problem::reason_of(status).unwrap_or_else(|| panic!("no reason: {status:?}"))
}

#[tokio::test]
async fn access_rule_admits_the_role_only() {
    let server = TestServer::start(|_| {}).await;
    let anonymous = Client::of(&server, None).await.call(RETURNS_DEADLINE, |_| {}).await.expect_err("no token");
    assert_eq!((anonymous.code(), reason(&anonymous)), (Code::Unauthenticated, Reason::Unauthenticated));
    for role in ["guest", "staff", "partner", "admin"] {
        let token = server.signer.token(role, |_| {});
        let refused = Client::of(&server, Some(token)).await.call(RETURNS_DEADLINE, |_| {}).await.expect_err(role);
        assert_eq!((refused.code(), reason(&refused)), (Code::PermissionDenied, Reason::AccessDenied));
    }
    Client::service(&server).await.call(RETURNS_DEADLINE, |_| {}).await.expect("a service may");
}

#[tokio::test]
async fn role_is_refused_at_the_gateway_of_other_roles() {
    let server = TestServer::start(|_| {}).await;
    let service = Client::service(&server).await;
    let at = |gateways: &'static [&'static str]| {
        move |request: &mut Request<()>| {
            for gateway in gateways {
                request.metadata_mut().append("x-staymesh-gateway", gateway.parse().expect("a header"));
            }
        }
    };
    for outside in [&["public"][..], &["mesh"], &[""], &["internal", "public"], &["internal", "internal"]] {
        let refused = service.call(RETURNS_DEADLINE, at(outside)).await.expect_err("the public gateway");
        assert_eq!((refused.code(), reason(&refused)), (Code::PermissionDenied, Reason::WrongGateway), "{outside:?}");
        let info = refused.get_details_error_info().expect("has ErrorInfo");
        assert_eq!(info.metadata["gateway"], "internal");
    }
    service.call(RETURNS_DEADLINE, at(&["internal"])).await.expect("its own gateway");
    service.call(RETURNS_DEADLINE, at(&[])).await.expect("a call between services");
}

#[rstest]
#[case::expired(|c: &mut Claims| c.exp = c.iat - 60)]
#[case::other_issuer(|c: &mut Claims| c.iss = "https://elsewhere".into())]
#[case::other_audience(|c: &mut Claims| c.aud = "elsewhere".into())]
#[case::unknown_role(|c: &mut Claims| c.role = "root".into())]
#[tokio::test]
async fn token_with_invalid_claims_is_refused(#[case] change: fn(&mut Claims)) {
    let server = TestServer::start(|_| {}).await;
    let token = server.signer.token("service", change);
    let refused = Client::of(&server, Some(token)).await.call(RETURNS_DEADLINE, |_| {}).await.expect_err("a bad token");
    assert_eq!(reason(&refused), Reason::Unauthenticated);
}

#[tokio::test]
async fn token_with_a_foreign_signature_is_refused() {
    let server = TestServer::start(|_| {}).await;
    let token = crate::support::Signer::new().token("service", |_| {});
    let refused =
        Client::of(&server, Some(token)).await.call(RETURNS_DEADLINE, |_| {}).await.expect_err("a forged token");
    assert_eq!(reason(&refused), Reason::Unauthenticated);
}

#[tokio::test]
async fn panic_fails_its_request_without_revealing_the_message() {
    let server = TestServer::start(|_| {}).await;
    let client = Client::service(&server).await;
    let refused = client.call(PANICS, |_| {}).await.expect_err("panics");
    assert_eq!((refused.code(), reason(&refused)), (Code::Internal, Reason::Internal));
    assert!(!refused.message().contains("on purpose"));
    assert!(refused.get_details_request_info().is_some(), "the log is found by the request id");
    client.call(RETURNS_DEADLINE, |_| {}).await.expect("the server lives");
}

#[tokio::test]
async fn request_ends_at_its_callers_deadline_or_at_the_limit() {
    let server = TestServer::start(|c| c.max_deadline = Duration::from_millis(300)).await;
    let client = Client::service(&server).await;
    let refused = client.call(SLEEPS, |_| {}).await.expect_err("too long for the service");
    assert_eq!((refused.code(), reason(&refused)), (Code::DeadlineExceeded, Reason::DeadlineExceeded));
    let patient_server = TestServer::start(|_| {}).await;
    let patient = Client::service(&patient_server).await;
    let refused = patient.call(SLEEPS, |r| r.set_timeout(Duration::from_millis(500))).await.expect_err("too long");
    assert_eq!((refused.code(), reason(&refused)), (Code::DeadlineExceeded, Reason::DeadlineExceeded));
    let left = client.call(RETURNS_DEADLINE, |r| r.set_timeout(Duration::from_millis(100))).await.expect("in time");
    assert!((0..=100).contains(&left), "{left} ms");
    let left = client.call(RETURNS_DEADLINE, |r| r.set_timeout(Duration::from_hours(1))).await.expect("in time");
    assert!((0..=300).contains(&left), "{left} ms");
}

#[tokio::test]
async fn excess_requests_are_shed_but_health_checks_are_served() {
    let server = TestServer::start(|c| c.max_concurrency = 1).await;
    let sleeper = Client::service(&server).await;
    let sleeping = tokio::spawn(async move { sleeper.call(SLEEPS, |_| {}).await });
    let client = Client::service(&server).await;
    let shed = loop {
        match client.call(RETURNS_DEADLINE, |_| {}).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&shed), Reason::Overloaded);
    assert!(shed.get_details_retry_info().is_some());
    let channel = Channel::from_shared(server.url()).expect("a URL").connect().await.expect("connects");
    let request = HealthCheckRequest { service: "staymesh.rate.v1.PricingService".into() };
    let health = HealthClient::new(channel).check(request).await.expect("health").into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);
    sleeping.abort();
}

#[tokio::test]
async fn request_id_is_propagated_and_returned() {
    let server = TestServer::start(|_| {}).await;
    let token = format!("Bearer {}", server.signer.token("service", |_| {}));
    let mut client = PricingServiceClient::new(server.channel().await);
    let mut request = Request::new(ask(RETURNS_DEADLINE));
    request.metadata_mut().insert("authorization", token.parse().expect("a header"));
    request.metadata_mut().insert("x-request-id", "my-own-request-id".parse().expect("a header"));
    let answer = client.price_stay(request).await.expect("an answer");
    for header in ["x-request-id", "seen-request-id"] {
        assert_eq!(answer.metadata().get(header).expect(header), "my-own-request-id");
    }
}

#[tokio::test]
async fn unknown_method_is_unimplemented() {
    let server = TestServer::start(|_| {}).await;
    let channel = Channel::from_shared(server.url()).expect("a URL").connect().await.expect("connects");
    let mut unknown = staymesh_api::hotel::v1::hotel_service_client::HotelServiceClient::new(channel);
    let refused = unknown.get_hotel(staymesh_api::hotel::v1::GetHotelRequest { hotel_id: 1 }).await;
    assert_eq!(refused.expect_err("not served here").code(), Code::Unimplemented);
}
