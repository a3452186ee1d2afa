//! The order in which a server stops.

use std::{net::SocketAddr, time::Duration};

use staymesh_api::rate::v1::pricing_service_client::PricingServiceClient;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tonic::Request;

use crate::support::{RETURNS_DEADLINE, SLEEPS, TestServer, ask};

const LIMIT: Duration = Duration::from_secs(10);

/// The whole response of the operations server, in small letters.
async fn get(operations: SocketAddr, path: &str) -> String {
    let answer = async {
        let mut stream = TcpStream::connect(operations).await.expect("the operations server accepts");
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut response = String::new();
        stream.read_to_string(&mut response).await.expect("answers");
        response.to_ascii_lowercase()
    };
    timeout(LIMIT, answer).await.expect("in time")
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn call(server: &TestServer, hotel_id: i32) -> Request<staymesh_api::rate::v1::PriceStayRequest> {
    let mut request = Request::new(ask(hotel_id));
    let token = format!("Bearer {}", server.signer.token("service", |_| {}));
    request.metadata_mut().insert("authorization", token.parse().expect("a header"));
    request
}

#[tokio::test]
async fn stopping_server_is_not_ready_and_still_accepts_requests_during_the_delay() {
    let server = TestServer::start(|config| config.shutdown_delay = Duration::from_mins(1)).await;
    server.stop.cancel();
    until("the server is not ready", async || get(server.operations, "/readyz").await.starts_with("http/1.1 503"))
        .await;
    let mut client = PricingServiceClient::new(server.channel().await);
    client.price_stay(call(&server, RETURNS_DEADLINE)).await.expect("answers on a new connection");
    assert!(get(server.operations, "/livez").await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn operations_server_outlives_requests_in_progress() {
    let server = TestServer::start(|_| {}).await;
    let mut client = PricingServiceClient::new(server.channel().await);
    let request = call(&server, SLEEPS);
    let in_progress = tokio::spawn(async move { client.price_stay(request).await });
    server.stop.cancel();
    until("the gRPC port is closed", async || TcpStream::connect(server.address).await.is_err()).await;
    assert!(get(server.operations, "/readyz").await.contains("stopping"));
    assert!(get(server.operations, "/metrics").await.starts_with("http/1.1 200"));
    in_progress.abort();
}
