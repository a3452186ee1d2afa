//! Calls between services: tokens, deadlines, request ids, circuit breaker.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use staymesh_api::rate::v1::pricing_service_client::PricingServiceClient;
use staymesh_mesh::{
    client::{Mesh, MeshChannel},
    config::ClientConfig,
    context::RequestContext,
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status};

use crate::support::{FAILS, RETURNS_DEADLINE, SLEEPS, TestServer, ask};

pub(crate) fn client_config(url: &str) -> ClientConfig {
    ClientConfig {
        identity_url: url.to_owned(),
        service_client_id: "test".into(),
        service_client_secret: "secret".to_owned().into(),
        call_timeout: Duration::from_secs(2),
        tls_ca: None,
        tls_caller_cert: None,
        tls_caller_key: None,
    }
}

/// A client of the pricing service that has an access token.
async fn client(server: &TestServer) -> (PricingServiceClient<MeshChannel>, DropGuard) {
    configured_client(server, &client_config(&server.url())).await
}

async fn configured_client(
    server: &TestServer,
    config: &ClientConfig,
) -> (PricingServiceClient<MeshChannel>, DropGuard) {
    let stop = CancellationToken::new();
    let mesh = Mesh::join(config, stop.clone()).expect("joins");
    let channel = mesh.channel("pricing", &server.url()).expect("a channel");
    has_token(&mesh).await;
    (PricingServiceClient::new(channel), stop.drop_guard())
}

async fn has_token(mesh: &Mesh) {
    while !mesh.tokens().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn within(time: Duration) -> RequestContext {
    RequestContext { request_id: Arc::from("the-callers-id"), deadline: Instant::now() + time }
}

#[tokio::test]
async fn call_propagates_identity_deadline_and_request_id() {
    let server = TestServer::start(|_| {}).await;
    let (mut client, _stop) = client(&server).await;
    let answer = within(Duration::from_millis(800))
        .scope(client.price_stay(ask(RETURNS_DEADLINE)))
        .await
        .expect("the token of the service is good");
    assert_eq!(answer.metadata().get("seen-request-id").expect("an id"), "the-callers-id");
    let left = answer.into_inner().prices[0].room_type_id;
    assert!((1..=800).contains(&left), "{left} ms");
}

#[tokio::test]
async fn call_ends_at_the_deadline_of_its_caller() {
    let server = TestServer::start(|_| {}).await;
    let (mut client, _stop) = client(&server).await;
    let outcome = within(Duration::from_millis(100)).scope(client.price_stay(ask(SLEEPS))).await;
    assert!(matches!(outcome.expect_err("too slow").code(), Code::DeadlineExceeded | Code::Cancelled));
    let outcome = within(Duration::ZERO).scope(client.price_stay(ask(RETURNS_DEADLINE))).await;
    assert_eq!(outcome.expect_err("no time is left").code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn breaker_opens_for_a_failing_service() {
    let server = TestServer::start(|_| {}).await;
    let (mut client, _stop) = client(&server).await;
    let not_called = |status: &Status| status.message().contains("not called");
    let mut attempts = 0;
    loop {
        let status = client.price_stay(ask(FAILS)).await.expect_err("fails");
        assert_eq!(status.code(), Code::Unavailable);
        if not_called(&status) {
            break;
        }
        attempts += 1;
        assert!(attempts < 100, "the breaker never opened");
    }
    // A successful probe closes it.
    loop {
        match client.price_stay(ask(RETURNS_DEADLINE)).await {
            Ok(_) => break,
            Err(status) => assert!(not_called(&status), "{status:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn refused_connection_is_unavailable_without_hanging() {
    let server = TestServer::start(|_| {}).await;
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let mesh = Mesh::join(&client_config(&server.url()), stop).expect("joins");
    let port = staymesh_devenv::port::free_port().expect("a port");
    let channel = mesh.channel("closed", &format!("http://127.0.0.1:{port}")).expect("a channel");
    let outcome = PricingServiceClient::new(channel).price_stay(ask(RETURNS_DEADLINE)).await;
    let code = outcome.expect_err("the port is closed").code();
    assert!(matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled), "{code:?}");
}

#[tokio::test]
async fn short_deadlines_do_not_open_the_breaker_for_others() {
    let server = TestServer::start(|_| {}).await;
    let (client, _stop) = client(&server).await;
    let hurry = |hotel_id, time| {
        let mut client = client.clone();
        within(time).scope(async move { client.price_stay(ask(hotel_id)).await })
    };
    for (hotel_id, time) in [(SLEEPS, Duration::from_millis(50)), (RETURNS_DEADLINE, Duration::ZERO)] {
        for outcome in join_all((0..30).map(|_| hurry(hotel_id, time))).await {
            assert!(matches!(outcome.expect_err("late").code(), Code::DeadlineExceeded | Code::Cancelled));
        }
        client.clone().price_stay(ask(RETURNS_DEADLINE)).await.expect("still called");
    }
}

#[tokio::test]
async fn breaker_opens_for_a_service_that_times_out() {
    let server = TestServer::start(|_| {}).await;
    let config = ClientConfig { call_timeout: Duration::from_millis(300), ..client_config(&server.url()) };
    let (client, _stop) = configured_client(&server, &config).await;
    let call = |hotel_id| {
        let mut client = client.clone();
        async move { client.price_stay(ask(hotel_id)).await }
    };
    for outcome in join_all((0..10).map(|_| call(SLEEPS))).await {
        outcome.expect_err("too slow");
    }
    let status = call(RETURNS_DEADLINE).await.expect_err("open");
    assert!(status.message().contains("not called"), "{status:?}");
}

/// The host accepts connections and stays silent: the TLS handshake never ends, so the channel never becomes ready.
#[tokio::test]
async fn silent_host_is_unavailable_within_the_call_timeout() {
    let server = TestServer::start(|_| {}).await;
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let config = ClientConfig { call_timeout: Duration::from_millis(300), ..client_config(&server.url()) };
    let mesh = Mesh::join(&config, stop).expect("joins");
    let url = format!("https://{}", silent.local_addr().expect("an address"));
    let mut client = PricingServiceClient::new(mesh.channel("silent", &url).expect("a channel"));
    has_token(&mesh).await;
    let started = Instant::now();
    let status = client.price_stay(ask(RETURNS_DEADLINE)).await.expect_err("the host is silent");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("did not answer"), "{status:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
