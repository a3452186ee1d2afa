//! Transfers (payouts) to a destination account.

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Api, body, check_amount, check_length, idempotency_key};
use crate::{
    error::Refusal,
    faults::Switches,
    model::{Transfer, TransferOrder},
};

pub(super) async fn create(
    State(api): State<Api>,
    Extension(header): Extension<Switches>,
    headers: HeaderMap,
    order: Result<Json<TransferOrder>, JsonRejection>,
) -> Result<Response, Refusal> {
    let key = idempotency_key(&headers)?;
    let order = body(order)?;
    check_amount(order.amount_minor, &order.currency)?;
    check_length("destination", &order.destination)?;
    check_length("reference", &order.reference)?;
    let transfer = api.provider.transfer(key, order, header)?;
    Ok((StatusCode::CREATED, Json(shown(&transfer))).into_response())
}

pub(super) async fn fetch(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    api.provider.get_transfer(&id).map(|transfer| Json(shown(&transfer)))
}

fn shown(transfer: &Transfer) -> Value {
    json!({
        "id": transfer.id,
        "status": transfer.status,
        "amount_minor": transfer.order.amount_minor,
        "currency": transfer.order.currency,
        "destination": transfer.order.destination,
        "reference": transfer.order.reference,
        "created": transfer.created,
    })
}
