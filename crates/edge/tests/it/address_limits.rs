//! Token buckets of one address, whatever token its requests carry.

use anyhow::Result;
use reqwest::{Method, RequestBuilder, StatusCode};
use rstest::rstest;

use crate::edge::Edge;

/// How many of these requests are refused by a rate limit.
async fn refused(requests: impl IntoIterator<Item = RequestBuilder>) -> Result<u32> {
    let mut refused = 0;
    for request in requests {
        refused += u32::from(request.send().await?.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    Ok(refused)
}

#[tokio::test]
async fn address_bucket_counts_requests_of_all_its_tokens() -> Result<()> {
    let edge = Edge::with(|config| {
        config.addresses.address_requests_per_second = 1;
        config.addresses.address_burst = 20;
        config.trusted_hops = 1;
    })
    .await?
    .with_keys()
    .await?;
    let tokens = (0..4).map(|i| edge.keys.token(&format!("guest-{i}"))).collect::<Result<Vec<_>>>()?;
    let requests = (0..60).map(|i| edge.get("/v1/reservations").bearer_auth(&tokens[i % 4]));
    let from_here = refused(requests.map(|r| r.header("x-forwarded-for", "192.0.2.1"))).await?;
    assert!(from_here >= 30, "{from_here}");
    let elsewhere = edge.get("/v1/reservations").bearer_auth(&tokens[0]).header("x-forwarded-for", "192.0.2.2");
    assert_eq!(elsewhere.send().await?.status(), StatusCode::OK);
    Ok(())
}

#[rstest]
#[case::login("/v1/auth/login")]
#[case::login_with_slash("/v1/auth/login/")]
#[case::login_by_grpc("/staymesh.identity.v1.AuthService/Login")]
#[case::sign_up("/v1/users")]
#[case::guest_checkout("/v1/auth/guestSessions")]
#[case::guest_key("/v1/auth/guestAccess")]
#[case::token("/v1/oauth/token")]
#[case::health_check("/grpc.health.v1.Health/Check")]
#[case::health_watch("/grpc.health.v1.Health/Watch")]
#[case::reflection("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")]
#[case::reflection_v1alpha("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")]
#[tokio::test]
async fn costly_methods_and_streams_have_buckets_of_their_own(#[case] path: &str) -> Result<()> {
    let edge = Edge::with(|config| {
        let limits = &mut config.addresses;
        (limits.logins_per_second, limits.login_burst) = (1, 5);
        (limits.sign_ups_per_second, limits.sign_up_burst) = (1, 5);
        (limits.tokens_per_second, limits.token_burst) = (1, 5);
        (limits.streams_per_second, limits.stream_burst) = (1, 5);
    })
    .await?
    .with_keys()
    .await?;
    let tokens = (0..4).map(|i| edge.keys.token(&format!("guest-{i}"))).collect::<Result<Vec<_>>>()?;
    let call = |i: usize| edge.public(Method::POST, path).bearer_auth(&tokens[i % 4]).body("{}");
    let count = refused((0..30).map(call)).await?;
    assert!(count >= 15, "{count}");
    assert_eq!(edge.get("/v1/hotels/7").send().await?.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_share_a_bucket() -> Result<()> {
    let edge = Edge::with(|config| {
        config.addresses.address_requests_per_second = 1;
        config.addresses.address_burst = 5;
        config.trusted_hops = 1;
    })
    .await?;
    let from = |address: String| edge.get("/v1/hotels/7").header("x-forwarded-for", address);
    let network = refused((0..30).map(|i| from(format!("2001:db8:1:1::{i:x}")))).await?;
    assert!(network >= 15, "{network}");
    assert_eq!(refused([from("2001:db8:1:2::1".to_owned())]).await?, 0, "another /64");
    // A site cannot turn over the buckets with its 65,536 networks.
    let site = refused((0..120).map(|i| from(format!("2001:db8:2:{i:x}::1")))).await?;
    assert!(site >= 40, "{site}");
    assert_eq!(refused([from("2001:db8:3:1::1".to_owned())]).await?, 0, "another /48");
    Ok(())
}
