//! The adapter to Stripe: Checkout Sessions with their `PaymentIntent`s, and refunds, over its HTTP API.
//!
//! Stripe's page takes the card number; it never reaches this system. Two properties of Stripe shape the adapter:
//!
//! - A session is open for at least 30 minutes, longer than a hold on rooms. The payment service closes the session when
//!   the payment is overdue; money that arrives in between is handled as any late payment. See [`order`].
//! - Stripe keeps an idempotency key for 24 hours, and a refund or transfer may be retried for longer. So an existing one
//!   with our id is searched for first.

mod amount;
pub mod event;
mod movement;
mod object;
mod order;
mod report;
mod transfer;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use uuid::Uuid;

use self::object::{ErrorResponse, Page, Refund, RefundStatus, Session, SessionStatus};
use crate::{
    CallerBudget, Checkout, CheckoutOrder, Psp, PspError, RefundOrder, TransferOrder, Transferred,
    http::{Http, key_rejected, refused},
};
pub(crate) use report::{ATTEMPTS as PAGE_ATTEMPTS, TIMEOUT_FACTOR as PAGE_TIMEOUT_FACTOR};

/// The base URL of Stripe's API.
pub const API: &str = "https://api.stripe.com";
/// The API version that every request selects, regardless of the account's default.
pub const VERSION: &str = "2025-12-15.clover";
/// Largest response, in bytes: a page of 100 refunds.
const MAX_RESPONSE: usize = 256 * 1024;
/// Largest number of pages in the search for a refund of one payment.
const MAX_PAGES: usize = 10;

/// The client of Stripe.
#[derive(Clone)]
pub struct StripePsp {
    http: Http,
    return_url: String,
    /// The first pause between two attempts to read a page of balance transactions.
    pause: Duration,
}

impl StripePsp {
    /// An adapter to Stripe at this base URL. `timeout` is the deadline of a step. `return_url` is the return URL of orders
    /// without one (payments from before the status page), and may be empty.
    ///
    /// # Errors
    /// When a URL is malformed, or the API key would travel over a network in plain text.
    pub fn new(url: &str, api_key: SecretString, timeout: Duration, return_url: &str) -> Result<Self, String> {
        let http = Http::new(url, api_key, timeout, MAX_RESPONSE)?;
        let parsed: Url = url.parse().map_err(|_| format!("'{url}' is not a URL"))?;
        let local = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if parsed.scheme() != "https" && !local {
            return Err(format!("'{url}' must be an https URL: requests carry the API key"));
        }
        let page = Url::parse(return_url).ok().filter(|page| matches!(page.scheme(), "http" | "https"));
        if page.is_none() && !return_url.is_empty() {
            return Err(format!("'{return_url}' is not the http or https URL of a page"));
        }
        Ok(Self { http, return_url: return_url.to_owned(), pause: report::PAUSE })
    }

    /// The same adapter, whose calls also end when the caller's own time is up.
    #[must_use]
    pub fn with_caller_budget(self, budget: CallerBudget) -> Self {
        Self { http: self.http.with_caller_budget(budget), ..self }
    }

    fn request(&self, method: Method, segments: &[&str], deadline: Instant) -> Result<RequestBuilder, PspError> {
        Ok(self.http.request(method, segments, deadline)?.header("stripe-version", VERSION))
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, PspError> {
        let (status, body) = self.http.send(request).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| PspError::Unknown("the response cannot be decoded"));
        }
        Err(failure(status, &body))
    }

    async fn fetch(&self, session: &str, deadline: Instant) -> Result<Session, PspError> {
        let request = self.request(Method::GET, &["v1", "checkout", "sessions", session], deadline)?;
        self.call(request.query(&[("expand[]", "payment_intent")])).await
    }

    /// The refund with this id in its metadata, if it exists.
    async fn find_refund(&self, intent: &str, refund_id: Uuid, deadline: Instant) -> Result<Option<Refund>, PspError> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = self.request(Method::GET, &["v1", "refunds"], deadline)?;
            let mut request = request.query(&[("payment_intent", intent), ("limit", "100")]);
            if let Some(after) = &after {
                request = request.query(&[("starting_after", after)]);
            }
            let Page::<Refund> { mut data, has_more } = self.call(request).await?;
            if let Some(found) = data.iter().position(|refund| refund.metadata.refund_id() == Some(refund_id)) {
                return Ok(Some(data.swap_remove(found)));
            }
            after = match data.pop() {
                Some(last) if has_more => Some(last.id),
                _ => return Ok(None),
            };
        }
        Err(PspError::Unknown("the payment has more refunds than the search limit"))
    }
}

