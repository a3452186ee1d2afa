//! The adapter to `psp-simulator`, over HTTP.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use staymesh_domain::Money;
use staymesh_mesh::context::RequestContext;

use super::{Checkout, CheckoutOrder, Psp, PspError, RefundOrder};
use crate::model::CheckoutStatus;

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Speaks to the simulator.
#[derive(Clone)]
pub struct SimulatorPsp {
    http: reqwest::Client,
    base: Url,
    api_key: SecretString,
    timeout: Duration,
}

#[derive(Deserialize)]
struct SessionAnswer {
    id: String,
    url: String,
    status: StatusName,
    amount_minor: i64,
    currency: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatusName {
    Open,
    /// Somebody decides about it, and may take any time for that.
    InReview,
    Paid,
    Failed,
    Expired,
}

#[derive(Deserialize)]
struct RefundAnswer {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorCode,
}

#[derive(Deserialize)]
struct ErrorCode {
    code: String,
}

impl SimulatorPsp {
    /// An adapter to the simulator at this address. Each call takes at most `timeout`.
    ///
    /// # Errors
    /// When the address is no http or https URL, or the client cannot be made.
    pub fn new(url: &str, api_key: SecretString, timeout: Duration) -> Result<Self, String> {
        let base: Url = url.parse().map_err(|_| format!("'{url}' is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(format!("'{url}' is not an address like http://psp:8090"));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, base, api_key, timeout })
    }

    fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, PspError> {
        let mut url = self.base.clone();
        // Ids become path segments, escaped: none of them can lead elsewhere.
        url.path_segments_mut()
            .map_err(|()| PspError::Unavailable("its address is wrong"))?
            .pop_if_empty()
            .extend(segments);
        let left = RequestContext::current().map_or(self.timeout, |context| context.remaining().min(self.timeout));
        Ok(self.http.request(method, url).bearer_auth(self.api_key.expose_secret()).timeout(left))
    }

    async fn session(&self, request: RequestBuilder) -> Result<Checkout, PspError> {
        let answer: SessionAnswer = call(request).await?;
        let amount = answer.currency.parse().and_then(|currency| Money::from_minor(answer.amount_minor, currency));
        Ok(Checkout {
            session: answer.id,
            url: answer.url,
            status: match answer.status {
                StatusName::Open | StatusName::InReview => CheckoutStatus::Open,
                StatusName::Paid => CheckoutStatus::Paid,
                StatusName::Failed => CheckoutStatus::Failed,
                StatusName::Expired => CheckoutStatus::Expired,
            },
            amount: amount.map_err(|_| PspError::Unknown("an amount that is none"))?,
        })
    }
}

impl Psp for SimulatorPsp {
    async fn create_checkout(&self, order: CheckoutOrder) -> Result<Checkout, PspError> {
        let body = json!({
            "amount_minor": order.amount.minor(),
            "currency": order.amount.currency().code(),
            "reference": order.payment_id,
            "description": order.description,
            "return_url": (!order.return_url.is_empty()).then_some(order.return_url),
            // Rounded down, so that the page never takes money after the rooms are free again.
            "expires_at": order.expire_time.as_second(),
        });
        let request = self.request(Method::POST, &["v1", "checkout_sessions"])?;
        self.session(keyed(request, &order.payment_id.to_string(), &body)).await
    }

    async fn expire_checkout(&self, session: String) -> Result<Checkout, PspError> {
        let request = self.request(Method::POST, &["v1", "checkout_sessions", &session, "expire"])?;
        self.session(request).await
    }

    async fn fetch_checkout(&self, session: String) -> Result<Checkout, PspError> {
        let request = self.request(Method::GET, &["v1", "checkout_sessions", &session])?;
        self.session(request).await
    }

    async fn refund(&self, order: RefundOrder) -> Result<String, PspError> {
        let body = json!({
            "session": order.session,
            "amount_minor": order.amount.minor(),
            "reference": order.refund_id,
        });
        let request = self.request(Method::POST, &["v1", "refunds"])?;
        let answer: RefundAnswer = call(keyed(request, &order.refund_id.to_string(), &body)).await?;
        if answer.status == "succeeded" { Ok(answer.id) } else { Err(PspError::Unknown("a refund that is not done")) }
    }
}

fn keyed(request: RequestBuilder, key: &str, body: &Value) -> RequestBuilder {
    request.header("idempotency-key", key).json(body)
}

async fn call<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, PspError> {
    let mut response = request.send().await.map_err(|error| {
        if error.is_connect() {
            PspError::Unavailable("it cannot be reached")
        } else {
            PspError::NoAnswer(kind(&error))
        }
    })?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| PspError::NoAnswer(kind(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(PspError::Unknown("an answer of unreasonable size"));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| PspError::Unknown("an answer that cannot be read"));
    }
    Err(refusal(status, &body))
}

fn refusal(status: StatusCode, body: &[u8]) -> PspError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            // Our own mistake, and one that is put right without any payment being lost.
            tracing::error!("the payment provider does not take our API key");
            PspError::Unavailable("it does not take our API key")
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => PspError::Unavailable("it is too busy"),
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            let code = serde_json::from_slice::<ErrorAnswer>(body).map(|answer| answer.error.code);
            let plain = |code: &String| code.len() <= 60 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            PspError::Refused(code.ok().filter(plain).unwrap_or_else(|| format!("http_{}", status.as_u16())))
        }
        _ => PspError::Unknown("it answered with an error of its own"),
    }
}

fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "no answer in time" } else { "the connection broke" }
}

#[cfg(test)]
#[path = "simulator_tests.rs"]
mod tests;
