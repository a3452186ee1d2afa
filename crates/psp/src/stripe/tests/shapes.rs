//! Stripe's objects with the attributes that its reference documents.

use serde_json::{Value, json};

pub(super) const SESSION: &str = "cs_test_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u";
pub(super) const INTENT: &str = "pi_3MtwBwLkdIwHu7ix28a3tqPa";
pub(super) const REFUND: &str = "re_1Nispe2eZvKYlo2Cd31jOCgZ";
const CHARGE: &str = "ch_3MtwBwLkdIwHu7ix28a3tqPa";

/// An open session over EUR 120.50.
pub(super) fn session(payment_id: &str) -> Value {
    let mut session: Value = serde_json::from_str(include_str!("session.json")).unwrap();
    session["client_reference_id"] = json!(payment_id);
    session["metadata"] = json!({ "payment_id": payment_id });
    session
}

/// A session that is over, as the page leaves it.
pub(super) fn ended(payment_id: &str, status: &str, payment_status: &str, intent: Value) -> Value {
    let mut session = session(payment_id);
    session["status"] = json!(status);
    session["payment_status"] = json!(payment_status);
    session["payment_intent"] = intent;
    session["url"] = Value::Null;
    if status == "complete" {
        session["customer_details"] = json!({ "address": { "country": "DE" }, "email": "guest@example.com", "name": "A Guest", "tax_exempt": "none" });
    }
    session
}

pub(super) fn intent(payment_id: &str, status: &str) -> Value {
    let taken = status == "succeeded";
    json!({
        "id": INTENT,
        "object": "payment_intent",
        "amount": 12_050,
        "amount_capturable": 0,
        "amount_received": if taken { 12_050 } else { 0 },
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "created": 1_680_800_504,
        "currency": "eur",
        "customer": null,
        "description": null,
        "last_payment_error": null,
        "latest_charge": taken.then_some(CHARGE),
        "livemode": false,
        "metadata": { "payment_id": payment_id },
        "next_action": null,
        "payment_method_types": ["card"],
        "status": status,
    })
}

pub(crate) fn refund(payment_id: &str, refund_id: &str, amount: i64, status: &str) -> Value {
    json!({
        "id": REFUND,
        "object": "refund",
        "amount": amount,
        "balance_transaction": "txn_1Nispe2eZvKYlo2CYezqFhEx",
        "charge": CHARGE,
        "created": 1_692_942_318,
        "currency": "eur",
        "destination_details": {
            "card": {
                "reference": "123456789012",
                "reference_status": "available",
                "reference_type": "acquirer_reference_number",
                "type": "refund"
            },
            "type": "card"
        },
        "metadata": { "payment_id": payment_id, "refund_id": refund_id },
        "payment_intent": INTENT,
        "reason": null,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": status,
        "transfer_reversal": null
    })
}

pub(crate) fn list(data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": "/v1/refunds", "has_more": has_more, "data": data })
}

pub(crate) fn charge(payment_id: &str, refunded: i64) -> Value {
    json!({
        "id": CHARGE,
        "object": "charge",
        "amount": 12_050,
        "amount_captured": 12_050,
        "amount_refunded": refunded,
        "billing_details": { "address": { "country": "DE" }, "email": "guest@example.com", "name": "A Guest" },
        "captured": true,
        "currency": "eur",
        "metadata": { "payment_id": payment_id },
        "paid": true,
        "payment_intent": INTENT,
        "refunded": refunded == 12_050,
        "status": "succeeded",
    })
}

/// A movement of the account, with what it is about.
pub(crate) fn transaction(id: &str, kind: &str, amount: i64, created: i64, source: &Value) -> Value {
    let fee = if kind == "charge" { 59 } else { 0 };
    json!({
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created + 518_400,
        "balance_type": "payments",
        "created": created,
        "currency": "eur",
        "description": null,
        "exchange_rate": null,
        "fee": fee,
        "fee_details": [{
            "amount": fee, "application": null, "currency": "eur", "description": "Stripe processing fees", "type": "stripe_fee"
        }],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source,
        "status": "pending",
        "type": kind,
    })
}

pub(super) fn event(id: &str, kind: &str, object: &Value) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": "2025-12-15.clover",
        "created": 1_680_064_028,
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    })
}

pub(super) fn error(kind: &str, code: Option<&str>) -> Value {
    let mut error = json!({
        "doc_url": "https://stripe.com/docs/error-codes",
        "message": "Something about A Guest <guest@example.com>.",
        "param": "amount",
        "request_log_url": "https://dashboard.stripe.com/test/logs/req_8vkBKgjxGBHO7z",
        "type": kind,
    });
    if let Some(code) = code {
        error["code"] = json!(code);
    }
    json!({ "error": error })
}
