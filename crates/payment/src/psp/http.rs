//! Calls to a provider over HTTP: each has a deadline and an end to its size, and follows nobody elsewhere.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use staymesh_mesh::context::RequestContext;
use tokio::time::Instant;

use super::PspError;

/// Longest error code of a provider that is repeated.
const MAX_CODE: usize = 60;

/// One provider's address, and our key for it.
#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
    api_key: SecretString,
    timeout: Duration,
    max_answer: usize,
}

impl Http {
    /// Speaks to this address. What is done until [`Self::deadline`] takes at most `timeout`; an answer of more than
    /// `max_answer` bytes is none.
    pub(super) fn new(url: &str, api_key: SecretString, timeout: Duration, max_answer: usize) -> Result<Self, String> {
        let base: Url = url.parse().map_err(|_| format!("'{url}' is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(format!("'{url}' is not an address like http://psp:8090"));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, base, api_key, timeout, max_answer })
    }

    /// The same provider, where a step may take so many times as long, and an answer has at most `max_answer` bytes.
    pub(super) fn patient(&self, times: u32, max_answer: usize) -> Self {
        Self { timeout: self.timeout.saturating_mul(times), max_answer, ..self.clone() }
    }

    /// Until when what begins now may take: one call to the provider, or several that make one step of ours.
    pub(super) fn deadline(&self) -> Instant {
        let left = RequestContext::current().map_or(self.timeout, |context| context.remaining().min(self.timeout));
        Instant::now() + left
    }

    pub(super) fn request(
        &self,
        method: Method,
        segments: &[&str],
        deadline: Instant,
    ) -> Result<RequestBuilder, PspError> {
        let mut url = self.base.clone();
        // Ids become path segments, escaped: none of them can lead elsewhere.
        url.path_segments_mut()
            .map_err(|()| PspError::Unavailable("its address is wrong"))?
            .pop_if_empty()
            .extend(segments);
        let left = deadline.saturating_duration_since(Instant::now());
        Ok(self.client.request(method, url).bearer_auth(self.api_key.expose_secret()).timeout(left))
    }

    /// Status and body of the answer.
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), PspError> {
        let mut response = request.send().await.map_err(unsent)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| PspError::NoAnswer(kind(&error)))? {
            if body.len() + chunk.len() > self.max_answer {
                return Err(PspError::Unknown("an answer of unreasonable size"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }

    /// A body of any size, when the answer is a success, and the status of the answer when it is not. The whole may
    /// take until the request's deadline.
    pub(super) async fn pieces(&self, request: RequestBuilder) -> Result<Result<Pieces, StatusCode>, PspError> {
        let sent = tokio::time::timeout(self.timeout, request.send()).await;
        let response = sent.map_err(|_| PspError::NoAnswer("no answer in time"))?.map_err(unsent)?;
        let status = response.status();
        Ok(if status.is_success() { Ok(Pieces { response, patience: self.timeout }) } else { Err(status) })
    }
}

/// A body that comes a piece at a time, each of which has its own deadline.
pub(super) struct Pieces {
    response: reqwest::Response,
    patience: Duration,
}

impl Pieces {
    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, PspError> {
        let piece = tokio::time::timeout(self.patience, self.response.chunk()).await;
        let piece = piece.map_err(|_| PspError::NoAnswer("no answer in time"))?;
        Ok(piece.map_err(|error| PspError::NoAnswer(kind(&error)))?.map(|bytes| bytes.to_vec()))
    }
}

const WRONG_KEY: PspError = PspError::Unavailable("it does not take our API key");

/// The provider does not take our key: our own mistake, and one that is put right without any payment being lost.
pub(super) fn wrong_key() -> PspError {
    tracing::error!("the payment provider does not take our API key");
    WRONG_KEY
}

/// Whether it is that mistake, which no patience puts right.
pub(super) fn is_wrong_key(error: &PspError) -> bool {
    *error == WRONG_KEY
}

/// A refusal with the provider's code, if that is one: what it writes for people may name a person, and is not repeated.
pub(super) fn refused(status: StatusCode, code: Option<String>) -> PspError {
    let plain = |code: &String| {
        (1..=MAX_CODE).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    PspError::Refused(code.filter(plain).unwrap_or_else(|| format!("http_{}", status.as_u16())))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unsent(error: reqwest::Error) -> PspError {
    if error.is_connect() { PspError::Unavailable("it cannot be reached") } else { PspError::NoAnswer(kind(&error)) }
}

fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "no answer in time" } else { "the connection broke" }
}
