//! Rate and size limits.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::{Body, Method, StatusCode};

use crate::{
    edge::Edge,
    errors::{error, error_of},
};

#[tokio::test]
async fn rate_limit_of_one_caller_does_not_affect_others() -> Result<()> {
    let edge = Edge::with(|config| {
        config.limits.requests_per_second = 1;
        config.limits.burst = 20;
    })
    .await?
    .with_keys()
    .await?;
    let (flood, quiet) = (edge.keys.token("flood")?, edge.keys.token("quiet")?);
    let mut refused = None;
    for _ in 0..60 {
        let answer = edge.get("/v1/reservations").bearer_auth(&flood).send().await?;
        if answer.status() != StatusCode::OK {
            refused = Some(answer);
        }
    }
    let refused = refused.ok_or_else(|| anyhow::anyhow!("no request was refused"))?;
    assert_eq!(refused.headers()["retry-after"], "1");
    let (status, reason, _) = error_of(refused).await?;
    assert_eq!((status, reason.as_str()), (429, "RATE_LIMITED"));

    let other = edge.get("/v1/reservations").bearer_auth(&quiet).send().await?;
    assert_eq!(other.status(), StatusCode::OK);
    let anonymous = edge.get("/v1/hotels/7").send().await?;
    assert_eq!(anonymous.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn requests_without_token_share_the_bucket_of_their_address() -> Result<()> {
    let edge = Edge::with(|config| {
        config.limits.requests_per_second = 1;
        config.limits.burst = 5;
    })
    .await?
    .with_keys()
    .await?;
    let mut refused = 0;
    for i in 0..20 {
        // Neither an internal header nor an invalid token selects another bucket.
        let request = edge.get("/v1/hotels/7").header("x-staymesh-subject", format!("caller-{i}"));
        let answer = request.bearer_auth(format!("token-{i}")).header("x-forwarded-for", format!("10.0.0.{i}"));
        refused += u32::from(answer.send().await?.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 12, "{refused}");
    // The bucket for machines is not affected.
    let event = edge.public(Method::POST, "/v1/webhooks/simulator").body("{}").send().await?;
    assert_eq!(event.status(), StatusCode::OK);
    assert_eq!(edge.get("/.well-known/jwks.json").send().await?.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn provider_events_have_separate_buckets() -> Result<()> {
    let edge = Edge::with(|config| {
        config.limits.webhooks_per_second = 1;
        config.limits.webhook_burst = 10;
    })
    .await?
    .with_keys()
    .await?;
    let event = || edge.public(Method::POST, "/v1/webhooks/simulator").body("{}");
    let mut refused = Vec::new();
    for i in 0..30 {
        // Token, query, name of the provider and forwarded address do not select another bucket.
        let request = match i % 3 {
            0 => event().bearer_auth(edge.keys.token(&format!("caller-{i}"))?),
            1 => event().header("x-forwarded-for", format!("10.0.0.{i}")),
            _ => edge.public(Method::POST, &format!("/v1/webhooks/provider-{i}?x={i}")).body("{}"),
        };
        let answer = request.send().await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused.push(answer);
        }
    }
    // Some seconds may pass; each adds one token.
    assert!(refused.len() >= 12, "{}", refused.len());
    let (status, reason, _) = error_of(refused.remove(0)).await?;
    assert_eq!((status, reason.as_str()), (429, "RATE_LIMITED"));
    // The buckets of other callers are not affected.
    assert_eq!(edge.get("/.well-known/jwks.json").send().await?.status(), StatusCode::OK);
    assert_eq!(edge.get("/v1/hotels/7").send().await?.status(), StatusCode::OK);
    let token = edge.keys.token("ada")?;
    assert_eq!(edge.get("/v1/reservations").bearer_auth(token).send().await?.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn large_body_is_refused() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let large = || "x".repeat(5_000_000);
    let token = edge.keys.token("ada")?;
    let login = edge.public(Method::POST, "/v1/auth/login").body(format!("{{\"email\": \"{}\"}}", large()));
    let prepare = edge.public(Method::POST, "/v1/reservations:prepare").bearer_auth(&token).body(large());
    let event = edge.public(Method::POST, "/v1/webhooks/simulator").body(large());
    // Without content-length the size is not known in advance.
    let pieces = (0..80).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from("x".repeat(65_536)))));
    let chunked = Body::wrap(StreamBody::new(tokio_stream::iter(pieces)));
    let chunked = edge.public(Method::POST, "/v1/webhooks/simulator").body(chunked);
    for request in [login, prepare, event, chunked] {
        let (status, reason, _) = error(request).await?;
        assert_eq!((status, reason.as_str()), (413, "REQUEST_TOO_LARGE"));
    }
    // A body just below the limit is accepted.
    let fits = edge.public(Method::POST, "/v1/webhooks/simulator").body("x".repeat(1024 * 1024 - 1)).send().await?;
    assert_eq!(fits.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn large_or_many_headers_are_refused() -> Result<()> {
    let edge = Edge::start().await?;
    let large = edge.get("/v1/hotels/7").header("x-large", "x".repeat(40_000));
    let mut many = edge.get("/v1/hotels/7");
    for i in 0..100 {
        many = many.header(format!("x-many-{i}"), "x");
    }
    for request in [large, many] {
        let (status, reason, _) = error(request).await?;
        assert_eq!((status, reason.as_str()), (431, "REQUEST_TOO_LARGE"));
    }
    Ok(())
}
