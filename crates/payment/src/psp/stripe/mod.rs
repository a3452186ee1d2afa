//! The adapter to Stripe: Checkout Sessions with their `PaymentIntent`s, and refunds, over its HTTP API.
//!
//! No card number comes near us, for Stripe's own page takes it. Two things are peculiar:
//!
//! - A session is open for half an hour at least, and a hold is shorter. The session outlives the hold only until the
//!   service closes it, which it does when the payment is overdue; money that comes in between is late money as any
//!   other, and takes the rooms again or goes back. See [`order`].
//! - An idempotency key is kept for a day. A refund may be tried for longer, so one that was made is looked for first.

mod amount;
pub mod event;
mod movement;
mod object;
mod order;
pub(super) mod report;
mod transfer;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, Url};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use uuid::Uuid;

use self::object::{ErrorAnswer, Page, Refund, RefundStatus, Session, SessionStatus};
use super::{
    Checkout, CheckoutOrder, Psp, PspError, RefundOrder, TransferOrder, Transferred,
    http::{Http, refused, wrong_key},
};

/// Where Stripe's API is.
pub const API: &str = "https://api.stripe.com";
/// The version of it that this adapter was written for, whatever the account's own.
pub const VERSION: &str = "2025-12-15.clover";
/// Largest answer that is read, in bytes: a page of a hundred refunds.
const MAX_ANSWER: usize = 256 * 1024;
/// Most pages of refunds of one payment that are looked through.
const MAX_PAGES: usize = 10;

/// Speaks to Stripe.
#[derive(Clone)]
pub struct StripePsp {
    http: Http,
    return_url: String,
    /// Between two attempts at a page of a report.
    pause: Duration,
}

impl StripePsp {
    /// An adapter to Stripe at this address, where pages return to `return_url` unless a payment says otherwise, as every
    /// one does that was made since there are status pages. Each step takes at most `timeout`.
    ///
    /// # Errors
    /// When an address is none, or the API's would carry the key over a network in plain text.
    pub fn new(url: &str, api_key: SecretString, timeout: Duration, return_url: &str) -> Result<Self, String> {
        let http = Http::new(url, api_key, timeout, MAX_ANSWER)?;
        let parsed: Url = url.parse().map_err(|_| format!("'{url}' is not a URL"))?;
        let here = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if parsed.scheme() != "https" && !here {
            return Err(format!("'{url}' must be an https address: the API key goes there"));
        }
        let page = Url::parse(return_url).ok().filter(|page| matches!(page.scheme(), "http" | "https"));
        if page.is_none() && !return_url.is_empty() {
            return Err(format!("'{return_url}' is not the http or https address of a page"));
        }
        Ok(Self { http, return_url: return_url.to_owned(), pause: report::PAUSE })
    }

    fn request(&self, method: Method, segments: &[&str], deadline: Instant) -> Result<RequestBuilder, PspError> {
        Ok(self.http.request(method, segments, deadline)?.header("stripe-version", VERSION))
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, PspError> {
        let (status, body) = self.http.answer(request).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| PspError::Unknown("an answer that cannot be read"));
        }
        Err(failure(status, &body))
    }

    async fn fetch(&self, session: &str, deadline: Instant) -> Result<Session, PspError> {
        let request = self.request(Method::GET, &["v1", "checkout", "sessions", session], deadline)?;
        self.call(request.query(&[("expand[]", "payment_intent")])).await
    }

    /// The refund that was made for this id, if there is one.
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
        Err(PspError::Unknown("more refunds of one payment than are looked through"))
    }
}

impl Psp for StripePsp {
    fn check_return_url(&self, _: &str) -> Result<(), &'static str> {
        Ok(())
    }

    async fn create_checkout(&self, order: CheckoutOrder) -> Result<Checkout, PspError> {
        let fields = order::session(&order, &self.return_url)?;
        let request = self.request(Method::POST, &["v1", "checkout", "sessions"], self.http.deadline())?;
        let request = request.header("idempotency-key", order.payment_id.to_string()).form(&fields);
        let checkout = checkout(self.call(request).await?)?;
        if checkout.url.is_empty() { Err(PspError::Unknown("a checkout without its page")) } else { Ok(checkout) }
    }

    async fn expire_checkout(&self, session: String) -> Result<Checkout, PspError> {
        let deadline = self.http.deadline();
        let request = self.request(Method::POST, &["v1", "checkout", "sessions", &session, "expire"], deadline)?;
        match self.call(request).await {
            Ok(expired) => checkout(expired),
            // One that is not open cannot be closed; how it ended is what counts.
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
            Some(RefundStatus::Underway) | None => Err(PspError::NotYet("the refund is on its way")),
        }
    }

    async fn transfer(&self, order: TransferOrder) -> Result<Transferred, PspError> {
        self.make_transfer(order).await
    }
}

fn checkout(session: Session) -> Result<Checkout, PspError> {
    Ok(Checkout {
        status: session.standing().ok_or(PspError::Unknown("a checkout in a state of which it has none"))?,
        amount: session.amount().ok_or(PspError::Unknown("an amount that is none"))?,
        session: session.id,
        url: session.url.unwrap_or_default(),
    })
}

/// What an answer that is no success says of what was done.
fn failure(status: StatusCode, body: &[u8]) -> PspError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => wrong_key(),
        StatusCode::TOO_MANY_REQUESTS => PspError::Unavailable("it is too busy"),
        StatusCode::CONFLICT => PspError::Unknown("the same call is in progress there"),
        StatusCode::REQUEST_TIMEOUT | StatusCode::FAILED_DEPENDENCY => {
            PspError::Unknown("it answered with an error of its own")
        }
        status if status.is_client_error() => {
            refused(status, serde_json::from_slice(body).ok().and_then(ErrorAnswer::code))
        }
        _ => PspError::Unknown("it answered with an error of its own"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
