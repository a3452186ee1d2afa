//! One service calls another: tokens, deadlines, request ids, the breaker.

use std::{sync::Arc, time::Duration};

use staymesh_api::rate::v1::pricing_service_client::PricingServiceClient;
use staymesh_mesh::{
    client::{Mesh, MeshChannel},
    config::ClientConfig,
    context::RequestContext,
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status};

use crate::support::{FAILS, SLEEPS, TELLS, TestServer, ask};

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

/// A client of the pricing service that has its token.
async fn client(server: &TestServer) -> (PricingServiceClient<MeshChannel>, DropGuard) {
    let stop = CancellationToken::new();
    let mesh = Mesh::join(&client_config(&server.url()), stop.clone()).expect("joins");
    let channel = mesh.channel("pricing", &server.url()).expect("a channel");
    while !mesh.tokens().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (PricingServiceClient::new(channel), stop.drop_guard())
}

fn within(time: Duration) -> RequestContext {
    RequestContext { request_id: Arc::from("the-callers-id"), deadline: Instant::now() + time }
}

#[tokio::test]
async fn a_call_carries_identity_deadline_and_request_id() {
    let server = TestServer::start(|_| {}).await;
    let (mut client, _stop) = client(&server).await;
    let answer = within(Duration::from_millis(800))
        .scope(client.price_stay(ask(TELLS)))
        .await
        .expect("the token of the service is good");
    assert_eq!(answer.metadata().get("seen-request-id").expect("an id"), "the-callers-id");
    let left = answer.into_inner().prices[0].room_type_id;
    assert!((1..=800).contains(&left), "{left} ms");
}

#[tokio::test]
async fn a_call_ends_with_its_callers_deadline() {
    let server = TestServer::start(|_| {}).await;
    let (mut client, _stop) = client(&server).await;
    let outcome = within(Duration::from_millis(100)).scope(client.price_stay(ask(SLEEPS))).await;
    assert!(matches!(outcome.expect_err("too slow").code(), Code::DeadlineExceeded | Code::Cancelled));
    let outcome = within(Duration::ZERO).scope(client.price_stay(ask(TELLS))).await;
    assert_eq!(outcome.expect_err("no time is left").code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_service_that_keeps_failing_is_not_called_for_a_while() {
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
    // It closes again by itself, once a call succeeds.
    loop {
        match client.price_stay(ask(TELLS)).await {
            Ok(_) => break,
            Err(status) => assert!(not_called(&status), "{status:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_does_not_hang() {
    let server = TestServer::start(|_| {}).await;
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let mesh = Mesh::join(&client_config(&server.url()), stop).expect("joins");
    let port = staymesh_parts::port::free_port().expect("a port");
    let channel = mesh.channel("nobody", &format!("http://127.0.0.1:{port}")).expect("a channel");
    let outcome = PricingServiceClient::new(channel).price_stay(ask(TELLS)).await;
    let code = outcome.expect_err("nobody is there").code();
    assert!(matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled), "{code:?}");
}
