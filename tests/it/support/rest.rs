//! REST as a partner calls it.

use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::Value;

/// A caller of one gateway, with or without a token.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    http: Client,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Rest {
    pub(crate) fn new(base: &str) -> Self {
        let http = Client::builder().timeout(std::time::Duration::from_secs(30)).build().expect("a client");
        Self { http, base: base.to_owned(), token: None }
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

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, self.url(path));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }
}

impl Answer {
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

    /// Asserts a refusal with its status and reason.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, reason: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.reason()), (status, Some(reason)), "{}", self.body);
        self
    }

    /// Asserts that the error names a field.
    #[track_caller]
    pub(crate) fn naming(self, field: &str) {
        assert!(self.body.to_string().contains(field), "{field} is not named: {}", self.body);
    }
}
