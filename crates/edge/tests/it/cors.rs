//! Pages of other origins.

use anyhow::Result;
use reqwest::{Method, RequestBuilder};

use crate::edge::Edge;

const SITE: &str = "https://booking.example";

fn preflight(request: RequestBuilder, origin: &str) -> RequestBuilder {
    request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-grpc-web")
}

#[tokio::test]
async fn pages_of_a_configured_origin_may_call_the_public_gateway() -> Result<()> {
    let edge = Edge::with(|config| config.cors_origins = vec![SITE.parse().expect("an origin")]).await?;
    for path in ["/v1/auth/login", "/v1/reservations", "/staymesh.hotel.v1.HotelService/GetHotel"] {
        let answer = preflight(edge.public(Method::OPTIONS, path), SITE).send().await?;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], SITE);
        let methods = answer.headers()["access-control-allow-methods"].to_str()?.to_owned();
        assert!(methods.contains("POST") && methods.contains("DELETE"), "{methods}");
        let headers = answer.headers()["access-control-allow-headers"].to_str()?.to_owned();
        assert!(headers.contains("authorization") && headers.contains("x-grpc-web"), "{headers}");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
        assert!(answer.bytes().await?.is_empty(), "{path}");
    }
    // Answers and errors, also those of the edge, can be read by the page.
    for path in ["/v1/hotels/7", "/v1/hotels/404", "/v1/reservations", "/v1/hotels?x=1"] {
        let answer = edge.get(path).header("origin", SITE).send().await?;
        assert_eq!(answer.headers()["access-control-allow-origin"], SITE, "{path}");
        let exposed = answer.headers()["access-control-expose-headers"].to_str()?.to_owned();
        assert!(exposed.contains("grpc-status") && exposed.contains("x-request-id"), "{exposed}");
    }
    Ok(())
}

#[tokio::test]
async fn other_origins_and_the_internal_gateway_have_no_cors() -> Result<()> {
    let edge = Edge::with(|config| config.cors_origins = vec![SITE.parse().expect("an origin")]).await?;
    let path = "/v1/auth/login";
    let evil = ["https://evil.example", "https://booking.example.evil.example", "http://booking.example", "null"];
    let mut requests: Vec<RequestBuilder> =
        evil.iter().map(|origin| preflight(edge.public(Method::OPTIONS, path), origin)).collect();
    requests.push(preflight(edge.internal(Method::OPTIONS, path), SITE));
    for request in requests {
        let answer = request.send().await?;
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{:?}", answer.headers());
    }
    let without = Edge::start().await?;
    let answer = preflight(without.public(Method::OPTIONS, path), SITE).send().await?;
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    Ok(())
}
