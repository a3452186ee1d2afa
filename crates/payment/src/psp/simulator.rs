//! The adapter to `psp-simulator`, over HTTP.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use staymesh_domain::Money;

use super::{
    Checkout, CheckoutOrder, Psp, PspError, RefundOrder, TransferOrder, TransferWord, Transferred,
    http::{Http, refused, wrong_key},
    switches,
};
use crate::model::CheckoutStatus;

/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Speaks to the simulator.
#[derive(Clone)]
pub struct SimulatorPsp(pub(super) Http);

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
struct TransferAnswer {
    id: String,
    status: TransferName,
    amount_minor: i64,
    currency: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TransferName {
    Paid,
    Failed,
    #[serde(other)]
    Other,
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
        Http::new(url, api_key, timeout, MAX_ANSWER).map(Self)
    }

    fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, PspError> {
        self.0.request(method, segments, self.0.deadline())
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, PspError> {
        let (status, body) = self.0.answer(request).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| PspError::Unknown("an answer that cannot be read"));
        }
        Err(refusal(status, &body))
    }

    async fn session(&self, request: RequestBuilder) -> Result<Checkout, PspError> {
        let answer: SessionAnswer = self.call(request).await?;
        let amount = answer.currency.parse().and_then(|currency| Money::from_minor(answer.amount_minor, currency));
        Ok(Checkout {
            session: answer.id,
            url: answer.url,
            status: match answer.status {
                StatusName::Open => CheckoutStatus::Open,
                StatusName::InReview => CheckoutStatus::InReview,
                StatusName::Paid => CheckoutStatus::Paid,
                StatusName::Failed => CheckoutStatus::Failed,
                StatusName::Expired => CheckoutStatus::Expired,
            },
            amount: amount.map_err(|_| PspError::Unknown("an amount that is none"))?,
        })
    }
}

impl Psp for SimulatorPsp {
    fn check_return_url(&self, url: &str) -> Result<(), &'static str> {
        switches::check(url)
    }

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
        let answer: RefundAnswer = self.call(keyed(request, &order.refund_id.to_string(), &body)).await?;
        if answer.status == "succeeded" { Ok(answer.id) } else { Err(PspError::Unknown("a refund that is not done")) }
    }

    async fn transfer(&self, order: TransferOrder) -> Result<Transferred, PspError> {
        let (minor, currency) = (order.amount.minor(), order.amount.currency().code());
        let body = json!({
            "amount_minor": minor,
            "currency": currency,
            "destination": order.destination,
            "reference": order.transfer_id,
        });
        let request = self.request(Method::POST, &["v1", "transfers"])?;
        let answer: TransferAnswer = self.call(keyed(request, &order.transfer_id.to_string(), &body)).await?;
        if (answer.amount_minor, answer.currency.as_str()) != (minor, currency) {
            return Err(PspError::Unknown("a transfer of another amount"));
        }
        let word = match answer.status {
            TransferName::Paid => TransferWord::Paid,
            TransferName::Failed => TransferWord::Failed,
            TransferName::Other => return Err(PspError::NotYet("the transfer is on its way")),
        };
        Ok(Transferred { psp_transfer: answer.id, word })
    }
}

fn keyed(request: RequestBuilder, key: &str, body: &Value) -> RequestBuilder {
    request.header("idempotency-key", key).json(body)
}

fn refusal(status: StatusCode, body: &[u8]) -> PspError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => wrong_key(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => PspError::Unavailable("it is too busy"),
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            refused(status, serde_json::from_slice::<ErrorAnswer>(body).map(|answer| answer.error.code).ok())
        }
        _ => PspError::Unknown("it answered with an error of its own"),
    }
}

#[cfg(test)]
#[path = "simulator_tests.rs"]
mod tests;
