//! What a merchant's server calls.

use axum::{
    Json, Router,
    extract::{Path, Request, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use staymesh_domain::{Currency, Money};
use url::Url;

use crate::{
    config::http_url,
    error::Refusal,
    model::{Order, RefundOrder, Session, SessionStatus},
    provider::Provider,
};

/// A day and a bit: no checkout needs longer.
const MAX_LIFE_SECONDS: i64 = 25 * 3600;

#[derive(Clone)]
struct Api {
    provider: Provider,
    public_url: Url,
}

pub(crate) fn router(provider: Provider, public_url: Url, api_key: SecretString) -> Router {
    Router::new()
        .route("/v1/checkout_sessions", post(create))
        .route("/v1/checkout_sessions/{id}", get(fetch))
        .route("/v1/checkout_sessions/{id}/expire", post(expire))
        .route("/v1/refunds", post(refund))
        .layer(from_fn_with_state(api_key, authorize))
        .with_state(Api { provider, public_url })
}

async fn authorize(State(key): State<SecretString>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Digests are compared, so that the time it takes says nothing about the key.
    if Sha256::digest(given) != Sha256::digest(key.expose_secret()) {
        return Refusal::Unauthorized.into_response();
    }
    next.run(request).await
}

async fn create(
    State(api): State<Api>,
    headers: HeaderMap,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Response, Refusal> {
    let key = idempotency_key(&headers)?;
    let order = body(order)?;
    check(&order)?;
    let session = api.provider.create(key, order)?;
    Ok((StatusCode::CREATED, Json(api.shown(&session))).into_response())
}

async fn fetch(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    api.provider.get(&id).map(|session| Json(api.shown(&session)))
}

/// Closes an open page; the answer tells how the session stands, which may be "paid" by now.
async fn expire(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    api.provider.end(&id, SessionStatus::Expired).map(|session| Json(api.shown(&session)))
}

async fn refund(
    State(api): State<Api>,
    headers: HeaderMap,
    order: Result<Json<RefundOrder>, JsonRejection>,
) -> Result<Response, Refusal> {
    let key = idempotency_key(&headers)?;
    let order = body(order)?;
    if order.amount_minor <= 0 {
        return Err(Refusal::invalid("amount_minor", "must be positive"));
    }
    if order.reference.as_ref().is_some_and(|reference| reference.len() > 200) {
        return Err(Refusal::invalid("reference", "must be at most 200 bytes"));
    }
    let (session, refund) = api.provider.refund(key, order)?;
    let answer = json!({
        "id": refund.id,
        "session": session.id,
        "amount_minor": refund.order.amount_minor,
        "currency": session.order.currency,
        "reference": refund.order.reference,
        "status": "succeeded",
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

impl Api {
    fn shown(&self, session: &Session) -> Value {
        json!({
            "id": session.id,
            "url": format!("{}/checkout/{}", self.public_url.as_str().trim_end_matches('/'), session.token),
            "status": session.status,
            "amount_minor": session.order.amount_minor,
            "currency": session.order.currency,
            "reference": session.order.reference,
            "expires_at": session.order.expires_at,
            "refunded_minor": session.refunded_minor(),
        })
    }
}

fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refusal> {
    body.map(|Json(value)| value).map_err(|rejection| Refusal::invalid("body", rejection.body_text()))
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Refusal> {
    headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .filter(|key| (1..=255).contains(&key.len()))
        .ok_or_else(|| Refusal::invalid("Idempotency-Key", "is a required header of 1 to 255 visible characters"))
}

fn check(order: &Order) -> Result<(), Refusal> {
    let currency: Currency =
        order.currency.parse().map_err(|_| Refusal::invalid("currency", "must be an ISO 4217 code such as EUR"))?;
    if order.amount_minor <= 0 || Money::from_minor(order.amount_minor, currency).is_err() {
        return Err(Refusal::invalid("amount_minor", "must be positive, and not beyond all measure"));
    }
    if !(1..=200).contains(&order.reference.len()) {
        return Err(Refusal::invalid("reference", "must be 1 to 200 bytes"));
    }
    if order.description.as_ref().is_some_and(|text| text.len() > 500) {
        return Err(Refusal::invalid("description", "must be at most 500 bytes"));
    }
    for (field, url) in [("return_url", &order.return_url), ("webhook_url", &order.webhook_url)] {
        if let Some(url) = url {
            http_url(url).map_err(|problem| Refusal::invalid(field, problem))?;
        }
    }
    let latest = jiff::Timestamp::now().as_second() + MAX_LIFE_SECONDS;
    if order.expires_at > latest {
        return Err(Refusal::invalid("expires_at", "must be within 25 hours"));
    }
    Ok(())
}
