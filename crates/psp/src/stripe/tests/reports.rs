use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use futures::TryStreamExt;
use jiff::{Timestamp, ToSpan, civil::Date, civil::date, tz::TimeZone};
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::PaymentId;
use uuid::Uuid;
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{any, method, path, query_param, query_param_is_missing},
};

use super::{
    adapter, fields, patient, requests,
    shapes::{REFUND, charge, error, list, refund, transaction},
};
use crate::{
    PspError,
    settlement::{MovementKind, SettlementError, SettlementLine, Settlements},
    stripe::{StripePsp, report::ATTEMPTS},
};

const DAY: Date = date(2026, 1, 31);
/// Its last second.
const LAST: i64 = 1_769_903_999;

/// Retries after a millisecond.
fn quick(psp: StripePsp) -> StripePsp {
    StripePsp { pause: Duration::from_millis(1), ..psp }
}

async fn read(psp: &StripePsp, day: Date, partial: bool) -> Result<Vec<SettlementLine>, SettlementError> {
    psp.settlement(day, partial).await?.try_concat().await
}

fn movement(at: usize) -> Value {
    let at = i64::try_from(at).unwrap();
    transaction(&format!("txn_{at}"), "charge", 12_050, LAST - at, &charge(&PaymentId::new().to_string(), 0))
}

/// Transactions, newest first, and the page size.
struct Pages(Vec<Value>, usize);

impl Respond for Pages {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked = fields(request.url.query().unwrap());
        let at = asked.get("starting_after").map_or(0, |last| {
            1 + self.0.iter().position(|movement| movement["id"] == last.as_str()).expect("one that was shown")
        });
        let page = &self.0[at..self.0.len().min(at + self.1)];
        ResponseTemplate::new(200).set_body_json(list(page, at + page.len() < self.0.len()))
    }
}

/// Gives the response a number of times, and then those of the other.
struct First<R>(AtomicU32, ResponseTemplate, R);

impl<R: Respond> Respond for First<R> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { self.1.clone() } else { self.2.respond(request) }
    }
}

async fn stripe(answer: impl Respond + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).and(path("/v1/balance_transactions")).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn settlement_reads_all_pages_with_expanded_sources() {
    let (payment, refunded) = (PaymentId::new().to_string(), Uuid::now_v7().to_string());
    let mut movements: Vec<_> = (0..5).map(movement).collect();
    movements[1] = transaction("txn_1", "payout", -50_000, LAST, &json!("po_1MiN3gLkdIwHu7ixNCZvFdgA"));
    let back = refund(&payment, &refunded, 4_000, "succeeded");
    movements[2] = transaction("txn_2", "refund", -4_000, LAST - 2, &back);
    movements[3] = transaction("txn_3", "charge", 12_050, LAST - 3, &charge(&payment, 4_000));
    let server = stripe(Pages(movements, 2)).await;
    let lines = read(&adapter(&server.uri()), DAY, false).await.unwrap();
    assert_eq!(lines.len(), 4, "all but the payout");
    let expected = SettlementLine {
        psp_id: REFUND.into(),
        kind: MovementKind::Refund,
        reference: refunded,
        session: String::new(),
        amount_minor: 4_000,
        currency: "EUR".into(),
        created: Timestamp::from_second(LAST - 2).unwrap(),
        note: String::new(),
    };
    assert_eq!(lines[1], expected);
    assert_eq!((lines[2].kind, &lines[2].reference, lines[2].amount_minor), (MovementKind::Charge, &payment, 12_050));

    let asked: Vec<_> = requests(&server).await.iter().map(|request| fields(request.url.query().unwrap())).collect();
    let after: Vec<_> = asked.iter().map(|fields| fields.get("starting_after").map(String::as_str)).collect();
    assert_eq!(after, [None, Some("txn_1"), Some("txn_3")]);
    for fields in &asked {
        let day = (fields["created[gte]"].as_str(), fields["created[lt]"].as_str());
        assert_eq!(day, ("1769817600", "1769904000"));
        assert_eq!((fields["limit"].as_str(), fields["expand[]"].as_str()), ("100", "data.source"));
    }
}

#[tokio::test]
async fn settlement_of_empty_day_has_no_lines() {
    let server = stripe(ResponseTemplate::new(200).set_body_json(list(&[], false))).await;
    assert_eq!(read(&adapter(&server.uri()), DAY, false).await, Ok(vec![]));
}

