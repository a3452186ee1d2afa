//! Checkouts, their reviews and their refunds.

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{Api, body, check_amount, check_length, idempotency_key};
use crate::{
    config::http_url,
    error::Refusal,
    faults::{Decision, Switches},
    model::{Order, RefundOrder, Session, SessionStatus},
    provider::now,
};

/// Longest time until a session expires.
const MAX_LIFE_SECONDS: i64 = 25 * 3600;
/// The query parameter of a return URL with fault switches, for partners whose payments Staymesh creates.
const PARAMETER: &str = "psp_simulate";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewOrder {
    decision: Decision,
}

pub(super) async fn create(
    State(api): State<Api>,
    Extension(header): Extension<Switches>,
    headers: HeaderMap,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Response, Refusal> {
    let key = idempotency_key(&headers)?;
    let order = body(order)?;
    check(&order)?;
    let written = switches(&order)?;
    let fault = api.provider.create_fault(key, written);
    let work = || api.provider.create(key, order, header.or(written)).map(|session| api.to_json(&session));
    let created = async { answer(work()) };
    Ok(match fault {
        Some(fault) => fault.around(created).await,
        None => created.await,
    })
}

pub(super) async fn fetch(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    api.provider.get(&id).map(|session| Json(api.to_json(&session)))
}

/// Expires an open session; the answer has its status, which may be paid or in review by now.
pub(super) async fn expire(
    State(api): State<Api>,
    Extension(header): Extension<Switches>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    api.provider.end(&id, SessionStatus::Expired, header).map(|session| Json(api.to_json(&session)))
}

/// Decides a payment in review.
pub(super) async fn review(
    State(api): State<Api>,
    Extension(header): Extension<Switches>,
    Path(id): Path<String>,
    order: Result<Json<ReviewOrder>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let order = body(order)?;
    api.provider.decide(&id, order.decision, header).map(|session| Json(api.to_json(&session)))
}

pub(super) async fn refund(
    State(api): State<Api>,
    Extension(header): Extension<Switches>,
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
    let fault = api.provider.refund_fault(key, &order.session);
    let work = || {
        let (session, refund) = api.provider.refund(key, order, header)?;
        Ok(json!({
            "id": refund.id,
            "session": session.id,
            "amount_minor": refund.order.amount_minor,
            "currency": session.order.currency,
            "reference": refund.order.reference,
            "status": "succeeded",
        }))
    };
    let refunded = async { answer(work()) };
    Ok(match fault {
        Some(fault) => fault.around(refunded).await,
        None => refunded.await,
    })
}

fn answer(made: Result<Value, Refusal>) -> Response {
    made.map(|value| (StatusCode::CREATED, Json(value))).into_response()
}

impl Api {
    fn to_json(&self, session: &Session) -> Value {
        json!({
            "id": session.id,
            "url": format!("{}/checkout/{}", self.public_url.as_str().trim_end_matches('/'), session.token),
            "status": session.status,
            "amount_minor": session.order.amount_minor,
            "currency": session.order.currency,
            "reference": session.order.reference,
            "expires_at": session.order.expires_at,
            "refunded_minor": session.refunded_minor(),
            "declines": session.declines,
        })
    }
}

/// The fault switches of an order: in its own field, or in its return URL.
fn switches(order: &Order) -> Result<Switches, Refusal> {
    let own = match &order.simulate {
        Some(text) => Switches::parse(text).map_err(|problem| Refusal::invalid("simulate", problem))?,
        None => Switches::default(),
    };
    let url = order.return_url.as_deref().and_then(|url| Url::parse(url).ok());
    let parameter = url.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == PARAMETER));
    let returned = match parameter {
        Some((_, text)) => Switches::parse(&text).map_err(|problem| Refusal::invalid("return_url", problem))?,
        None => Switches::default(),
    };
    Ok(own.or(returned))
}

fn check(order: &Order) -> Result<(), Refusal> {
    check_amount(order.amount_minor, &order.currency)?;
    check_length("reference", &order.reference)?;
    if order.description.as_ref().is_some_and(|text| text.len() > 500) {
        return Err(Refusal::invalid("description", "must be at most 500 bytes"));
    }
    for (field, url) in [("return_url", &order.return_url), ("webhook_url", &order.webhook_url)] {
        if let Some(url) = url {
            http_url(url).map_err(|problem| Refusal::invalid(field, problem))?;
        }
    }
    if order.expires_at > now() + MAX_LIFE_SECONDS {
        return Err(Refusal::invalid("expires_at", "must be within 25 hours"));
    }
    Ok(())
}
