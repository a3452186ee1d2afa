//! One reading of a request: what the edge takes is JSON of which every reader sees the same fields, and the service gets those.

mod model;

use anyhow::Result;
use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{edge::Edge, errors::error};

const REFUND: &str = "/v1/payments/0190a6f0-0000-7000-8000-000000000001:refund";

impl Edge {
    /// A request with this body to a method of the internal gateway.
    fn with_body(&self, verb: Method, path: &str, body: impl Into<reqwest::Body>) -> Result<RequestBuilder> {
        Ok(self.internal(verb, path).bearer_auth(self.keys.token("ada")?).body(body))
    }
}

/// Field and description of every violation in an error.
async fn violations(request: RequestBuilder) -> Result<Vec<(String, String)>> {
    let body: Value = request.send().await?.json().await?;
    let details = body["details"].as_array().into_iter().flatten();
    let bad = details.filter_map(|detail| detail["field_violations"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(bad.map(|violation| (text(&violation["field"]), text(&violation["description"]))).collect())
}

#[rstest]
#[case::twice(r#"{"request_id": "a", "request_id": "b"}"#, "request_id: given more than once")]
#[case::both_spellings(r#"{"request_id": "a", "requestId": "b"}"#, "request_id: given more than once")]
#[case::null_first(r#"{"request_id": null, "request_id": "b"}"#, "request_id: given more than once")]
#[case::in_path(r#"{"payment_id": "P2"}"#, "payment_id: is in the path")]
#[case::in_path_twice(r#"{"paymentId": "P1", "payment_id": "P2"}"#, "payment_id: is in the path")]
#[case::escaped_name(r#"{"payment\u005fid": "P2"}"#, "payment\\u005fid: unknown field")]
#[case::twice_inside(r#"{"amount": {"amount": "1", "amount": "2"}}"#, "amount.amount: given more than once")]
#[case::null_byte_in_name("{\"request_id\\u0000\": \"a\"}", "request_id\\u0000: unknown field")]
#[tokio::test]
async fn second_reading_of_a_name_is_refused(#[case] body: &'static str, #[case] expected: &str) -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let (status, reason, message) = error(edge.with_body(Method::POST, REFUND, body)?).await?;
    assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"));
    assert!(message.starts_with(expected), "{message}");
    Ok(())
}

#[tokio::test]
async fn body_that_is_no_json_is_refused_without_its_content() -> Result<()> {
    let edge = Edge::with(|config| {
        config.addresses.address_requests_per_second = 1_000_000;
        config.addresses.address_burst = 1_000_000;
        config.addresses.logins_per_second = 1_000_000;
        config.addresses.login_burst = 1_000_000;
        config.addresses.sign_ups_per_second = 1_000_000;
        config.addresses.sign_up_burst = 1_000_000;
        config.addresses.tokens_per_second = 1_000_000;
        config.addresses.token_burst = 1_000_000;
        config.addresses.max_auth_body_bytes = 1_000_000;
    })
    .await?;
    let bodies: [&[u8]; 26] = [
        b"email=ada%40example&password=hunter2",
        b"{'password': 'hunter2'}",
        b"{'email': 7}",
        b"{\x0b\"password\": \"hunter2\"}",
        b"{\x0c\"password\": \"hunter2\"}",
        b"{\xc2\xa0\"password\": \"hunter2\"}",
        b"\xef\xbb\xbf{\"password\": \"hunter2\"}",
        b"{password: \"hunter2\"}",
        b"{\"password\": hunter2}",
        b"{\"password\": \"hunter2\",}",
        b"{\"password\": \"hunter2\"}{\"password\": \"x\"}",
        b"{\"password\": \"hunter2\"} x",
        b"{\"password\": \"hunter2\\x\"}",
        b"{\"password\": \"hunter2\\ud800\"}",
        b"{\"password\": \"hunter2\\udc00\\ud800\"}",
        b"{\"password\": \"hunter2\xff\"}",
        b"{\"password\": \"hunter2\xc0\x80\"}",
        b"{\"password\": \"hunter2\xed\xa0\x80\"}",
        b"{\"password\": \"hunter2\n\"}",
        b"{\"password\": \"hunter2\x00\"}",
        b"{\"password\" \"hunter2\"}",
        b"{\"password\": \"hunter2\" /* */}",
        b"{\"password\": 01, \"email\": \"hunter2\"}",
        b"[\"hunter2\"]",
        b"\"hunter2\"",
        b" ",
    ];
    for body in bodies {
        let login = || edge.public(Method::POST, "/v1/auth/login").body(body);
        let shown = String::from_utf8_lossy(body);
        let (status, reason, message) = error(login()).await?;
        assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"), "{shown}");
        assert!(message.starts_with("JSON is expected"), "{shown}: {message}");
        assert!(!login().send().await?.text().await?.contains("hunter"), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once_without_their_values() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let login = json!({"email": 7, "password": {"value": "hunter2"}});
    let login = || edge.public(Method::POST, "/v1/auth/login").json(&login);
    let expected = ["email", "password"].map(|field| (field.to_owned(), "must be a text".to_owned()));
    assert_eq!(violations(login()).await?, expected);
    assert!(!login().send().await?.text().await?.contains("hunter2"));

    let room_type = json!({
        "display_name": null, "max_guests": "four", "beds": [{"kind": "BED_KIND_HAMMOCK"}, {"count": 1.5}, 3], "amenities": "x",
    });
    let create = edge.with_body(Method::POST, "/v1/hotels/seven/roomTypes", room_type.to_string())?;
    let wrong = violations(create).await?;
    let fields: Vec<&str> = wrong.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields[0], "hotel_id", "{wrong:?}");
    for field in ["room_type.beds[0].kind", "room_type.beds[1].count", "room_type.beds[2]"] {
        assert!(fields.contains(&field), "{field}: {wrong:?}");
    }
    // A wrong name of an enumeration gets those there are.
    let kind = wrong.iter().find(|(field, _)| field.ends_with("kind")).map(|(_, description)| description.as_str());
    assert!(kind.is_some_and(|text| text.starts_with("must be one of BED_KIND_") && text.contains("BED_KIND_KING")));
    Ok(())
}

#[tokio::test]
async fn query_has_one_reading_and_its_errors_name_what_there_is() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let token = edge.keys.token("ada")?;
    let offers = "/v1/hotels/7/offers?check_in=2030-01-01&check_out=2030-01-02";
    let (.., message) = error(edge.get(&format!("{offers}&adults=2"))).await?;
    assert!(message.starts_with("adults: unknown query parameter; there are "), "{message}");
    assert!(message.contains("check_in") && message.contains("occupancies"), "{message}");
    for (path, expected) in [
        ("/v1/hotels?page_size=1&page_size=2", "page_size: given more than once"),
        ("/v1/hotels?page_size=1&pageSize=2", "page_size: given more than once"),
        ("/v1/hotels?page_size=%31&page%5fsize=2", "page_size: given more than once"),
        ("/v1/hotels?page_size=many", "page_size: must be an integer"),
        ("/v1/hotels?page_size=0x10", "page_size: must be an integer"),
        ("/v1/hotels?page_size=99999999999", "page_size: must be an integer"),
        ("/v1/hotels?page_size", "page_size: has no value"),
        ("/v1/hotels?city=%ff", "city: must be a text"),
        ("/v1/reservations?status=PAID", "status: must be one of RESERVATION_STATUS_"),
    ] {
        let (status, reason, message) = error(edge.get(path).bearer_auth(&token)).await?;
        assert_eq!((status, reason.as_str()), (400, "INVALID_REQUEST"), "{path}");
        assert!(message.starts_with(expected), "{path}: {message}");
    }
    Ok(())
}

/// Pages are opened from mails and social networks, which add parameters of their own.
#[tokio::test]
async fn page_ignores_unknown_parameters() -> Result<()> {
    let edge = Edge::start().await?;
    let page = "/v1/statusPages/0190a6f0-0000-8000-8000-000000000001?key=right&fbclid=x&utm_source=mail&%ff=1";
    assert_eq!(edge.get(page).send().await?.status(), 200);
    Ok(())
}