#[rstest]
#[case::busy(429, error("invalid_request_error", Some("rate_limit")))]
#[case::locked(409, error("api_error", None))]
#[case::broken(500, error("api_error", None))]
#[case::down(503, json!("<html>"))]
#[tokio::test]
async fn settlement_retries_a_failing_page(#[case] status: u16, #[case] body: Value) {
    let server = MockServer::start().await;
    let pages = || Pages((0..4).map(movement).collect(), 2);
    // The first page comes at once, the second at the last attempt.
    let trouble = First((ATTEMPTS - 1).into(), ResponseTemplate::new(status).set_body_json(body), pages());
    Mock::given(query_param_is_missing("starting_after")).respond_with(pages()).mount(&server).await;
    Mock::given(query_param("starting_after", "txn_1")).respond_with(trouble).mount(&server).await;
    let lines = read(&quick(adapter(&server.uri())), DAY, false).await.unwrap();
    let ids: Vec<_> = lines.iter().map(|line| LAST - line.created.as_second()).collect();
    assert_eq!(ids, [0, 1, 2, 3], "each once");
    assert_eq!(requests(&server).await.len(), 1 + ATTEMPTS as usize);
}

#[rstest]
#[case::busy(429, PspError::Unavailable("it is overloaded"))]
#[case::broken(500, PspError::Unknown("it failed with a server error"))]
#[tokio::test]
async fn settlement_fails_when_a_page_keeps_failing(#[case] status: u16, #[case] expected: PspError) {
    let server = MockServer::start().await;
    let first = Pages((0..4).map(movement).collect(), 2);
    Mock::given(query_param_is_missing("starting_after")).respond_with(first).mount(&server).await;
    let trouble = ResponseTemplate::new(status).set_body_json(error("api_error", None));
    Mock::given(query_param("starting_after", "txn_1")).respond_with(trouble).mount(&server).await;
    assert_eq!(read(&quick(adapter(&server.uri())), DAY, false).await, Err(expected.into()));
    assert_eq!(requests(&server).await.len(), 1 + ATTEMPTS as usize);
}

#[rstest]
#[case::key(401, PspError::Unavailable("the API key is rejected"))]
#[case::rights(403, PspError::Unavailable("the API key is rejected"))]
#[case::question(400, PspError::Refused("parameter_invalid_integer".into()))]
#[tokio::test]
async fn settlement_does_not_retry_refusals(#[case] status: u16, #[case] expected: PspError) {
    let body = error("invalid_request_error", Some("parameter_invalid_integer"));
    let server = stripe(ResponseTemplate::new(status).set_body_json(body)).await;
    assert_eq!(read(&quick(adapter(&server.uri())), DAY, false).await, Err(expected.into()));
    assert_eq!(requests(&server).await.len(), 1);
}

#[rstest]
#[case::more_of_nothing(list(&[], true).to_string(), "the list has an empty page before its end")]
#[case::the_same_again(list(&[movement(0)], true).to_string(), "the list repeats its cursor")]
#[case::no_list("{}".to_owned(), "the response cannot be decoded")]
#[case::endless(" ".repeat(4 * 1024 * 1024 + 1), "the response exceeds the size limit")]
#[case::no_time(list(&[transaction("txn_1", "charge", 1, i64::MAX / 2, &json!(null))], false).to_string(), "the time is invalid")]
#[tokio::test]
async fn settlement_of_malformed_list_fails(#[case] body: String, #[case] why: &'static str) {
    let server = stripe(ResponseTemplate::new(200).set_body_string(body)).await;
    assert_eq!(read(&quick(adapter(&server.uri())), DAY, false).await, Err(PspError::Unknown(why).into()));
}

#[tokio::test]
async fn settlement_without_response_times_out() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_delay(Duration::from_mins(1))).mount(&server).await;
    let impatient = quick(patient(&server.uri(), Duration::from_millis(20)));
    assert_eq!(read(&impatient, DAY, false).await, Err(PspError::NoResponse("timed out").into()));
}

#[tokio::test]
async fn settlement_includes_unknown_types_as_other() {
    let strange =
        transaction("txn_9", "moon_loan", -700, LAST, &json!({ "id": "moon_1", "object": "moon", "amount": [] }));
    let server = stripe(Pages(vec![strange, movement(1)], 100)).await;
    let lines = read(&adapter(&server.uri()), DAY, false).await.unwrap();
    let brief: Vec<_> = lines.iter().map(|line| (line.kind, line.note.as_str())).collect();
    assert_eq!(brief, [(MovementKind::Other, "moon_loan of moon_1, money out"), (MovementKind::Charge, "")]);
}

#[tokio::test]
async fn settlement_of_current_day_requires_partial() {
    let server = stripe(ResponseTemplate::new(200).set_body_json(list(&[], false))).await;
    let psp = adapter(&server.uri());
    let tomorrow = Timestamp::now().to_zoned(TimeZone::UTC).date() + 1.day();
    assert_eq!(read(&psp, tomorrow, false).await, Err(SettlementError::InProgress));
    assert_eq!(requests(&server).await.len(), 0);
    assert_eq!(read(&psp, tomorrow, true).await, Ok(vec![]));
    assert!(read(&psp, Date::MAX, true).await.is_err(), "there is no end of it");
}