impl Psp for StripePsp {
    async fn create_checkout(&self, order: CheckoutOrder) -> Result<Checkout, PspError> {
        let fields = order::session(&order, &self.return_url)?;
        let request = self.request(Method::POST, &["v1", "checkout", "sessions"], self.http.deadline())?;
        let request = request.header("idempotency-key", order.payment_id.to_string()).form(&fields);
        let checkout = checkout(self.call(request).await?)?;
        if checkout.url.is_empty() { Err(PspError::Unknown("the checkout has no page URL")) } else { Ok(checkout) }
    }

    async fn expire_checkout(&self, session: String) -> Result<Checkout, PspError> {
        let deadline = self.http.deadline();
        let request = self.request(Method::POST, &["v1", "checkout", "sessions", &session, "expire"], deadline)?;
        match self.call(request).await {
            Ok(expired) => checkout(expired),
            // A session that is not open cannot be expired; its final state is the result.
            Err(PspError::Refused(code)) => match self.fetch(&session, deadline).await? {
                open if open.status == Some(SessionStatus::Open) => Err(PspError::Refused(code)),
                ended => checkout(ended),
            },
            Err(error) => Err(error),
        }
    }

    async fn fetch_checkout(&self, session: String) -> Result<Checkout, PspError> {
        checkout(self.fetch(&session, self.http.deadline()).await?)
    }

    async fn refund(&self, order: RefundOrder) -> Result<String, PspError> {
        let amount = amount::to_stripe(order.amount)?;
        let deadline = self.http.deadline();
        let session = self.fetch(&order.session, deadline).await?;
        let intent = session.intent().ok_or_else(|| PspError::Refused("session_without_payment_intent".to_owned()))?;
        let made = self.find_refund(intent, order.refund_id, deadline).await?;
        let refund = if let Some(made) = made {
            made
        } else {
            let fields = order::refund(intent, amount, order.refund_id, session.payment_id());
            let request = self.request(Method::POST, &["v1", "refunds"], deadline)?;
            self.call(request.header("idempotency-key", order.refund_id.to_string()).form(&fields)).await?
        };
        if refund.amount() != Some(order.amount) {
            return Err(PspError::Refused("refund_of_another_amount".to_owned()));
        }
        match refund.status {
            Some(RefundStatus::Succeeded) => Ok(refund.id),
            Some(RefundStatus::Failed | RefundStatus::Canceled) => Err(PspError::Refused("refund_failed".to_owned())),
            Some(RefundStatus::Pending) | None => Err(PspError::Pending("the refund is in progress")),
        }
    }

    async fn transfer(&self, order: TransferOrder) -> Result<Transferred, PspError> {
        self.make_transfer(order).await
    }
}

fn checkout(session: Session) -> Result<Checkout, PspError> {
    Ok(Checkout {
        status: session.checkout_status().ok_or(PspError::Unknown("the checkout has an undocumented state"))?,
        amount: session.amount().ok_or(PspError::Unknown("the amount is invalid"))?,
        session: session.id,
        url: session.url.unwrap_or_default(),
    })
}

/// The error of a response that is no success.
fn failure(status: StatusCode, body: &[u8]) -> PspError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => key_rejected(),
        StatusCode::TOO_MANY_REQUESTS => PspError::Unavailable("it is overloaded"),
        StatusCode::CONFLICT => PspError::Unknown("a call with the same idempotency key is in progress"),
        StatusCode::REQUEST_TIMEOUT | StatusCode::FAILED_DEPENDENCY => {
            PspError::Unknown("it failed with a server error")
        }
        status if status.is_client_error() => {
            let error: Option<ErrorResponse> = serde_json::from_slice(body).ok();
            if error.as_ref().is_some_and(ErrorResponse::is_about_return_url) {
                return PspError::ReturnUrl;
            }
            refused(status, error.and_then(ErrorResponse::code))
        }
        _ => PspError::Unknown("it failed with a server error"),
    }
}

#[cfg(test)]
mod tests;
