//! Checkout pages by session status and test card.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_psp_simulator::TEST_CARDS;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{config, error_code, kinds, merchant, order, received, start, start_with};

const EXPIRED: &str = "4000 0000 0000 0069";
const CHALLENGED: &str = "4000 0000 0000 3220";
const REVIEWED: &str = "4000 0000 0000 9235";
const GOOD: &str = "4242 4242 4242 4242";

/// Asserts that every form and link of the page has an absolute path below the session's page.
fn assert_leads_to(page: &str, token_path: &str, verbs: &[&str]) {
    for verb in verbs {
        assert!(page.contains(&format!("action=\"{token_path}/{verb}\"")), "{verb} in {page}");
    }
    assert!(!page.contains("<script") && page.contains("<h1>") && page.contains("lang=\"en\""), "{page}");
}

fn path_of(session: &Value) -> String {
    session["url"].as_str().unwrap().parse::<url::Url>().unwrap().path().to_owned()
}

#[tokio::test]
async fn five_declined_cards_fail_the_session() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let session = simulator.create("k", &order()).await;
    for left in ["4 tries are", "3 tries are", "2 tries are", "one try is"] {
        let (status, page) = simulator.press(&session, "pay", Some(EXPIRED)).await;
        assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
        assert!(page.contains("it has expired") && page.contains(left), "{page}");
        assert_leads_to(&page, &path_of(&session), &["pay", "decline"]);
    }
    let page = simulator.http.get(session["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("Declined: try again"));
    assert_eq!(simulator.status(&session).await, "open");
    let (status, page) = simulator.press(&session, "pay", Some(EXPIRED)).await;
    assert_eq!((status, page.contains("<h1>Declined</h1>")), (StatusCode::PAYMENT_REQUIRED, true));
    assert_eq!(simulator.press(&session, "pay", Some(GOOD)).await.0, StatusCode::PAYMENT_REQUIRED, "too late");
    assert_eq!(simulator.status(&session).await, "failed");
    let mut events = kinds(&received(&merchant, 5).await);
    events.sort();
    let declined = "checkout.declined";
    assert_eq!(events, [declined, declined, declined, declined, "checkout.failed"], "one event for each");
}

#[tokio::test]
async fn declined_card_then_good_card_pays() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let session = simulator.create("k", &order()).await;
    simulator.press(&session, "pay", Some(EXPIRED)).await;
    assert_eq!(simulator.press(&session, "pay", Some(GOOD)).await.0, StatusCode::OK);
    let id = session["id"].as_str().unwrap();
    let now: Value = simulator.get(&format!("/v1/checkout_sessions/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&now["status"], &now["declines"]), (&json!("paid"), &json!(["expired_card"])));
    let mut events = kinds(&received(&merchant, 2).await);
    events.sort();
    assert_eq!(events, ["checkout.declined", "checkout.paid"]);
}

#[rstest]
#[case("pt", "Pagamento", "Recusado: tente de novo", "está fora de validade")]
#[case("de", "Zahlung", "Abgelehnt: bitte noch einmal", "Sie ist abgelaufen")]
#[case("es", "Pago", "Rechazado: inténtelo de nuevo", "está caducada")]
#[case("fr", "Paiement", "Refusé : réessayez", "elle est expirée")]
#[case("en", "Checkout", "Declined: try again", "it has expired")]
#[tokio::test]
async fn page_is_in_the_language_of_the_browser_and_keeps_a_chosen_one(
    #[case] code: &str,
    #[case] title: &str,
    #[case] declined: &str,
    #[case] why: &str,
) {
    let simulator = start(None).await;
    let session = simulator.create("k", &order()).await;
    let (url, path) = (session["url"].as_str().unwrap(), path_of(&session));
    let get = |url: String, accepted: &str| simulator.http.get(url).header("accept-language", accepted).send();
    let page = get(url.to_owned(), &format!("xx, {code};q=0.8")).await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("<html lang=\"{code}\">")) && page.contains(&format!("<h1>{title}</h1>")), "{page}");
    let page = get(format!("{url}?language={code}"), "de").await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
    let (_, next) = page.split_once(" action=\"").unwrap();
    let (next, _) = next.split_once('"').unwrap();
    assert_eq!(next, format!("{path}/pay?language={code}"));
    let request = simulator.http.post(format!("{url}/pay?language={code}")).form(&[("card_number", EXPIRED)]);
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("<h1>{declined}</h1>")) && page.contains(why), "{page}");
    let page = get(format!("{url}x?language={code}"), "de").await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("<html lang=\"{code}\">")), "{page}");
}

