//! Access log, health check, and headers that callers cannot set.

use anyhow::Result;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::{edge::Edge, errors::error};

const LOGIN: &str = "/staymesh.identity.v1.AuthService/Login";
const GET_HOTEL: &str = "/staymesh.hotel.v1.HotelService/GetHotel";

#[tokio::test]
async fn access_log_contains_no_secrets() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("0190a6f0-ada")?;
    let path = "/v1/hotels/7/availability";
    let answer = edge.get(&format!("{path}?check_in=2030-01-01&check_out=secret")).bearer_auth(&token).send().await?;
    let request_id = answer.headers()["x-request-id"].to_str()?.to_owned();
    let line = edge.logged(path).await?;
    assert_eq!(line["request_id"], request_id);
    assert_eq!(line["subject"], "0190a6f0-ada");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["rpc"], "/staymesh.reservation.v1.ReservationService/GetAvailability");
    assert_eq!(line["code"], 200);
    assert_eq!(line["upstream"], "reservation");
    assert_eq!(line["gateway"], "public");
    assert!(line["duration_ms"].is_u64());
    let text = line.to_string();
    assert!(!text.contains("secret") && !text.contains(&token), "{text}");
    let headers = edge.upstream.last_headers("/staymesh.reservation.v1.ReservationService/GetAvailability");
    assert_eq!(headers.and_then(|h| h.get("x-request-id").cloned()), Some(request_id.parse()?));
    Ok(())
}

#[tokio::test]
async fn internal_headers_from_callers_are_removed() -> Result<()> {
    let edge = Edge::start().await?;
    let answer = edge
        .get("/v1/hotels/7")
        .header("x-staymesh-subject", "admin")
        .header("x-envoy-original-path", "/x")
        .header("x-envoy-upstream-rq-timeout-ms", "1")
        .header("x-envoy-retry-on", "5xx")
        .header("x-request-id", "forged-request-id")
        .send()
        .await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["server"], "staymesh");
    assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("x-envoy-")), "{:?}", answer.headers());
    let headers = edge.upstream.last_headers(GET_HOTEL).unwrap_or_default();
    assert!(!headers.contains_key("x-staymesh-subject"));
    assert!(!headers.contains_key("x-envoy-retry-on"));
    assert_eq!(headers["x-envoy-original-path"], "/v1/hotels/7");
    assert_ne!(headers["x-request-id"], "forged-request-id");
    Ok(())
}

#[tokio::test]
async fn services_get_the_name_of_the_gateway_once_whatever_callers_send() -> Result<()> {
    let edge = Edge::start().await?;
    for (request, name) in
        [(edge.get("/v1/hotels/7"), "public"), (edge.internal(Method::GET, "/v1/hotels/7"), "internal")]
    {
        let forged = request.header("x-staymesh-gateway", "internal").header("X-Staymesh-Gateway", "mesh");
        assert_eq!(forged.send().await?.status(), StatusCode::OK);
        let headers = edge.upstream.last_headers(GET_HOTEL).unwrap_or_default();
        let names: Vec<_> = headers.get_all("x-staymesh-gateway").iter().collect();
        assert_eq!(names, [name]);
    }
    Ok(())
}

#[tokio::test]
async fn services_get_the_source_address_that_the_edge_has_seen() -> Result<()> {
    let edge = Edge::with(|config| config.trusted_hops = 1).await?;
    let from = |request: reqwest::RequestBuilder| {
        let forged = request.header("x-staymesh-source", "192.0.2.66");
        forged.header("x-forwarded-for", "192.0.2.66, 203.0.113.7")
    };
    let login = edge.public(Method::POST, "/v1/auth/login").json(&json!({"email": "a", "password": "b"}));
    let (inside, outside) = (edge.internal(Method::GET, "/v1/hotels/7"), edge.get("/v1/hotels/7"));
    for (request, path) in [(login, LOGIN), (outside, GET_HOTEL), (inside, GET_HOTEL)] {
        from(request).send().await?;
        let headers = edge.upstream.last_headers(path).unwrap_or_default();
        let sources: Vec<_> = headers.get_all("x-staymesh-source").iter().collect();
        assert_eq!(sources, ["203.0.113.7"], "as the proxy in front has seen it");
    }
    Ok(())
}

#[tokio::test]
async fn paths_are_normalized() -> Result<()> {
    let edge = Edge::start().await?;
    let hotel: Value = edge.get("/v1//hotels/7").send().await?.json().await?;
    assert_eq!(hotel["hotel_id"], 7);
    let (status, reason, message) = error(edge.get("/v1/hotels/7%2Froom")).await?;
    assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"));
    assert!(message.contains("path_normalization_failed"), "{message}");
    let (status, reason, _) =
        error(edge.get("/v1/hotels/7").header("upgrade", "websocket").header("connection", "upgrade")).await?;
    assert_eq!((status, reason.as_str()), (403, "INVALID_REQUEST"));
    Ok(())
}

#[tokio::test]
async fn health_check_fails_while_draining() -> Result<()> {
    let edge = Edge::start().await?;
    for request in [edge.get("/healthz"), edge.internal(Method::GET, "/healthz")] {
        let answer = request.send().await?;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.json::<Value>().await?["status"], "SERVING");
    }
    // As a platform does before it stops an Envoy.
    let drain = format!("http://{}/healthcheck/fail", edge.config.admin_listen);
    Client::new().post(drain).send().await?.error_for_status()?;
    assert_eq!(edge.get("/healthz").send().await?.status(), StatusCode::SERVICE_UNAVAILABLE);
    Ok(())
}
