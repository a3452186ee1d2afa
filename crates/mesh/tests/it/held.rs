//! Requests that their caller holds open or spoils.

use std::{future::poll_fn, sync::Arc, time::Duration};

use http_body_util::Full;
use rstest::rstest;
use staymesh_api::rate::v1::pricing_service_client::PricingServiceClient;
use staymesh_mesh::{Problem, Reason};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};
use tonic::{
    Request, Status, Streaming,
    body::Body,
    client::GrpcService,
    codegen::http,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::support::{RETURNS_DEADLINE, SLEEPS, TestServer, ask};

const GIVE_UP: Duration = Duration::from_secs(20);

fn from<T>(source: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-staymesh-source", source.parse().expect("a header"));
    request
}

async fn watch(channel: &Channel, source: &str) -> Result<Streaming<HealthCheckResponse>, Status> {
    let request = from(source, HealthCheckRequest::default());
    Ok(HealthClient::new(channel.clone()).watch(request).await?.into_inner())
}

async fn price(server: &TestServer, channel: &Channel, source: &str, hotel_id: i32) -> Result<(), Status> {
    price_as(server, channel, source, "", hotel_id).await
}

/// As the subject whose token the edge has verified.
async fn price_as(
    server: &TestServer,
    channel: &Channel,
    source: &str,
    subject: &str,
    hotel_id: i32,
) -> Result<(), Status> {
    let mut request = from(source, ask(hotel_id));
    request.metadata_mut().insert("x-staymesh-subject", subject.parse().expect("a header"));
    let token = format!("Bearer {}", server.signer.token("service", |_| {}));
    request.metadata_mut().insert("authorization", token.parse().expect("a header"));
    PricingServiceClient::new(channel.clone()).price_stay(request).await.map(drop)
}

#[tokio::test]
async fn two_thousand_health_watches_of_one_address_leave_places_to_others() {
    const ATTEMPTS: usize = 2000;
    let server = TestServer::start(|c| c.max_streams_per_source = 8).await;
    let channels = [server.channel().await, server.channel().await, server.channel().await];
    let turns = Arc::new(Semaphore::new(100));
    let mut attempts = JoinSet::new();
    for i in 0..ATTEMPTS {
        let (channel, turns) = (channels[i % 3].clone(), turns.clone());
        attempts.spawn(async move {
            let _turn = turns.acquire().await;
            watch(&channel, "192.0.2.1").await
        });
    }
    let results = attempts.join_all().await;
    let (held, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(held.len(), 8);
    assert!(
        refused.iter().filter_map(|r| r.as_ref().err()).all(|s| Problem::reason_of(s) == Some(Reason::RateLimited))
    );

    let mut other = watch(&channels[0], "192.0.2.2").await.expect("another address has its own share");
    assert!(other.message().await.expect("a status").is_some());
    price(&server, &channels[0], "192.0.2.1", RETURNS_DEADLINE).await.expect("streams take no place of requests");
    drop(held);
    let started = Instant::now();
    while watch(&channels[0], "192.0.2.1").await.is_err() {
        assert!(started.elapsed() < GIVE_UP, "the places are not given back");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn requests_in_progress_of_one_address_are_limited() {
    let server = TestServer::start(|c| c.max_concurrency_per_source = 2).await;
    let server = Arc::new(server);
    let channel = Endpoint::new(server.url()).expect("an address").connect().await.expect("connects");
    let mut slow = JoinSet::new();
    for _ in 0..2 {
        let (server, channel) = (server.clone(), channel.clone());
        slow.spawn(async move { price(&server, &channel, "2001:db8::1", SLEEPS).await });
    }
    let started = Instant::now();
    let refused = loop {
        assert!(started.elapsed() < GIVE_UP, "the limit is never reached");
        // Another address of the same network.
        if let Err(status) = price(&server, &channel, "2001:db8::2", RETURNS_DEADLINE).await {
            break status;
        }
    };
    assert_eq!(Problem::reason_of(&refused), Some(Reason::RateLimited));
    price(&server, &channel, "2001:db8:0:1::1", RETURNS_DEADLINE).await.expect("another network");
}

#[tokio::test]
async fn client_has_a_share_of_its_own_at_an_address_that_others_have_filled() {
    let server = TestServer::start(|c| {
        c.max_concurrency_per_source = 1;
        c.max_concurrency_per_client = 2;
    })
    .await;
    let server = Arc::new(server);
    let channel = server.channel().await;
    let call = |subject: &'static str, hotel_id| {
        let (server, channel) = (server.clone(), channel.clone());
        async move { price_as(&server, &channel, "192.0.2.1", subject, hotel_id).await }
    };
    let mut slow = JoinSet::new();
    slow.spawn(call("0192f0c1-7a2b-7c3d-9e4f-5a6b7c8d9e0f", SLEEPS));
    for _ in 0..2 {
        slow.spawn(call("client:one", SLEEPS));
    }
    for full in ["", "client:one"] {
        let started = Instant::now();
        let refused = loop {
            assert!(started.elapsed() < GIVE_UP, "the limit of {full:?} is never reached");
            if let Err(status) = call(full, RETURNS_DEADLINE).await {
                break status;
            }
        };
        assert_eq!(Problem::reason_of(&refused), Some(Reason::RateLimited), "{full:?}");
    }
    call("client:two", RETURNS_DEADLINE).await.expect("another client");
}

#[rstest]
#[case::no_message(b"")]
#[case::unknown_flag(b"\x07\0\0\0\x01\0")]
#[case::compressed_without_encoding(b"\x01\0\0\0\x01\0")]
#[case::ends_within_a_message(b"\0\0\0\0\x09\x01")]
#[case::not_a_message(b"\0\0\0\0\x01\xff")]
#[tokio::test]
async fn spoilt_frame_is_the_callers_fault(#[case] frame: &'static [u8]) {
    let server = TestServer::start(|_| {}).await;
    let mut channel = server.channel().await;
    let request = http::Request::post(format!("{}/staymesh.rate.v1.PricingService/PriceStay", server.url()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {}", server.signer.token("service", |_| {})))
        .body(Body::new(Full::from(frame)))
        .expect("a request");
    poll_fn(|context| GrpcService::poll_ready(&mut channel, context)).await.expect("is ready");
    let response = GrpcService::call(&mut channel, request).await.expect("a response");
    let status = Status::from_header_map(response.headers()).expect("a status");
    assert_eq!(Problem::reason_of(&status), Some(Reason::InvalidRequest), "{status:?}");
}