#[rstest]
#[case::passed(CHALLENGED, "approve", StatusCode::OK, "paid")]
#[case::not_passed(CHALLENGED, "reject", StatusCode::PAYMENT_REQUIRED, "open")]
#[case::passed_in_vain("4000 0084 0000 1629", "approve", StatusCode::PAYMENT_REQUIRED, "open")]
#[tokio::test]
async fn three_d_secure_card_requires_challenge(
    #[case] card: &str,
    #[case] choice: &str,
    #[case] answered: StatusCode,
    #[case] status: &str,
) {
    let simulator = start(None).await;
    let session = simulator.create("k", &order()).await;
    assert_eq!(simulator.choose(&session, "challenge", choice).await.0, StatusCode::PAYMENT_REQUIRED, "not asked");
    let (asked, page) = simulator.press(&session, "pay", Some(card)).await;
    assert_eq!((asked, page.contains("Confirm with your bank")), (StatusCode::ACCEPTED, true));
    assert_leads_to(&page, &path_of(&session), &["challenge"]);
    assert_eq!(simulator.status(&session).await, "open");
    assert_eq!(simulator.choose(&session, "challenge", "perhaps").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(simulator.choose(&session, "challenge", choice).await.0, answered);
    assert_eq!(simulator.status(&session).await, status);
}

#[rstest]
#[case("approve", "paid", "checkout.paid")]
#[case("reject", "failed", "checkout.failed")]
#[tokio::test]
async fn review_without_plan_stays_pending_until_decided(
    #[case] decision: &str,
    #[case] status: &str,
    #[case] event: &str,
) {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let mut order = order();
    order["expires_at"] = json!(jiff::Timestamp::now().as_second() + 2);
    let session = simulator.create("k", &order).await;
    let path = format!("/v1/checkouts/{}/review", session["id"].as_str().unwrap());
    let decide = |decision: &str| simulator.api(&path, "", &json!({ "decision": decision }));
    assert_eq!(error_code(decide("approve")).await, (StatusCode::CONFLICT, "not_in_review".into()));
    let (shown, page) = simulator.press(&session, "pay", Some(REVIEWED)).await;
    assert_eq!((shown, page.contains("<h1>In review</h1>")), (StatusCode::ACCEPTED, true));
    assert_leads_to(&page, &path_of(&session), &["review"]);
    assert_eq!(kinds(&received(&merchant, 1).await), ["checkout.review"]);
    // Neither the expiry nor closing the page ends a review.
    let expires_at = order["expires_at"].as_i64().unwrap();
    while jiff::Timestamp::now().as_second() <= expires_at + 1 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let close = format!("/v1/checkout_sessions/{}/expire", session["id"].as_str().unwrap());
    let closed: Value = simulator.api(&close, "", &json!({})).send().await.unwrap().json().await.unwrap();
    assert_eq!(closed["status"], "in_review");
    assert_eq!(simulator.press(&session, "decline", None).await.0, StatusCode::ACCEPTED);

    for wrong in [json!({}), json!({ "decision": "maybe" }), json!({ "decision": "approve", "x": 1 })] {
        assert_eq!(error_code(simulator.api(&path, "", &wrong)).await.1, "invalid_request");
    }
    for _ in 0..2 {
        let decided: Value = decide(decision).send().await.unwrap().json().await.unwrap();
        assert_eq!(decided["status"], status);
    }
    let other = if decision == "approve" { "reject" } else { "approve" };
    assert_eq!(error_code(decide(other)).await.1, "not_in_review");
    assert_eq!(kinds(&received(&merchant, 2).await), ["checkout.review", event]);
    assert_eq!(
        error_code(simulator.api("/v1/checkouts/cs_x/review", "", &json!({ "decision": "reject" }))).await.1,
        "not_found"
    );
}

#[tokio::test]
async fn review_is_decided_by_order_plan_page_or_default() {
    let merchant = merchant().await;
    let simulator = start(Some(&merchant.uri())).await;
    let mut planned = order();
    planned["simulate"] = json!("review=reject:1");
    let planned = simulator.create("a", &planned).await;
    simulator.press(&planned, "pay", Some(REVIEWED)).await;
    assert_eq!(kinds(&received(&merchant, 2).await), ["checkout.review", "checkout.failed"]);
    assert_eq!(simulator.status(&planned).await, "failed");

    let by_hand = simulator.create("b", &order()).await;
    simulator.press(&by_hand, "pay", Some(REVIEWED)).await;
    assert_eq!(simulator.choose(&by_hand, "review", "approve").await.0, StatusCode::OK);
    assert_eq!(simulator.choose(&by_hand, "review", "reject").await.0, StatusCode::OK, "it stays paid");
    assert_eq!(simulator.status(&by_hand).await, "paid");

    let by_default = start_with(staymesh_psp_simulator::Config { review_seconds: Some(0), ..config(None) }).await;
    let session = by_default.create("c", &order()).await;
    by_default.press(&session, "pay", Some(REVIEWED)).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while by_default.status(&session).await != "paid" {
        assert!(tokio::time::Instant::now() < deadline, "not approved by default");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Captures the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn card_number_is_never_stored_logged_displayed_or_forwarded() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    // The simulator runs on this thread as well.
    let _guard = tracing::subscriber::set_default(subscriber);
    let merchant = merchant().await;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("sessions.jsonl");
    let config = staymesh_psp_simulator::Config { state: Some(state.clone()), ..config(Some(&merchant.uri())) };
    let simulator = start_with(config).await;
    let numbers: Vec<&str> = TEST_CARDS.iter().map(|card| card.number).chain(["5555 5555 5555 4444"]).collect();
    for (n, number) in numbers.iter().enumerate() {
        // A log statement that another test runs for the first time while this one begins may stay disabled otherwise.
        tracing::callsite::rebuild_interest_cache();
        let session = simulator.create(&format!("k{n}"), &order()).await;
        let request = simulator.http.post(format!("{}/pay", session["url"].as_str().unwrap()));
        let request = request.form(&[("card_number", number)]).timeout(std::time::Duration::from_secs(1));
        if let Ok(answer) = request.send().await {
            let page = answer.text().await.unwrap();
            let shown = page.split("<details>").next().unwrap().replace(&format!("value=\"{GOOD}\""), "");
            assert!(!shown.contains(number), "{shown}");
        }
    }
    // Thirteen events have no fault that keeps them for longer, one of them comes twice.
    let events = received(&merchant, 13).await;
    let sent: Vec<String> = events.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect();
    let kept = std::fs::read_to_string(&state).unwrap();
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(kept.lines().count() > numbers.len() && logged.contains("event delivered"), "{logged}");
    for text in sent.iter().chain([&kept, &logged]) {
        for number in &numbers {
            for written in [(*number).to_owned(), number.replace(' ', ""), number.replace(' ', "+")] {
                assert!(!text.contains(&written), "{written} in {text}");
            }
        }
    }
}
