//! Authentication with access tokens.

use anyhow::Result;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    edge::Edge,
    errors::{error, error_of},
    keys::{Keys, claims},
};

const RESERVATION: &str = "/v1/reservations/0190a6f0-0000-8000-8000-000000000001";
const GET_RESERVATION: &str = "/staymesh.reservation.v1.ReservationService/GetReservation";

#[tokio::test]
async fn valid_token_is_forwarded() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    let answer = edge.get(RESERVATION).bearer_auth(&token).send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = edge.upstream.last_headers(GET_RESERVATION).unwrap_or_default();
    assert_eq!(headers["authorization"], format!("Bearer {token}"));
    assert_eq!(headers["x-staymesh-subject"], "ada");
    Ok(())
}

#[tokio::test]
async fn scheme_has_no_case() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    for scheme in ["bearer", "BEARER", "bEaReR", "Bearer  "] {
        let answer = edge.get(RESERVATION).header("authorization", format!("{scheme} {token}")).send().await?;
        assert_eq!(answer.status(), StatusCode::OK, "{scheme}");
        assert_eq!(edge.upstream.last_headers(GET_RESERVATION).unwrap_or_default()["x-staymesh-subject"], "ada");
    }
    for wrong in [token.clone(), format!("bearer{token}"), "Bearer".to_owned(), "Basic YTpi".to_owned()] {
        assert_eq!(error(edge.get(RESERVATION).header("authorization", &wrong)).await?.0, 401, "{wrong}");
    }
    Ok(())
}

#[tokio::test]
async fn invalid_tokens_are_refused() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let good = claims("ada")?;
    let mut expired = good.clone();
    expired.exp = good.iat - 60;
    let mut other_audience = good.clone();
    other_audience.aud = "other-audience".to_owned();
    let mut other_issuer = good.clone();
    other_issuer.iss = "https://evil.example".to_owned();
    let mut tokens = vec!["nonsense".to_owned(), String::new(), Keys::generate()?.sign(&good)?];
    for wrong in [expired, other_audience, other_issuer] {
        tokens.push(edge.keys.sign(&wrong)?);
    }
    let unsigned =
        format!("{}.{}.", "eyJhbGciOiJub25lIn0", edge.keys.sign(&good)?.split('.').nth(1).unwrap_or_default());
    tokens.push(unsigned);
    tokens.push(edge.keys.sign_as("no-such-key", &good)?);
    for token in tokens {
        let (status, reason, message) = error(edge.get(RESERVATION).bearer_auth(&token)).await?;
        assert_eq!((status, reason.as_str()), (401, "UNAUTHENTICATED"), "{token}: {message}");
    }
    // A valid token in the query, where it would be logged, is refused.
    let (status, ..) = error(edge.get(&format!("{RESERVATION}?access_token={}", edge.keys.token("ada")?))).await?;
    assert_eq!(status, 401);
    assert!(edge.upstream.last_headers(GET_RESERVATION).is_none(), "none of them came through");
    Ok(())
}

#[tokio::test]
async fn unauthenticated_caller_gets_no_validation_errors() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let bad_body = edge.public(Method::POST, "/v1/reservations").body("{\"nonsense\": ");
    let bad_query = edge.get(&format!("{RESERVATION}?nonsense=1"));
    let bad_value = edge.internal(Method::PUT, "/v1/hotels/seven").body("{}");
    for request in [bad_body, bad_query, bad_value] {
        let (status, reason, _) = error(request).await?;
        assert_eq!((status, reason.as_str()), (401, "UNAUTHENTICATED"));
    }
    Ok(())
}

#[tokio::test]
async fn alternative_path_spellings_do_not_bypass_authentication() -> Result<()> {
    let edge = Edge::start().await?;
    for path in [
        "/v1/reservations/",
        "/v1//reservations",
        "/v1/./reservations",
        "/v1/x/../reservations",
        "/v1/reservations?",
        "/v1/reservations#x",
    ] {
        // Sent raw: an HTTP client would normalize the path.
        let answer = raw(&edge, path).await?;
        assert!(answer.starts_with("HTTP/1.1 401") || answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    for path in [
        "/v1/%72eservations",
        "/v1/reservations%2F",
        "/v1/reservations;x",
        "/v1%2Freservations",
        "/V1/reservations",
        "/v1/reservations\\",
    ] {
        let answer = raw(&edge, path).await?;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    assert!(edge.upstream.last_headers("/staymesh.reservation.v1.ReservationService/ListReservations").is_none());
    Ok(())
}

async fn raw(edge: &Edge, path: &str) -> Result<String> {
    let mut connection = TcpStream::connect(edge.config.public_listen).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn invalid_token_does_not_prevent_login() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let login = || edge.public(Method::POST, "/v1/auth/login").json(&json!({"email": "a@b.c", "password": "x"}));
    for request in [login(), login().bearer_auth("nonsense"), login().bearer_auth(edge.keys.token("ada")?)] {
        let answer = request.send().await?;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await?.starts_with(r#"{"access_token":"a@b.c""#));
    }
    Ok(())
}

#[tokio::test]
async fn edge_starts_without_identity_and_reports_missing_keys() -> Result<()> {
    let edge = Edge::with(|config| {
        "127.0.0.1:9".parse().into_iter().for_each(|closed| config.upstreams.identity = closed);
    })
    .await?;
    assert_eq!(edge.get("/v1/hotels/7").send().await?.status(), StatusCode::OK);
    let answer = edge.get(RESERVATION).bearer_auth(edge.keys.token("ada")?).send().await?;
    assert_eq!(answer.headers()["retry-after"], "1");
    let (status, reason, _) = error_of(answer).await?;
    assert_eq!((status, reason.as_str()), (503, "DEPENDENCY_UNAVAILABLE"));
    // A request without a token is still refused as unauthenticated.
    assert_eq!(error(edge.get(RESERVATION)).await?.0, 401);
    Ok(())
}
