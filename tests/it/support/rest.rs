//! A REST client of the gateways.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

use super::eventually;

/// A caller of one gateway, with or without a token.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    http: Client,
    base: String,
    token: Option<String>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Rest {
    pub(crate) fn new(base: &str) -> Self {
        Self { http: client(None), base: base.to_owned(), token: None }
    }

    /// The same gateway and token from 127.0.0.`host`. Tests share 127.0.0.1, so a test that uses up what one address may
    /// use has an address of its own.
    pub(crate) fn at_address(&self, host: u8) -> Self {
        Self { http: client(Some(host)), ..self.clone() }
    }

    /// The same gateway, with a token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("has a token")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Posts an idempotent request, and retries it while the response is 503.
    pub(crate) async fn post_until_answered(&self, path: &str, body: Value) -> Value {
        self.call_until_answered(Method::POST, path, Some(body)).await.ok()
    }

    /// Sends an idempotent request, and retries it while the response is 503, as a client should: load shedding on a busy
    /// machine must not fail a test of something else.
    pub(crate) async fn call_until_answered(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let ask = async || {
            let answer = self.call(method.clone(), path, body.clone()).await;
            (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
        };
        eventually(path, ask).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        Answer::to(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    /// A request builder, for malformed requests.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        if let Some(token) = &self.token { request.bearer_auth(token) } else { request }
    }
}

/// An HTTP client for the gateways that connects from 127.0.0.`host`.
pub(super) fn client(host: Option<u8>) -> Client {
    let address = host.map(|host| IpAddr::from([127, 0, 0, host]));
    // The gateways speak plain HTTP here; reading the system's certificates takes longer than most tests.
    let client = Client::builder().local_address(address).timeout(Duration::from_secs(30)).tls_certs_only([]);
    // A gateway closes a connection that was idle for a minute, at the worst while a request is on its way.
    client.pool_idle_timeout(Duration::from_secs(30)).build().expect("a client")
}

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }

    /// The `reason` of an error.
    pub(crate) fn reason(&self) -> Option<&str> {
        let details = self.body["details"].as_array()?;
        details.iter().find_map(|detail| detail["reason"].as_str())
    }

    /// Asserts an error with this status and reason, in the uniform format of errors.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, reason: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.reason()), (status, Some(reason)), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        assert!(self.body["code"].as_i64().is_some_and(|code| (1..=16).contains(&code)), "{}", self.body);
        assert!(self.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", self.body);
        assert_eq!(self.detail("ErrorInfo")["domain"], "staymesh", "{}", self.body);
        let retryable = &self.detail("ErrorInfo")["metadata"]["retryable"];
        assert!(retryable == "true" || retryable == "false", "{}", self.body);
        let request_id = &self.detail("RequestInfo")["request_id"];
        match self.headers.get("x-request-id") {
            Some(id) => assert_eq!(request_id, id.to_str().expect("text"), "{}", self.body),
            // The edge refuses headers that are too large, and paths that it does not accept, before it assigns an id.
            None => assert!(matches!(status, 400 | 431) && request_id.is_null(), "{}", self.body),
        }
        let page = self.detail("Help")["links"][0]["url"].as_str().unwrap_or_default();
        assert!(page.ends_with(&format!("/docs/errors/{reason}.md")), "{}", self.body);
        self
    }

    /// Asserts that exactly these fields are refused, in this order.
    #[track_caller]
    pub(crate) fn violating(self, fields: &[&str]) {
        let answer = self.refused(400, "INVALID_FIELD");
        let violations = answer.detail("BadRequest")["field_violations"].as_array().into_iter().flatten();
        let named: Vec<_> = violations.map(|violation| violation["field"].as_str().unwrap_or_default()).collect();
        assert_eq!(named, fields, "{}", answer.body);
    }

    /// Asserts that the request could not be read as a message of the contract, and that the error names what is wrong.
    #[track_caller]
    pub(crate) fn unreadable(self, name: &str) {
        let answer = self.refused(400, "INVALID_REQUEST");
        let message = answer.body["message"].as_str().unwrap_or_default();
        assert!(message.contains(name), "{name} is not named: {}", answer.body);
    }

    /// A detail of an error by the name of its message in `google.rpc`; null when there is none.
    pub(crate) fn detail(&self, name: &str) -> &Value {
        let of_type = format!("type.googleapis.com/google.rpc.{name}");
        let mut details = self.body["details"].as_array().into_iter().flatten();
        details.find(|detail| detail["@type"] == of_type.as_str()).unwrap_or(&Value::Null)
    }

    /// A header that must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
    }
}
