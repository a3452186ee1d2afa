//! A reconciliation run over Stripe's balance transactions, read by the adapter over HTTP.

use serde_json::{Value, json};
use staymesh_psp::stripe::StripePsp;
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

use super::*;
use crate::testing::{complete_refund, request_refund};

/// Balance transactions, oldest first. Served in pages of two, newest first, filtered by the requested day.
#[derive(Clone, Default)]
struct Moved(Arc<Mutex<Vec<Value>>>);

impl Moved {
    fn set(&self, movements: &[Value]) {
        *self.0.lock().unwrap() = movements.to_vec();
    }
}

impl Respond for Moved {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked: HashMap<String, String> = request.url.query_pairs().into_owned().collect();
        let bound = |name: &str| asked[name].parse::<i64>().unwrap();
        let day = bound("created[gte]")..bound("created[lt]");
        let moved = self.0.lock().unwrap();
        let mut rest: Vec<_> =
            moved.iter().rev().filter(|moved| day.contains(&moved["created"].as_i64().unwrap())).cloned().collect();
        if let Some(last) = asked.get("starting_after") {
            let at = rest.iter().position(|moved| moved["id"] == last.as_str()).unwrap();
            rest.drain(..=at);
        }
        let more = rest.len() > 2;
        rest.truncate(2);
        ResponseTemplate::new(200).set_body_json(list(&rest, more))
    }
}

fn charge(payment_id: &str) -> Value {
    json!({ "id": "ch_1", "object": "charge", "amount": 12_050, "amount_captured": 12_050, "currency": "eur",
        "metadata": { "payment_id": payment_id } })
}

fn refund(payment_id: &str, refund_id: &str, amount: i64) -> Value {
    json!({ "id": "re_1Nispe2eZvKYlo2Cd31jOCgZ", "object": "refund", "amount": amount, "currency": "eur",
        "metadata": { "payment_id": payment_id, "refund_id": refund_id }, "status": "succeeded" })
}

fn list(data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": "/v1/balance_transactions", "has_more": has_more, "data": data })
}

/// A balance transaction with its source.
fn transaction(id: &str, kind: &str, amount: i64, created: i64, source: &Value) -> Value {
    json!({ "id": id, "object": "balance_transaction", "amount": amount, "created": created, "currency": "eur",
        "reporting_category": kind, "source": source, "type": kind })
}

/// The balance transaction of the charge of a payment.
fn came(payment: &Payment) -> Value {
    let id = payment.payment_id.to_string();
    let mut source = charge(&id);
    source["id"] = json!(format!("ch_{id}"));
    source["amount"] = json!(payment.amount.minor());
    source["amount_captured"] = source["amount"].clone();
    transaction(&format!("txn_{id}"), "charge", payment.amount.minor(), Timestamp::now().as_second(), &source)
}

/// The same transaction with another amount.
fn with_amount(mut movement: Value, amount: i64) -> Value {
    movement["amount"] = json!(amount);
    movement
}

#[tokio::test]
async fn run_over_stripe_transactions_finds_exactly_the_differences() {
    let database = database().await;
    let pool = database.pool();
    let server = MockServer::start().await;
    let moved = Moved::default();
    let balance = Mock::given(method("GET")).and(path("/v1/balance_transactions"));
    balance.respond_with(moved.clone()).mount(&server).await;
    let page = "https://booking.example/paid";
    let stripe = StripePsp::new(&server.uri(), "sk_test".into(), Duration::from_secs(5), page).unwrap();
    // Yesterday counts as read: Stripe's list of a day is incomplete in the first minutes after it.
    let read = "insert into settlement_file (psp_day, lines, partial) values ($1, 0, false)";
    sqlx::query(read).bind(jiff_sqlx::ToSqlx::to_sqlx(yesterday())).execute(pool).await.unwrap();
    let reconcile = async || run(pool, &stripe, &all(ReservationStatus::Paid), options(), |_| {}).await.unwrap();

    let [good, amount, missing] = [paid(pool).await, paid(pool).await, paid(pool).await];
    let unconfirmed = testing::open(pool).await;
    let refund_id = request_refund(pool, &good, 4000).await;
    complete_refund(pool, &good, refund_id).await;
    let now = Timestamp::now().as_second();
    let back = refund(&good.payment_id.to_string(), &refund_id.to_string(), 4000);
    let back = transaction("txn_back", "refund", -4000, now, &back);
    let payout = transaction("txn_payout", "payout", -50_000, now, &json!("po_1MiN3gLkdIwHu7ixNCZvFdgA"));
    let right = [came(&good), came(&amount), back.clone(), came(&missing), payout.clone()];
    moved.set(&right);
    let seen = reconcile().await;
    assert_eq!((seen.counts.lines, seen.counts.found), (4, 0), "{seen:?}");

    let mut dispute = transaction("txn_dispute", "adjustment", -10_000, now, &json!("du_1MtJUT2eZvKYlo2CNaw2HvEv"));
    dispute["reporting_category"] = json!("dispute");
    let wrong = [came(&good), with_amount(came(&amount), 9_900), back, payout, came(&unconfirmed), dispute];
    moved.set(&wrong);
    let seen = reconcile().await;
    assert_eq!((seen.counts.lines, seen.counts.found), (5, 4), "{seen:?}");
    let id = |payment: &Payment| payment.payment_id.to_string();
    let expected = [
        (CaseKind::MissingAtPsp, Subject::Charge, id(&missing)),
        (CaseKind::MissingHere, Subject::Other, "txn_dispute".to_owned()),
        (CaseKind::Amount, Subject::Charge, id(&amount)),
        (CaseKind::Status, Subject::Charge, id(&unconfirmed)),
    ];
    assert_eq!(open_cases(pool).await, expected);
    let cases = listed(pool).await;
    assert_eq!(cases[1].finding.found, Some((10_000, "EUR".into())));
    assert!(cases[1].finding.detail.contains("adjustment (dispute) of du_1MtJUT2eZvKYlo2CNaw2HvEv, money out"));
    assert_eq!(cases[2].finding.found, Some((9_900, "EUR".into())));
    assert_eq!(cases[2].finding.psp_id, Some(format!("ch_{}", amount.payment_id)));
    assert!(cases[3].can_replay(), "its session can be fetched");

    // A run whose list fails changes nothing.
    server.reset().await;
    let busy = Mock::given(method("GET")).respond_with(ResponseTemplate::new(400));
    busy.mount(&server).await;
    let failed = run(pool, &stripe, &all(ReservationStatus::Paid), options(), |_| {}).await;
    assert!(matches!(failed, Err(ReconcileError::Settlement(SettlementError::Psp(_)))), "{failed:?}");
    assert_eq!(open_cases(pool).await, expected);

    server.reset().await;
    let again = Mock::given(method("GET")).and(path("/v1/balance_transactions"));
    again.respond_with(moved.clone()).mount(&server).await;
    moved.set(&right);
    let seen = reconcile().await;
    assert_eq!((seen.counts.found, seen.counts.closed), (0, 4), "{seen:?}");
}
