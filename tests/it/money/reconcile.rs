//! Reconciliation of faulty settlement files: each difference becomes one case, and nothing else does.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use reqwest::Method;
use serde_json::{Value, json};
use staymesh_testkit::clear_of_midnight;

use super::Sale;
use crate::support::{GOOD_CARD, PrivateMesh, Provider, Rest, World, await_payment, eventually, open_payment};

/// A client of the provider's merchant API.
fn merchant(world: &World<'_>) -> Rest {
    let local = world.mesh.local();
    let url = local.service_url("psp-simulator").expect("an address");
    Rest::new(&url).with_token(&local.secret("psp-api-key").expect("a key"))
}

/// Longest duration of a test here, start of a mesh on a slow machine included.
const LONGEST_TEST: Duration = Duration::from_mins(5);

/// Exit status of a run that failed, which a scheduler repeats.
const INCOMPLETE: i32 = 1;
/// Exit status of a complete run after which cases are open: for a person, not for a repetition.
const OPEN_CASES: i32 = 3;

fn today() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).date().to_string()
}

/// Runs a job with the settings of the payment service. Returns its exit status and output.
async fn job(world: &World<'_>, name: &str, args: &[&str]) -> (i32, String) {
    let (launch, log): (_, PathBuf) = {
        let local = world.mesh.local();
        let log = local.logs().join(format!("{name}.log"));
        (local.job_of("payment", args).expect("a command").log(&log), log)
    };
    let mut process = launch.spawn().expect("it starts");
    let status = eventually(name, async || process.exit_status().expect("a status")).await;
    (status.code().expect("ends by itself"), fs::read_to_string(log).expect("a log"))
}

/// Reconciles today's settlement file.
async fn reconcile(world: &World<'_>, name: &str) -> (i32, String) {
    job(world, name, &["reconcile", "--day", &today(), "--partial", "--grace", "1ms"]).await
}

/// Unresolved cases, read through the API.
async fn open_cases(world: &World<'_>) -> Vec<Value> {
    let mut open = Vec::new();
    for state in ["CASE_STATE_OPEN", "CASE_STATE_ASSIGNED"] {
        let page = world.admin.get(&format!("/v1/reconciliationCases?page_size=500&state={state}")).await.ok();
        open.extend(page["cases"].as_array().expect("a list").clone());
    }
    open
}

/// Kind and payment of each case; the amount where the case has no payment.
fn brief(cases: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let brief = cases.iter().map(|case| {
        let about = match text(&case["payment_id"]) {
            none if none.is_empty() => text(&case["found_amount"]["amount"]),
            payment => payment,
        };
        (text(&case["kind"]).trim_start_matches("CASE_KIND_").to_owned(), about)
    });
    brief.collect()
}

async fn session(provider: &Provider, sale: &Sale) -> String {
    provider.row(&sale.payment).await.psp_session.expect("a session")
}

