//! The HTTP client of the adapters: a deadline for every call, a size limit for every response, and no redirects.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::PspError;

/// Longest error code of a provider that is passed on, in bytes.
const MAX_CODE: usize = 60;

/// How much time the caller of the current task has left; `None` when it has no deadline. Called once for each deadline.
pub type CallerBudget = fn() -> Option<Duration>;

/// A provider's base URL, with the API key for it.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    api_key: SecretString,
    timeout: Duration,
    caller_budget: CallerBudget,
    max_response: usize,
}

impl Http {
    /// A client for this base URL. A deadline from [`Self::deadline`] is at most `timeout` ahead; a response of more than
    /// `max_response` bytes is an error.
    pub(crate) fn new(
        url: &str,
        api_key: SecretString,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Self, String> {
        let base: Url = url.parse().map_err(|_| format!("'{url}' is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(format!("'{url}' is not an address like http://psp:8090"));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, base, api_key, timeout, caller_budget: || None, max_response })
    }

    /// The same client, whose deadlines are also bounded by the caller's.
    pub(crate) fn with_caller_budget(self, caller_budget: CallerBudget) -> Self {
        Self { caller_budget, ..self }
    }

    /// The same client with `factor` times the timeout, and another size limit in bytes.
    pub(crate) fn scaled(&self, factor: u32, max_response: usize) -> Self {
        Self { timeout: self.timeout.saturating_mul(factor), max_response, ..self.clone() }
    }

    /// The deadline of work that begins now: one call, or several that form one step.
    pub(crate) fn deadline(&self) -> Instant {
        let left = (self.caller_budget)().map_or(self.timeout, |left| left.min(self.timeout));
        Instant::now() + left
    }

    pub(crate) fn request(
        &self,
        method: Method,
        segments: &[&str],
        deadline: Instant,
    ) -> Result<RequestBuilder, PspError> {
        let mut url = self.base.clone();
        // Ids are path segments and escaped: an id cannot select another path.
        url.path_segments_mut()
            .map_err(|()| PspError::Unavailable("its URL has no path"))?
            .pop_if_empty()
            .extend(segments);
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(self.client.request(method, url).bearer_auth(self.api_key.expose_secret()).timeout(left))
    }

    /// Sends the request; returns the status and the whole body.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), PspError> {
        let mut response = request.send().await.map_err(send_error)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| PspError::NoResponse(kind(&error)))? {
            if body.len() + chunk.len() > self.max_response {
                return Err(PspError::Unknown("the response exceeds the size limit"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }

    /// Sends the request; returns a body of any size as chunks, or the status of a response that is no success. The
    /// request's deadline bounds the whole, the timeout each chunk.
    pub(crate) async fn stream(&self, request: RequestBuilder) -> Result<Result<Chunks, StatusCode>, PspError> {
        let sent = tokio::time::timeout(self.timeout, request.send()).await;
        let response = sent.map_err(|_| PspError::NoResponse("timed out"))?.map_err(send_error)?;
        let status = response.status();
        Ok(if status.is_success() { Ok(Chunks { response, timeout: self.timeout }) } else { Err(status) })
    }
}

/// A body that is read chunk by chunk, each with its own timeout.
pub(crate) struct Chunks {
    response: reqwest::Response,
    timeout: Duration,
}

impl Chunks {
    /// The next chunk; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, PspError> {
        let chunk = tokio::time::timeout(self.timeout, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| PspError::NoResponse("timed out"))?;
        Ok(chunk.map_err(|error| PspError::NoResponse(kind(&error)))?.map(|bytes| bytes.to_vec()))
    }
}

const KEY_REJECTED: PspError = PspError::Unavailable("the API key is rejected");

/// The provider rejects the API key: a wrong setting. No payment is lost by it.
pub(crate) fn key_rejected() -> PspError {
    tracing::error!("the payment provider rejects the API key");
    KEY_REJECTED
}

/// Whether the API key was rejected, which a retry does not change.
pub(crate) fn is_key_rejected(error: &PspError) -> bool {
    *error == KEY_REJECTED
}

/// A refusal with the provider's error code, if it is one. Messages are not passed on: they may contain personal data.
pub(crate) fn refused(status: StatusCode, code: Option<String>) -> PspError {
    let plain = |code: &String| {
        (1..=MAX_CODE).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    PspError::Refused(code.filter(plain).unwrap_or_else(|| format!("http_{}", status.as_u16())))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn send_error(error: reqwest::Error) -> PspError {
    if error.is_connect() { PspError::Unavailable("the connection failed") } else { PspError::NoResponse(kind(&error)) }
}

fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "timed out" } else { "the connection was lost" }
}
