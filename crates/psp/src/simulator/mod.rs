//! The adapter to `psp-simulator`, over HTTP: a provider for development and tests, see `docs/SANDBOX.md`.

pub mod event;
mod settlement;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use staymesh_domain::Money;

use crate::{
    CallerBudget, Checkout, CheckoutOrder, CheckoutStatus, Psp, PspError, RefundOrder, TransferOrder, TransferOutcome,
    Transferred,
    http::{Http, key_rejected, refused},
};

/// Largest response, in bytes.
const MAX_RESPONSE: usize = 64 * 1024;

/// The client of the simulator.
#[derive(Clone)]
pub struct SimulatorPsp(Http);

#[derive(Deserialize)]
struct SessionResponse {
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
    InReview,
    Paid,
    Failed,
    Expired,
}

#[derive(Deserialize)]
struct RefundResponse {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct TransferResponse {
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
struct ErrorResponse {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: String,
    /// The field of the request that is wrong, if it is one.
    param: Option<String>,
}

impl SimulatorPsp {
    /// An adapter to the simulator at this base URL. `timeout` is the deadline of a call.
    ///
    /// # Errors
    /// When the URL is not an http or https URL, or the TLS client cannot be built.
    pub fn new(url: &str, api_key: SecretString, timeout: Duration) -> Result<Self, String> {
        Http::new(url, api_key, timeout, MAX_RESPONSE).map(Self)
    }

    /// The same adapter, whose calls also end when the caller's own time is up.
    #[must_use]
    pub fn with_caller_budget(self, budget: CallerBudget) -> Self {
        Self(self.0.with_caller_budget(budget))
    }

    fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, PspError> {
        self.0.request(method, segments, self.0.deadline())
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, PspError> {
        let (status, body) = self.0.send(request).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| PspError::Unknown("the response cannot be decoded"));
        }
        Err(failure(status, &body))
    }

    async fn session(&self, request: RequestBuilder) -> Result<Checkout, PspError> {
        let session: SessionResponse = self.call(request).await?;
        let amount = session.currency.parse().and_then(|currency| Money::from_minor(session.amount_minor, currency));
        Ok(Checkout {
            session: session.id,
            url: session.url,
            status: match session.status {
                StatusName::Open => CheckoutStatus::Open,
                StatusName::InReview => CheckoutStatus::InReview,
                StatusName::Paid => CheckoutStatus::Paid,
                StatusName::Failed => CheckoutStatus::Failed,
                StatusName::Expired => CheckoutStatus::Expired,
            },
            amount: amount.map_err(|_| PspError::Unknown("the amount is invalid"))?,
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
            // Rounded down to the second: the page must not accept payment after the hold on the rooms has expired.
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
        let refund: RefundResponse = self.call(keyed(request, &order.refund_id.to_string(), &body)).await?;
        if refund.status == "succeeded" {
            Ok(refund.id)
        } else {
            Err(PspError::Unknown("the refund has an undocumented status"))
        }
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
        let transfer: TransferResponse = self.call(keyed(request, &order.transfer_id.to_string(), &body)).await?;
        if (transfer.amount_minor, transfer.currency.as_str()) != (minor, currency) {
            return Err(PspError::Unknown("the transfer has another amount"));
        }
        let outcome = match transfer.status {
            TransferName::Paid => TransferOutcome::Paid,
            TransferName::Failed => TransferOutcome::Failed,
            TransferName::Other => return Err(PspError::Pending("the transfer is in progress")),
        };
        Ok(Transferred { psp_transfer: transfer.id, outcome })
    }
}

fn keyed(request: RequestBuilder, key: &str, body: &Value) -> RequestBuilder {
    request.header("idempotency-key", key).json(body)
}

fn failure(status: StatusCode, body: &[u8]) -> PspError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => key_rejected(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => PspError::Unavailable("it is overloaded"),
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            let error = serde_json::from_slice::<ErrorResponse>(body).ok().map(|response| response.error);
            match error {
                Some(error) if error.param.as_deref() == Some("return_url") => PspError::ReturnUrl,
                error => refused(status, error.map(|error| error.code)),
            }
        }
        _ => PspError::Unknown("it failed with a server error"),
    }
}

#[cfg(test)]
mod tests;