#[tokio::test(flavor = "multi_thread")]
async fn reconciliation_opens_one_case_for_each_injected_mismatch() {
    clear_of_midnight(LONGEST_TEST).await;
    let never = ("payment", "STAYMESH_PAYMENT_CHECK_AFTER", "1h".to_owned());
    let mesh = PrivateMesh::start(vec![never]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let psp = merchant(&world);

    let mut sales = Vec::new();
    for _ in 0..6 {
        sales.push(Sale::paid(&world, &provider).await);
    }
    let [good, missing, extra, amount, currency, twice] = &sales[..] else { unreachable!("six were made") };
    let unpaid = Sale::open(&world).await;
    good.cancel().await;
    await_payment(&good.guest, &good.payment, "REFUNDED").await;
    for sale in &sales {
        sale.await_all_delivered(&world).await;
    }
    assert_eq!(reconcile(&world, "before").await.0, 0, "all is right");
    assert_eq!(open_cases(&world).await, Vec::<Value>::new());

    let mut faults = Vec::new();
    for (kind, sale) in [
        ("missing", missing),
        ("extra", extra),
        ("amount", amount),
        ("currency", currency),
        ("duplicate", twice),
        ("status", &unpaid),
    ] {
        faults.push(json!({ "kind": kind, "id": session(&provider, sale).await }));
    }
    psp.post("/v1/settlements/faults", json!(faults)).await.ok();
    let (status, said) = reconcile(&world, "first").await;
    assert_eq!(status, OPEN_CASES, "{said}");
    let first = open_cases(&world).await;
    let expected = [
        ("MISSING_AT_PSP", missing.payment_id()),
        ("MISSING_HERE", "300.00"),
        ("AMOUNT", amount.payment_id()),
        ("CURRENCY", currency.payment_id()),
        ("DUPLICATE", twice.payment_id()),
        ("STATUS", unpaid.payment_id()),
    ];
    let expected = expected.map(|(kind, about)| (kind.to_owned(), about.to_owned()));
    assert_eq!((brief(&first), first.len()), (BTreeSet::from(expected), 6), "{first:#?}");
    for kind in ["MISSING_AT_PSP", "MISSING_HERE", "AMOUNT", "CURRENCY", "DUPLICATE", "STATUS"] {
        assert!(said.contains(&format!("{kind}: 1 not resolved")), "{said}");
    }
    let of = |kind: &str| first.iter().find(|case| case["kind"] == format!("CASE_KIND_{kind}")).expect("a case");
    assert_eq!(of("AMOUNT")["expected_amount"]["amount"], "300.00");
    assert_eq!(of("AMOUNT")["found_amount"]["amount"], "300.01");
    assert_eq!(of("CURRENCY")["found_amount"]["currency_code"], "USD");
    let replayable: Vec<&Value> = first.iter().filter(|case| case["can_replay"] == true).map(|c| &c["kind"]).collect();
    assert_eq!(replayable, ["CASE_KIND_STATUS"]);

    // A second run finds the same cases.
    let assign = format!("/v1/reconciliationCases/{}:assign", of("AMOUNT")["case_id"].as_str().expect("an id"));
    world.admin.post(&assign, json!({ "owner": "user-1" })).await.ok();
    assert_eq!(reconcile(&world, "second").await.0, OPEN_CASES);
    let ids = |cases: &[Value]| cases.iter().map(|c| c["case_id"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&open_cases(&world).await), ids(&first));
    let (status, listed) = job(&world, "list", &["list-cases", "--state", "assigned", "--json"]).await;
    assert_eq!((status, listed.lines().count()), (0, 1), "{listed}");
    assert_eq!(serde_json::from_str::<Value>(&listed).expect("JSON")["kind"], "AMOUNT");

    // The provider contradicts its own file: the provider is queried, and the file is not applied.
    let replay = format!("/v1/reconciliationCases/{}:replay", of("STATUS")["case_id"].as_str().expect("an id"));
    assert_eq!(world.admin.post(&replay, json!({})).await.ok()["state"], "CASE_STATE_OPEN");
    assert_eq!(provider.row(&unpaid.payment).await.status, "PENDING");

    // Corrected at the provider: the case is resolved.
    let cleared = psp.call(Method::DELETE, "/v1/settlements/faults", None).await;
    assert!(cleared.status.is_success());
    let (status, said) = reconcile(&world, "third").await;
    assert!(status == 0 && said.contains("6 closed"), "{said}");
    assert_eq!(open_cases(&world).await, Vec::<Value>::new());
    let all = world.admin.get("/v1/reconciliationCases?state=CASE_STATE_RESOLVED").await.ok();
    let all = all["cases"].as_array().expect("a list");
    assert!(all.len() == 6 && all.iter().all(|case| case["resolution"] == "CASE_RESOLUTION_GONE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reconciliation_applies_payment_without_event_found_in_settlement_file() {
    clear_of_midnight(LONGEST_TEST).await;
    let never = ("payment", "STAYMESH_PAYMENT_CHECK_AFTER", "1h".to_owned());
    let mesh = PrivateMesh::start(vec![never]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let (guest, hotel) = (world.guest().await, world.hotel(5).await);
    let stay = crate::support::Stay::ahead(30, 3);
    let booked = world.book(&guest, hotel, &stay).await;
    let page = json!({
        "reservation_id": booked["reservation_id"],
        "return_url": "https://hotel.example/?psp_simulate=webhook%3Dlose",
    });
    let payment = guest.post_until_answered("/v1/payments", page).await;
    assert_eq!(open_payment(&guest, &booked).await["payment_id"], payment["payment_id"]);
    assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
    // Payments younger than the grace period, 1 ms here, are left to the next run.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(reconcile(&world, "lost").await.0, OPEN_CASES);
    let open = open_cases(&world).await;
    assert_eq!(brief(&open), [("STATUS".to_owned(), payment["payment_id"].as_str().expect("an id").to_owned())].into());
    let replay = format!("/v1/reconciliationCases/{}:replay", open[0]["case_id"].as_str().expect("an id"));
    assert_eq!(world.admin.post(&replay, json!({})).await.ok()["resolution"], "CASE_RESOLUTION_GONE");
    await_payment(&guest, &payment, "PAID").await;
    world.await_status(&guest, booked["reservation_id"].as_str().expect("an id"), "PAID").await;

    // An unavailable provider is an error, not an empty result.
    let broken = world.mesh.local().job_of("payment", &["reconcile"]).expect("a command");
    let broken =
        broken.env("STAYMESH_PSP_URL", "http://127.0.0.1:9").log(world.mesh.local().logs().join("unavailable.log"));
    let mut process = broken.spawn().expect("it starts");
    let status = eventually("it gives up", async || process.exit_status().expect("a status")).await;
    assert_eq!(status.code(), Some(INCOMPLETE));
}
