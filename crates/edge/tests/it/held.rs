//! Requests that their caller holds open, and shares of the edge's capacity.

use std::{convert::Infallible, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::{Body, Client, Method, RequestBuilder, StatusCode};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    edge::Edge,
    errors::{error, error_of},
};

const LOGIN: &str = "/staymesh.identity.v1.AuthService/Login";
const GIVE_UP: Duration = Duration::from_secs(20);

/// A body that starts with these bytes, or not at all, and never ends.
fn unfinished(start: &'static str) -> Body {
    let start = Some(start).filter(|start| !start.is_empty()).map(|start| Bytes::from_static(start.as_bytes()));
    let frames = tokio_stream::iter(start.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))));
    Body::wrap(StreamBody::new(frames.chain(tokio_stream::pending())))
}

/// Every form of a request whose body does not end.
fn forms(edge: &Edge, http: &Client) -> Vec<RequestBuilder> {
    let post = |path: &str| http.post(format!("http://{}{path}", edge.config.public_listen));
    vec![
        post(LOGIN).header("content-type", "application/grpc").header("te", "trailers").body(unfinished("")),
        post(LOGIN).header("content-type", "application/grpc-web+proto").body(unfinished("\0")),
        post("/v1/auth/login").body(unfinished("{")),
        post("/v1/webhooks/simulator").body(unfinished("{")),
    ]
}

/// Waits until this many requests are in progress on the public listener, the waiting one not included.
async fn in_progress(edge: &Edge, expected: usize) -> Result<()> {
    let url = format!("http://{}/stats?filter=^http.public.downstream_rq_active$", edge.config.admin_listen);
    let started = Instant::now();
    loop {
        let text = Client::new().get(&url).send().await?.text().await?;
        let active: usize = text.trim().rsplit(' ').next().unwrap_or_default().parse()?;
        if active >= expected {
            return Ok(());
        }
        anyhow::ensure!(started.elapsed() < GIVE_UP, "{active} of {expected} in progress");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn unfinished_requests_take_no_place_at_a_service() -> Result<()> {
    const HELD: usize = 25;
    let edge = Edge::with(|config| {
        config.limits.max_upstream_requests = 4;
        config.shares.max_provider_requests = 4;
        config.addresses.login_burst = 1000;
    })
    .await?
    .with_keys()
    .await?;
    let http = Client::builder().http2_prior_knowledge().build()?;
    let mut held = JoinSet::new();
    for _ in 0..HELD {
        for form in forms(&edge, &http) {
            held.spawn(form.send());
        }
    }
    in_progress(&edge, 4 * HELD).await?;
    let login = edge.public(Method::POST, "/v1/auth/login").body("{\"email\": \"a\"}").send().await?;
    assert_eq!(login.status(), StatusCode::OK);
    let event = edge.public(Method::POST, "/v1/webhooks/simulator").body("{}").send().await?;
    assert_eq!(event.status(), StatusCode::OK);
    assert_eq!(edge.internal(Method::GET, "/v1/hotels/7").send().await?.status(), StatusCode::OK);
    assert!(held.try_join_next().is_none(), "all are still held");
    Ok(())
}

#[tokio::test]
async fn unfinished_requests_end_with_408() -> Result<()> {
    let edge = Edge::with(|config| config.timeouts.receive_seconds = 1).await?;
    let [_grpc, web, rest, event]: [RequestBuilder; 4] =
        forms(&edge, &Client::new()).try_into().map_err(|_| anyhow::anyhow!("four forms"))?;
    for form in [rest, event] {
        let (status, reason, _) = error(form).await?;
        assert_eq!((status, reason.as_str()), (408, "DEADLINE_EXCEEDED"));
    }
    let web = web.send().await?;
    assert_eq!(web.status(), 408);
    assert_eq!(edge.upstream.last_headers(LOGIN), None, "no service has seen a request");
    Ok(())
}

#[tokio::test]
async fn full_public_gateway_answers_overloaded_and_leaves_the_other_shares() -> Result<()> {
    let edge = Edge::with(|config| config.limits.max_upstream_requests = 1).await?.with_keys().await?;
    let mut held = JoinSet::new();
    // A complete request that the service does not answer.
    held.spawn(edge.get("/v1/hotels/504").send());
    in_progress(&edge, 1).await?;
    let started = Instant::now();
    let refused = loop {
        let answer = edge.get("/v1/hotels/7").send().await?;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        anyhow::ensure!(started.elapsed() < GIVE_UP, "the share is never full");
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    let (status, reason, _) = error_of(refused).await?;
    assert_eq!((status, reason.as_str()), (503, "OVERLOADED"));

    assert_eq!(edge.internal(Method::GET, "/v1/hotels/7").send().await?.status(), StatusCode::OK);
    let event = edge.public(Method::POST, "/v1/webhooks/simulator").body("{}").send().await?;
    assert_eq!(event.status(), StatusCode::OK);
    let channel = Channel::from_shared(format!("http://{}", edge.config.public_listen))?.connect().await?;
    HealthClient::new(channel).check(HealthCheckRequest::default()).await?;
    Ok(())
}

#[tokio::test]
async fn body_of_an_auth_call_is_limited_before_it_is_read() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    let post = |path: &str| edge.public(Method::POST, path);
    let large = || "x".repeat(8193);
    let announced = Body::wrap(StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>()));
    let pieces = (0..9).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from("x".repeat(1024)))));
    let chunked = Body::wrap(StreamBody::new(tokio_stream::iter(pieces).chain(tokio_stream::pending())));
    for request in [
        post("/v1/auth/login").body(large()),
        post("/v1/auth/login/").body(large()),
        post("/v1/users").body(large()),
        post("/v1/oauth/token").body(large()),
        post("/v1/auth/logout").bearer_auth(&token).body(large()),
        // Neither sends its whole body: the first announces its size, the second is counted.
        post("/v1/auth/login").header("content-length", "100000").body(announced),
        post("/v1/auth/login").body(chunked),
    ] {
        let (status, reason, _) = error(request).await?;
        assert_eq!((status, reason.as_str()), (413, "REQUEST_TOO_LARGE"));
    }
    let fits = format!("{{\"email\": \"{}\"}}", "x".repeat(8000));
    assert_eq!(post("/v1/auth/login").body(fits).send().await?.status(), StatusCode::OK);
    let elsewhere = post("/v1/reservations:prepare").bearer_auth(&token).body(large());
    assert_eq!(error(elsewhere).await?.0, 400, "other bodies may be larger");
    Ok(())
}
