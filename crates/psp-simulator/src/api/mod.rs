//! The merchant API.

mod checkout;
mod settlement;
mod transfer;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State, rejection::JsonRejection},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use staymesh_domain::{Currency, Money};
use url::Url;

use crate::{
    error::Refusal,
    faults::{Chaos, Switches},
    provider::Provider,
};

/// The header with fault switches.
const SIMULATE: &str = "psp-simulate";

#[derive(Clone)]
struct Api {
    provider: Provider,
    public_url: Url,
}

pub(crate) fn router(provider: Provider, public_url: Url, api_key: SecretString, chaos: Arc<Chaos>) -> Router {
    Router::new()
        .route("/v1/checkout_sessions", post(checkout::create))
        .route("/v1/checkout_sessions/{id}", get(checkout::fetch))
        .route("/v1/checkout_sessions/{id}/expire", post(checkout::expire))
        .route("/v1/checkout_sessions/{id}/review", post(checkout::review))
        .route("/v1/checkouts/{id}/review", post(checkout::review))
        .route("/v1/refunds", post(checkout::refund))
        .route("/v1/transfers", post(transfer::create))
        .route("/v1/transfers/{id}", get(transfer::fetch))
        .route("/v1/settlements/faults", post(settlement::add_faults).delete(settlement::clear_faults))
        .route("/v1/settlements/{file}", get(settlement::file))
        .layer(from_fn_with_state(chaos, inject_faults))
        .layer(from_fn_with_state(api_key, authorize))
        .with_state(Api { provider, public_url })
}

async fn authorize(State(key): State<SecretString>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Digests are compared, so that timing reveals nothing about the key.
    if Sha256::digest(given) != Sha256::digest(key.expose_secret()) {
        return Refusal::Unauthorized.into_response();
    }
    next.run(request).await
}

/// Injects the fault of the request's header or a random one, and passes the header's switches on.
async fn inject_faults(State(chaos): State<Arc<Chaos>>, mut request: Request, next: Next) -> Response {
    let switches = match switches(request.headers()) {
        Ok(switches) => switches,
        Err(refusal) => return refusal.into_response(),
    };
    let key = idempotency_key(request.headers()).unwrap_or_default();
    let fault =
        switches.answer.or_else(|| chaos.of_call(&format!("{} {} {key}", request.method(), request.uri().path())));
    request.extensions_mut().insert(switches);
    match fault {
        Some(fault) => fault.around(next.run(request)).await,
        None => next.run(request).await,
    }
}

fn switches(headers: &HeaderMap) -> Result<Switches, Refusal> {
    let Some(value) = headers.get(SIMULATE) else {
        return Ok(Switches::default());
    };
    let text = value.to_str().map_err(|_| Refusal::invalid("Psp-Simulate", "must be visible characters"))?;
    Switches::parse(text).map_err(|problem| Refusal::invalid("Psp-Simulate", problem))
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

fn check_amount(amount_minor: i64, currency: &str) -> Result<(), Refusal> {
    let currency: Currency =
        currency.parse().map_err(|_| Refusal::invalid("currency", "must be an ISO 4217 code such as EUR"))?;
    if amount_minor <= 0 || Money::from_minor(amount_minor, currency).is_err() {
        return Err(Refusal::invalid("amount_minor", "must be positive, and not beyond all measure"));
    }
    Ok(())
}

fn check_length(field: &'static str, text: &str) -> Result<(), Refusal> {
    if (1..=200).contains(&text.len()) { Ok(()) } else { Err(Refusal::invalid(field, "must be 1 to 200 bytes")) }
}
