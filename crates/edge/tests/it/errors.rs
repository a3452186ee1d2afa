//! Errors of the edge and of services: each is a `google.rpc.Status` with a reason.

use anyhow::Result;
use reqwest::{Method, RequestBuilder, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::edge::Edge;

/// Status, reason and message of an error response; fails if it is not complete.
pub(crate) async fn error(request: RequestBuilder) -> Result<(u16, String, String)> {
    error_of(request.send().await?).await
}

pub(crate) async fn error_of(answer: Response) -> Result<(u16, String, String)> {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let text = answer.text().await?;
    let body: Value = serde_json::from_str(&text)?;
    let info = &body["details"].as_array().into_iter().flatten().find(|d| d["reason"].is_string()).cloned();
    let info = info.clone().unwrap_or_default();
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo", "{text}");
    assert_eq!(info["domain"], "staymesh");
    assert!(info["metadata"]["retryable"].is_string(), "{text}");
    assert!(body["code"].is_i64());
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((status, string(&info["reason"]), string(&body["message"])))
}

#[tokio::test]
async fn unknown_routes_parameters_and_fields_are_named() -> Result<()> {
    let edge = Edge::start().await?;
    let (status, reason, message) = error(edge.get("/v1/hotel/7")).await?;
    assert_eq!((status, reason.as_str()), (404, "ROUTE_NOT_FOUND"));
    assert!(message.contains("/v1/hotel/7"), "{message}");

    let (status, reason, message) = error(edge.get("/v1/hotels/7?stars=5")).await?;
    assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"));
    assert!(message.contains("stars"), "{message}");

    let login = |body: &'static str| edge.public(Method::POST, "/v1/auth/login").body(body);
    let (status, reason, message) = error(login(r#"{"email": "a", "pass\"word": "b", "Email": []}"#)).await?;
    assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"));
    assert_eq!(message, "pass\\\"word: unknown field; Email: unknown field");

    for body in ["{\"email\": ", "[]", "\"\\u0000\"", "{\"email\": {}}", "\u{0}\u{1}", "{\"email\": 1e999}"] {
        let (status, reason, _) = error(login(body)).await?;
        assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"), "{body}");
    }
    let (status, reason, message) = error(edge.get("/v1/hotels/seven")).await?;
    assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"));
    assert_eq!(message, "hotel_id: must be an integer from -2147483648 to 2147483647");
    Ok(())
}

#[tokio::test]
async fn unknown_fields_are_refused_at_any_depth() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    let update = |body: &Value| edge.internal(Method::PUT, "/v1/hotels/7").bearer_auth(&token).json(body);
    let known = json!({
        "displayName": "by the other spelling",
        "address": {"city": "Lisbon", "countryCode": "PT"},
        "amenities": ["{\"x\":"],
        "location": {"latitude": -1.5e1, "longitude": 0},
        "create_time": "2030-01-01T00:00:00Z", "etag": null,
    });
    assert_eq!(update(&known).send().await?.status(), 200);
    let (status, reason, message) =
        error(update(&json!({"address": {"city": "Lisbon", "contry": {"x": [1]}}}))).await?;
    assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"));
    assert_eq!(message, "hotel.address.contry: unknown field");
    let new_type = json!({"beds": [{"kind": "BED_KIND_KING"}, {"knd": "BED_KIND_KING"}]});
    let create = edge.internal(Method::POST, "/v1/hotels/7/roomTypes").bearer_auth(&token).json(&new_type);
    assert_eq!(error(create).await?.2, "room_type.beds[1].knd: unknown field");
    // The number of reported names is limited.
    let many: serde_json::Map<_, _> = (0..1000).map(|i| (format!("f{i:03}"), Value::Null)).collect();
    let (.., message) = error(update(&Value::Object(many))).await?;
    assert_eq!(message.matches("unknown field").count(), 10, "{message}");
    Ok(())
}

#[rstest]
#[case(404, 404, "HOTEL_NOT_FOUND", None)]
#[case(429, 429, "LOGIN_THROTTLED", Some("42"))]
#[case(503, 503, "OVERLOADED", Some("2"))]
#[tokio::test]
async fn service_errors_pass_with_their_details(
    #[case] hotel_id: i32,
    #[case] status: u16,
    #[case] reason: &str,
    #[case] retry_after: Option<&str>,
) -> Result<()> {
    let edge = Edge::start().await?;
    let answer = edge.get(&format!("/v1/hotels/{hotel_id}")).send().await?;
    let header = answer.headers().get("retry-after").cloned();
    assert_eq!(header, retry_after.map(str::parse).transpose()?);
    let (seen, name, _) = error_of(answer).await?;
    assert_eq!((seen, name.as_str()), (status, reason));
    Ok(())
}

#[tokio::test]
async fn unreachable_and_slow_services_are_reported() -> Result<()> {
    let edge = Edge::with(|config| {
        config.timeouts.request_seconds = 1;
        // The discard port, without a listener.
        "127.0.0.1:9".parse().into_iter().for_each(|closed| config.upstreams.reservation = closed);
    })
    .await?;
    let answer = edge.get("/v1/hotels/7/offers?check_in=2030-01-01&check_out=2030-01-02").send().await?;
    assert_eq!(answer.headers()["retry-after"], "1");
    let (status, reason, _) = error_of(answer).await?;
    assert_eq!((status, reason.as_str()), (503, "DEPENDENCY_UNAVAILABLE"));

    let (status, reason, message) = error(edge.get("/v1/hotels/504")).await?;
    assert_eq!((status, reason.as_str()), (504, "DEADLINE_EXCEEDED"));
    assert!(message.contains("repeat the same request"), "{message}");
    Ok(())
}

#[tokio::test]
async fn internal_routes_are_refused_on_the_public_listener() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    let create = json!({"display_name": "New"});
    for (method, path) in
        [(Method::POST, "/v1/hotels"), (Method::DELETE, "/v1/hotels/7"), (Method::GET, "/v1/users:find")]
    {
        for with_token in [false, true] {
            let mut request = edge.public(method.clone(), path);
            if with_token {
                request = request.bearer_auth(&token);
            }
            let (status, reason, _) = error(request).await?;
            assert_eq!((status, reason.as_str()), (403, "INTERNAL_ROUTE"), "{method} {path}");
        }
    }
    // Also for malformed requests: the listener is checked first.
    let (status, reason, _) = error(edge.public(Method::POST, "/v1/hotels").body("{\"no")).await?;
    assert_eq!((status, reason.as_str()), (403, "INTERNAL_ROUTE"));

    let inside = edge.internal(Method::POST, "/v1/hotels").bearer_auth(&token).json(&create).send().await?;
    assert_eq!(inside.status(), 200);
    assert_eq!(inside.json::<Value>().await?["display_name"], "New");
    let deleted = edge.internal(Method::DELETE, "/v1/hotels/7").bearer_auth(&token).send().await?;
    assert_eq!(deleted.text().await?, "{}");
    let public_method = edge.internal(Method::GET, "/v1/hotels/7").send().await?;
    assert_eq!(public_method.status(), 200);
    Ok(())
}

#[tokio::test]
async fn services_without_gateway_have_no_route() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let path = "/staymesh.rate.v1.PricingService/PriceStay";
    for request in [edge.public(Method::POST, path), edge.internal(Method::POST, path)] {
        let (status, reason, _) = error(request.bearer_auth(edge.keys.token("ada")?).body("{}")).await?;
        assert_eq!((status, reason.as_str()), (404, "ROUTE_NOT_FOUND"));
    }
    Ok(())
}
